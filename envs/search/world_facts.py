"""Who and what there is in an invented world, and what is true of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rmgym.envs.search.world_entities import (
    HOUSES,
    LEARNED,
    MAKERS,
    REGION_FORMS,
    ByYear,
    Entity,
    Facts,
    share_out,
)
from rmgym.envs.search.world_names import TONGUES, Dice, Namer, house_word, words, work_title

_PRODUCTS = words(
    "glassware|clocks|woollen cloth|lace|honey cake|ceramic tiles|saddles|writing paper|candles|"
    "copperware|oak barrels|rope|cutlery|dried plums|felt hats|printing ink|brandy|church bells|"
    "oars|wax dolls|pewter|soap|goat cheese|umbrellas|violins|playing cards|fishing nets|mustard",
    "|",
)
_EXPORTS = words(
    "wool|amber|rye|salt|timber|copper|linen|tin|honey|barley|herring|slate|wine|hemp|olives|"
    "tobacco|marble|leather|flax|saffron|almonds|granite|cork|hops|figs|zinc|silk|walnuts",
    "|",
)
_FACULTIES = words(
    "law|medicine|music|theology|botany|engineering|history|chemistry|navigation|philology|"
    "astronomy|architecture|economics|mining|forestry|pharmacy|geography|agriculture",
    "|",
)


class WorldBuilder:
    """Fills a world with entities, in the order in which their facts depend on each other."""

    def __init__(self, dice: Dice, passages: int) -> None:
        self._dice = dice
        self._namer = Namer(dice)
        self._busy: dict[str, list[int]] = {}
        self._prolific: set[str] = set()
        counts = share_out(passages)
        self._families = self._family_names(counts["person"])
        self.regions = [self._region() for _ in range(counts["region"])]
        self.rivers = [self._river() for _ in range(counts["river"])]
        self._rivers_of = _group_by_region(self.rivers)
        self.towns = [self._town() for _ in range(counts["town"])]
        self._towns_of = _group_by_region(self.towns)
        for region in self.regions:
            seats = self._towns_of.get(region.title) or [dice.pick(self.towns)]
            region.facts["capital"] = (dice.pick(seats).title,)
        self._givens = [self._given_names(index) for index in range(len(TONGUES))]
        self.people = [self._person() for _ in range(counts["person"])]
        self._name_towns_after_people()
        forms = ("university", *HOUSES.values())
        turns = (forms[number % len(forms)] for number in range(counts["organisation"]))
        self.organisations = [self._organisation(form) for form in turns]
        self._send_to_school()
        self._find_teachers()
        self.works = self._all_works(counts["work"])

    @property
    def entities(self) -> list[Entity]:
        """All entities, by kind."""
        places = self.towns + self.rivers + self.regions
        return self.works + self.people + places + self.organisations

    def _family_names(self, people: int) -> list[list[str]]:
        pool = max(3, round(people / (2.5 * len(TONGUES))))
        return [
            [self._namer.fresh(tongue, tongue.families) for _ in range(pool)] for tongue in TONGUES
        ]

    def _given_names(self, index: int) -> tuple[list[str], list[str]]:
        tongue, fresh = TONGUES[index], self._namer.fresh
        women = [fresh(tongue, tongue.women) for _ in range(40)]
        return women, [fresh(tongue, tongue.men) for _ in range(40)]

    def _region(self) -> Entity:
        dice, index = self._dice, self._dice.between(0, len(TONGUES) - 1)
        tongue = TONGUES[index]
        name = self._namer.fresh(tongue, tongue.lands)
        peak = "Mount " + self._namer.fresh(tongue, tongue.waters)
        language = self._namer.fresh(tongue, ("ish", "ese", "ic"))
        facts: Facts = {
            "language": (language,),
            "peak": (peak,),
            "export": tuple(dice.sample(_EXPORTS, 3)),
        }
        form = dice.pick(REGION_FORMS)
        return Entity("region", form, name, name, tongue=index, facts=facts)

    def _river(self) -> Entity:
        dice = self._dice
        region = dice.pick(self.regions)
        tongue = TONGUES[region.tongue]
        name = "River " + self._namer.fresh(tongue, tongue.waters)
        waters = [self._namer.fresh(tongue, tongue.waters) for _ in range(5)]
        facts: Facts = {
            "region": (region.title,),
            "length": (f"{dice.between(38, 1190)} kilometres",),
            "source": ("Mount " + waters[0],),
            "mouth": (dice.pick(("Lake ", "Gulf of ")) + waters[1],),
            "tributary": tuple(waters[2:]),
        }
        return Entity("river", "river", name, name, tongue=region.tongue, facts=facts)

    def _town(self) -> Entity:
        dice = self._dice
        region = dice.pick(self.regions)
        rivers = self._rivers_of.get(region.title)
        facts: Facts = {
            "region": (region.title,),
            "population": (f"{dice.between(1_150, 96_000):,}",),
            "chartered": (str(dice.between(1160, 1779)),),
            "product": (dice.pick(_PRODUCTS),),
        }
        if rivers:
            facts["river"] = (dice.pick(rivers).title,)
        name = self._town_name(region.tongue)
        return Entity("town", "town", name, name, tongue=region.tongue, facts=facts)

    def _town_name(self, index: int) -> str:
        if self._dice.chance(0.15):
            prefix = self._dice.pick(("Port", "Fort", "New", "Upper"))
            name = f"{prefix} {self._dice.pick(self._families[index])}"
            if self._namer.claim(name):
                return name
        return self._namer.fresh(TONGUES[index], TONGUES[index].towns)

    def _person(self) -> Entity:
        dice = self._dice
        home = dice.pick(self.towns)
        is_woman = dice.chance(0.5)
        form = dice.pick(tuple(MAKERS)) if dice.chance(0.66) else dice.pick(LEARNED)
        born = dice.between(1884, 1935) if form == "film director" else dice.between(1770, 1935)
        facts: Facts = {
            "occupation": (form,),
            "birth_year": (str(born),),
            "death_year": (str(born + dice.between(46, 90)),),
            "born_in": (home.title,),
        }
        last_home = dice.pick(self.towns)
        if last_home is not home and dice.chance(0.75):
            facts["died_in"] = (last_home.title,)
        name = self._full_name(home.tongue, is_woman)
        return Entity("person", form, name, name, home.tongue, is_woman, facts)

    def _full_name(self, index: int, is_woman: bool) -> str:
        women, men = self._givens[index]
        while True:
            given = self._dice.pick(women if is_woman else men)
            name = f"{given} {self._dice.pick(self._families[index])}"
            if self._namer.claim(name):
                return name
            if self._dice.chance(0.05):
                family = self._namer.fresh(TONGUES[index], TONGUES[index].families)
                self._families[index].append(family)

    def _bystander(self) -> str:
        """Return the name of somebody without an article."""
        return self._full_name(self._dice.between(0, len(TONGUES) - 1), self._dice.chance(0.5))

    def _name_towns_after_people(self) -> None:
        bearers: dict[str, list[Entity]] = {}
        for person in self.people:
            bearers.setdefault(person.name.split()[-1], []).append(person)
        for town in self.towns:
            namesakes = bearers.get(town.name.split()[-1])
            if namesakes and " " in town.name:
                town.facts["eponym"] = (self._dice.pick(namesakes).title,)

    def _organisation(self, form: str) -> Entity:
        dice = self._dice
        founder, seat = dice.pick(self.people), dice.pick(self.towns)
        if form == "studio":
            crowd = [dice.pick(self.people) for _ in range(24)]
            founder = dice.pick([p for p in crowd if _is_modern(p)] or [founder])
        founded = dice.between(
            founder.year("birth_year") + 26, min(founder.year("death_year"), 1990) - 4
        )
        facts: Facts = {
            "founder": (founder.title,),
            "founded": (str(founded),),
            "seat": (seat.title,),
        }
        if form == "university":
            facts["faculty"] = tuple(dice.sample(_FACULTIES, 3))
        else:
            facts["head"] = (self._bystander(),)
        name = self._organisation_name(form, seat)
        return Entity("organisation", form, name, name, tongue=seat.tongue, facts=facts)

    def _organisation_name(self, form: str, seat: Entity) -> str:
        dice = self._dice
        while True:
            family = dice.pick(dice.pick(self._families))
            if form == "university":
                tongue = TONGUES[seat.tongue]
                own = f"{self._namer.fresh(tongue, tongue.families)} University"
                shapes: tuple[str, ...] = (f"University of {seat.name}", own)
            elif form == "publisher":
                shapes = (f"{family} Press", f"{house_word(dice)} Books", f"{seat.name} Press")
            elif form == "studio":
                shapes = (f"{family} Pictures", f"{house_word(dice)} Films")
            elif form == "gallery":
                shapes = (f"{family} Gallery", f"{seat.name} Gallery")
            else:
                shapes = (f"{family} Opera", f"{seat.name} Opera")
            name = dice.pick(shapes)
            if self._namer.claim(name):
                return name

    def _send_to_school(self) -> None:
        schools = ByYear([o for o in self.organisations if o.form == "university"], "founded")
        for person in self.people:
            school = schools.pick_until(person.year("birth_year") + 17, self._dice)
            if school and school.facts["founder"][0] != person.title and self._dice.chance(0.85):
                person.facts["studied_at"] = (school.title,)

    def _find_teachers(self) -> None:
        elders = ByYear(self.people, "birth_year")
        for pupil in self.people:
            born = pupil.year("birth_year")
            teacher = elders.pick_until(born - 18, self._dice, since=born - 55)
            if teacher and teacher.year("death_year") > born + 17 and self._dice.chance(0.75):
                pupil.facts["teacher"] = (teacher.title,)

    def _all_works(self, count: int) -> list[Entity]:
        makers = [person for person in self.people if person.form in MAKERS]
        houses = {
            form: ByYear([o for o in self.organisations if o.form == house], "founded")
            for form, house in HOUSES.items()
        }
        works: list[Entity] = []
        titles: dict[str, list[Entity]] = {}
        for maker in self._commissions(makers, count):
            works.append(self._work(maker, titles, houses, works))
        for namesakes in titles.values():
            _disambiguate(namesakes)
        by_maker: dict[str, list[Entity]] = {}
        for work in works:
            by_maker.setdefault(work.facts["creator"][0], []).append(work)
        for maker in makers:
            output = by_maker.get(maker.title, [])
            if self._is_prolific(maker.title) and len(output) == 3:
                maker.facts["work"] = tuple(work.title for work in self._dice.shuffled(output))
        return works

    def _commissions(self, makers: Sequence[Entity], count: int) -> list[Entity]:
        """Return the maker of each work: every sixth makes three, the others one or two."""
        order = self._dice.shuffled(makers)
        prolific, others = order[: max(3, len(order) // 6)], order[max(3, len(order) // 6) :]
        self._prolific = {maker.title for maker in prolific}
        orders = [maker for maker in prolific for _ in range(3)]
        while len(orders) < count:
            for maker in self._dice.shuffled(others or order):
                orders += [maker] * self._dice.between(1, 2)
        return orders[:count]

    def _work(
        self,
        maker: Entity,
        titles: dict[str, list[Entity]],
        houses: dict[str, ByYear],
        works: Sequence[Entity],
    ) -> Entity:
        dice = self._dice
        form = MAKERS.get(maker.form, "novel")
        year = self._free_year(maker)
        name = self._work_name(maker, form, year, titles, works)
        facts: Facts = {
            "creator": (maker.title,),
            "year": (str(year),),
            "setting": (dice.pick(self.towns).title,),
        }
        house = houses[form].pick_until(year, dice)
        if house:
            facts["house"] = (house.title,)
        if form != "painting":
            facts["hero"] = (self._bystander(),)
        work = Entity("work", form, name, name, tongue=maker.tongue, facts=facts)
        titles.setdefault(name, []).append(work)
        return work

    def _free_year(self, maker: Entity) -> int:
        """Return a year of the maker's working life without a work yet."""
        busy = self._busy.setdefault(maker.title, [])
        first, last = maker.year("birth_year") + 23, maker.year("death_year") - 1
        year = self._dice.between(first, last)
        while year in busy and len(busy) <= last - first:
            year = self._dice.between(first, last)
        busy.append(year)
        return year

    def _work_name(
        self,
        maker: Entity,
        form: str,
        year: int,
        titles: dict[str, list[Entity]],
        works: Sequence[Entity],
    ) -> str:
        dice = self._dice
        attempt = 0
        while True:
            attempt += 1
            if works and attempt == 1 and dice.chance(0.22) and not self._is_prolific(maker.title):
                name = dice.pick(works).name
            else:
                town_names = [dice.pick(self.towns).name]
                name = work_title(dice, town_names, scarce=attempt > 6)
                if name in titles and attempt < 40:
                    continue
            clashes = titles.get(name, [])
            if not any(self._clash(other, maker, form, year) for other in clashes):
                return name

    def _clash(self, other: Entity, maker: Entity, form: str, year: int) -> bool:
        """Return whether a work may not share the name of `other`.

        Works of one form are told apart by their years; those in bibliographies need no year.
        """
        creator = other.facts["creator"][0]
        if creator == maker.title:
            return True
        return other.form == form and (other.year("year") == year or self._is_prolific(creator))

    def _is_prolific(self, title: str) -> bool:
        return title in self._prolific


def _is_modern(person: Entity) -> bool:
    return person.year("birth_year") >= 1870


def _group_by_region(places: Sequence[Entity]) -> dict[str, list[Entity]]:
    groups: dict[str, list[Entity]] = {}
    for place in places:
        groups.setdefault(place.facts["region"][0], []).append(place)
    return groups


def _disambiguate(namesakes: Sequence[Entity]) -> None:
    """Give works of one name titles of their own: by form, and by year within a form."""
    if len(namesakes) == 1:
        return
    ordered = sorted(namesakes, key=lambda work: work.form)
    forms = [None, *(work.form for work in ordered), None]
    for work, (before, form), after in zip(ordered, pairwise(forms), forms[2:], strict=False):
        crowded = form in (before, after)
        label = f"{work.facts['year'][0]} {form}" if crowded else str(form)
        work.title = f"{work.name} ({label})"
