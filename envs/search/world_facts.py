"""Who and what there is in an invented world, and what is true of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, TypeAlias

from rmgym.envs.search.world_names import TONGUES, Dice, Namer, house_word, words, work_title

Kind: TypeAlias = Literal["person", "work", "town", "organisation", "river", "region"]

Facts: TypeAlias = dict[str, tuple[str, ...]]

SHARES: tuple[tuple[Kind, float], ...] = (
    ("work", 0.34),
    ("person", 0.32),
    ("town", 0.16),
    ("organisation", 0.09),
    ("river", 0.06),
    ("region", 0.03),
)
MAKERS = {"novelist": "novel", "film director": "film", "painter": "painting", "composer": "opera"}
HOUSES = {"novel": "publisher", "film": "studio", "painting": "gallery", "opera": "opera company"}

LEARNED = words(
    "botanist astronomer engineer historian physician geologist cartographer architect "
    "explorer philologist chemist economist naturalist mathematician"
)
REGION_FORMS = ("duchy", "province", "republic", "principality")
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


@dataclass(slots=True)
class Entity:
    """Something with an article of its own."""

    kind: Kind
    form: str
    """What it is called in prose: `novel`, `town`, `publisher`; for people, the occupation."""
    name: str
    title: str
    tongue: int = 0
    is_woman: bool = False
    facts: Facts = field(default_factory=dict)
    """Objects by relation: titles of entities or literals, in their natural order."""

    def year(self, relation: str) -> int:
        """Return the year that a relation holds."""
        return int(self.facts[relation][0])


def share_out(passages: int) -> dict[Kind, int]:
    """Return how many articles of each kind make `passages` articles."""
    counts: dict[Kind, int] = {kind: max(3, int(passages * share)) for kind, share in SHARES}
    counts["work"] += passages - sum(counts.values())
    return counts


class WorldBuilder:
    """Fills a world with entities, in the order in which their facts depend on each other."""

    def __init__(self, dice: Dice, passages: int) -> None:
        self._dice = dice
        self._namer = Namer(dice)
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
        self._organisation_forms = self._spread_forms(counts["organisation"])
        self.organisations = [self._organisation(form) for form in self._organisation_forms]
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

    def _spread_forms(self, count: int) -> list[str]:
        forms = ("university", *HOUSES.values())
        return [forms[place % len(forms)] for place in range(count)]

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
        schools = _ByYear([o for o in self.organisations if o.form == "university"], "founded")
        for person in self.people:
            school = schools.pick_until(person.year("birth_year") + 17, self._dice)
            if school and school.facts["founder"][0] != person.title and self._dice.chance(0.85):
                person.facts["studied_at"] = (school.title,)

    def _find_teachers(self) -> None:
        elders = _ByYear(self.people, "birth_year")
        for pupil in self.people:
            born = pupil.year("birth_year")
            teacher = elders.pick_until(born - 18, self._dice, since=born - 55)
            if teacher and teacher.year("death_year") > born + 17 and self._dice.chance(0.75):
                pupil.facts["teacher"] = (teacher.title,)

    def _all_works(self, count: int) -> list[Entity]:
        makers = [person for person in self.people if person.form in MAKERS]
        houses = {
            form: _ByYear([o for o in self.organisations if o.form == house], "founded")
            for form, house in HOUSES.items()
        }
        works: list[Entity] = []
        titles: dict[str, list[Entity]] = {}
        for maker in self._commissions(makers or self.people[:1], count):
            works.append(self._work(maker, titles, houses, works))
        for namesakes in titles.values():
            _disambiguate(namesakes)
        by_maker: dict[str, list[Entity]] = {}
        for work in works:
            by_maker.setdefault(work.facts["creator"][0], []).append(work)
        for maker in makers:
            output = by_maker.get(maker.title, [])
            if len(output) == 3 and not any(_has_year(work.title) for work in output):
                maker.facts["work"] = tuple(work.title for work in self._dice.shuffled(output))
        return works

    def _commissions(self, makers: Sequence[Entity], count: int) -> list[Entity]:
        """Return the maker of each work: most make one or two, every fifth makes three."""
        orders: list[Entity] = []
        while len(orders) < count:
            for maker in self._dice.shuffled(makers):
                pieces = 3 if self._dice.chance(0.2) else self._dice.between(1, 2)
                orders += [maker] * pieces
                if len(orders) >= count:
                    break
        return orders[:count]

    def _work(
        self,
        maker: Entity,
        titles: dict[str, list[Entity]],
        houses: dict[str, _ByYear],
        works: Sequence[Entity],
    ) -> Entity:
        dice = self._dice
        form = MAKERS.get(maker.form, "novel")
        year = dice.between(maker.year("birth_year") + 23, maker.year("death_year") - 1)
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
            if works and attempt == 1 and dice.chance(0.2):
                name = dice.pick(works).name
            else:
                town_names = [dice.pick(self.towns).name]
                name = work_title(dice, town_names, scarce=attempt > 6)
                if name in titles and attempt < 40:
                    continue
            clashes = titles.get(name, [])
            same_maker = any(other.facts["creator"][0] == maker.title for other in clashes)
            same_year = any((w.form, w.year("year")) == (form, year) for w in clashes)
            if not same_maker and not same_year:
                return name


class _ByYear:
    """Entities sorted by a year, to draw one that was there in time."""

    def __init__(self, entities: Sequence[Entity], relation: str) -> None:
        self._entities = sorted(entities, key=lambda entity: entity.year(relation))
        self._years = [entity.year(relation) for entity in self._entities]

    def pick_until(self, year: int, dice: Dice, *, since: int = -1) -> Entity | None:
        low, high = bisect_right(self._years, since), bisect_right(self._years, year)
        return self._entities[dice.between(low, high - 1)] if high > low else None


def _has_year(title: str) -> bool:
    return any(letter.isdigit() for letter in title)


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
