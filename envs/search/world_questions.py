"""Asks questions about an invented world whose answers its articles state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from rmgym.envs.search.world_entities import MAKERS, Entity
from rmgym.envs.search.world_model import Question, QuestionKind, Triple
from rmgym.envs.search.world_names import Dice, words
from rmgym.envs.search.world_wording import (
    COMPARISONS,
    DESCRIPTIONS,
    LISTS_IN_ORDER,
    QUESTIONS,
    SEARCH_WORDS,
    SETS,
    TABLES,
)
from rmgym.envs.search.world_write import capitalised, surface

_GENERIC = words(
    "The River University Press Books Pictures Films Gallery Opera Port Fort New Upper Of A"
)
Collection: TypeAlias = Literal["set", "list", "table"]
_TRIES = 400
"""Draws in a row without a new question before the world counts as exhausted."""


class Asker:
    """Draws questions of each kind."""

    def __init__(
        self,
        dice: Dice,
        entities: Sequence[Entity],
        passage_of: Mapping[str, tuple[str, str]],
        stated_in: Mapping[Triple, int],
    ) -> None:
        """Keep the world at hand.

        Args:
            dice: Source of chance.
            entities: Everything with an article.
            passage_of: Passage id and text by title.
            stated_in: In how many articles each triple is stated.
        """
        self._dice = dice
        self._entities = entities
        self._by_title = {entity.title: entity for entity in entities}
        self._passage_of = passage_of
        self._stated_in = stated_in
        self._peers = _group(entities)
        self._authors = [e for e in entities if "work" in e.facts and self._dated(e)]
        self._with_set = [e for e in entities if any(r in e.facts for r in ("export", "faculty"))]
        self._rivers = [entity for entity in entities if "tributary" in entity.facts]
        self._seen: set[str] = set()

    def ask(self, kind: QuestionKind, count: int) -> list[Question]:
        """Return `count` different questions of one kind.

        Raises:
            ValueError: If the world has too few facts for them.
        """
        drawers: dict[QuestionKind, Callable[[], Question | None]] = {
            "one_hop": self._one_hop,
            "two_hop": self._two_hop,
            "comparison": self._comparison,
            "set": self._set,
            "list": self._list,
            "table": self._table,
        }
        draw = drawers[kind]
        questions: list[Question] = []
        tries = 0
        while len(questions) < count:
            question = draw()
            tries += 1
            if question and question.text not in self._seen and not _gives_itself_away(question):
                self._seen.add(question.text)
                questions.append(question)
                tries = 0
            elif tries >= _TRIES:
                raise ValueError(
                    f"expected room for {count} questions of kind {kind}, got {len(questions)} out "
                    f"of {len(self._entities)} passages: ask for more passages or fewer questions"
                )
        return questions

    def _one_hop(self) -> Question | None:
        subject = self._dice.pick(self._entities)
        triple = self._fact(subject)
        if triple is None:
            return None
        text = self._word(QUESTIONS, subject, triple.relation).replace("{S}", mention(subject))
        return self._answered("one_hop", text, [triple])

    def _two_hop(self) -> Question | None:
        subject = self._dice.pick(self._entities)
        first = self._fact(subject, DESCRIPTIONS)
        bridge = self._by_title.get(first.object) if first else None
        second = self._fact(bridge) if bridge else None
        if first is None or second is None or bridge is None:
            return None
        described = self._word(DESCRIPTIONS, subject, first.relation)
        asked = self._word(QUESTIONS, bridge, second.relation)
        text = asked.replace("{S}", described.replace("{S}", mention(subject)))
        gold_text = self._passage_of[subject.title][1]
        if any(answer in gold_text for answer in spellings(second.object)):
            return None
        hints = set(_words(bridge.name)).difference(_GENERIC)
        if hints.intersection(_words(text)) or second.object == subject.title:
            return None
        return self._answered("two_hop", text, [first, second])

    def _comparison(self) -> Question | None:
        dice, one = self._dice, self._dice.pick(self._entities)
        if one.kind not in COMPARISONS:
            return None
        relation, lower, higher, prefix = COMPARISONS[one.kind]
        two = dice.pick(self._peers[_peer_key(one)])
        values = [_number(entity.facts[relation][0]) for entity in (one, two)]
        wants_lower = dice.chance(0.5)
        winner, loser = (one, two) if (values[0] < values[1]) == wants_lower else (two, one)
        fact = self._fact(winner)
        if fact is None or values[0] == values[1] or _is_dated(one) or _is_dated(two):
            return None
        if fact.relation == relation or fact.relation not in loser.facts:
            return None
        if any(answer in self._passage_of[loser.title][1] for answer in spellings(fact.object)):
            return None
        names = [surface(e.title.removeprefix(prefix)) for e in (one, two)]
        phrase = (lower if wants_lower else higher).replace("{form}", one.form)
        phrase = phrase.replace("{A}", names[0]).replace("{B}", names[1])
        text = self._word(QUESTIONS, winner, fact.relation).replace("{S}", phrase)
        compared = [Triple(e.title, relation, e.facts[relation][0]) for e in (one, two)]
        question = self._answered("comparison", text, [*compared, fact])
        return replace(
            question,
            gold_passages=question.gold_passages[:2],
            sub_queries=question.sub_queries[:2],
        )

    def _set(self) -> Question | None:
        subject = self._dice.pick([self._dice.pick(self._with_set), *self._some_author()])
        relation = next(r for r in SETS if r in subject.facts)
        column = _noun(subject) if relation == "work" else relation
        return self._collected("set", subject, relation, self._dice.pick(SETS[relation]), column)

    def _list(self) -> Question | None:
        authors = self._some_author()
        if authors and self._dice.chance(0.5):
            text = self._dice.pick(LISTS_IN_ORDER["work"])
            return self._bibliography("list", authors[0], "year", text)
        river = self._dice.pick(self._rivers)
        text = self._dice.pick(LISTS_IN_ORDER["tributary"])
        return self._collected("list", river, "tributary", text, "tributary")

    def _table(self) -> Question | None:
        authors = self._some_author()
        if not authors:
            return None
        relation = self._dice.pick(tuple(TABLES))
        text = self._dice.pick(TABLES[relation])
        return self._bibliography("table", authors[0], relation, text)

    def _some_author(self) -> list[Entity]:
        return [self._dice.pick(self._authors)] if self._authors else []

    def _collected(
        self, kind: Collection, subject: Entity, relation: str, text: str, column: str
    ) -> Question:
        triples = [Triple(subject.title, relation, item) for item in subject.facts[relation]]
        rows = [(surface(item).removeprefix("the "),) for item in subject.facts[relation]]
        return self._tabulated(kind, subject, text, triples[:1], triples, [(column,), *rows])

    def _bibliography(self, kind: Collection, author: Entity, relation: str, text: str) -> Question:
        works = [self._by_title[title] for title in author.facts["work"]]
        works.sort(key=lambda work: work.year("year"))
        listed = [Triple(author.title, "work", work.title) for work in works]
        facts = [Triple(work.title, "year", work.facts["year"][0]) for work in works]
        places = [Triple(work.title, "setting", work.facts["setting"][0]) for work in works]
        rows: list[tuple[str, ...]]
        if kind == "list":
            rows = [(_noun(author),), *((work.name,) for work in works)]
        else:
            second = [work.facts[relation][0] for work in works]
            names = [work.name for work in works]
            column = "year" if relation == "year" else "town"
            rows = [("title", column), *zip(names, second, strict=True)]
        chain = [*listed, *facts, *(places if relation == "setting" else [])]
        return self._tabulated(kind, author, text, [listed[0], *facts], chain, rows)

    def _tabulated(
        self,
        kind: Collection,
        subject: Entity,
        text: str,
        steps: Sequence[Triple],
        chain: Sequence[Triple],
        rows: Sequence[tuple[str, ...]],
    ) -> Question:
        form = _noun(subject)
        shows = "shows" if form == "painting" else "is set in"
        text = text.replace("{form}", form).replace("{shows}", shows)
        question = self._answered("set", text.replace("{S}", mention(subject)), steps)
        answer = "; ".join(", ".join(row) for row in rows[1:])
        return replace(
            question,
            kind=kind,
            answer_type=kind,
            answers=(answer if kind == "table" else answer.replace("; ", ", "),),
            triples=tuple(chain),
            rows=tuple(rows),
        )

    def _answered(self, kind: QuestionKind, text: str, triples: Sequence[Triple]) -> Question:
        answers = spellings(triples[-1].object)
        return Question(
            id="",
            kind=kind,
            text=capitalised(text),
            answers=answers,
            answer_type="text",
            gold_passages=tuple(self._passage_of[t.subject][0] for t in triples),
            sub_queries=tuple(self._query(t) for t in triples),
            triples=tuple(triples),
            rows=(("answer",), (answers[0],)),
        )

    def _fact(
        self, subject: Entity, table: Mapping[str, tuple[str, ...]] = QUESTIONS
    ) -> Triple | None:
        """Return a random fact of `subject` that `table` can word and one article alone states."""
        relation = self._dice.pick(tuple(subject.facts))
        if _key(table, subject, relation) is None:
            return None
        if relation == "occupation" and subject.form in MAKERS:
            return None
        triple = Triple(subject.title, relation, subject.facts[relation][0])
        return triple if self._stated_in[triple] == 1 else None

    def _word(self, table: Mapping[str, tuple[str, ...]], subject: Entity, relation: str) -> str:
        key = _key(table, subject, relation)
        if key is None:
            raise KeyError(f"no wording for {relation!r} of a {subject.form}")
        return self._dice.pick(table[key])

    def _query(self, triple: Triple) -> str:
        subject = self._by_title[triple.subject]
        key = _key(SEARCH_WORDS, subject, triple.relation)
        words = SEARCH_WORDS[key] if key else triple.relation
        if triple.relation == "work":
            words = f"{_noun(subject)}s"
        named = triple.subject if subject.kind != "work" else mention(subject).removeprefix("the ")
        return f"{named} {words}"

    def _dated(self, author: Entity) -> bool:
        works = [self._by_title[title] for title in author.facts["work"]]
        return len({work.year("year") for work in works}) == len(works)


def mention(entity: Entity) -> str:
    """Return the words by which a question names an entity, and no other one."""
    if entity.kind != "work":
        return surface(entity.title)
    label = entity.title.removeprefix(entity.name).strip(" ()") or entity.form
    return f"the {label} {entity.name}"


def spellings(item: str) -> tuple[str, ...]:
    """Return the accepted wordings of an answer, the one in the articles first.

    >>> spellings("River Oste")
    ('River Oste', 'Oste')
    >>> spellings("12,400"), spellings("340 kilometres")
    (('12,400', '12400'), ('340 kilometres', '340 km', '340'))
    """
    if item.startswith(("River ", "Mount ")):
        return item, item.split(" ", 1)[1]
    if item.startswith("University of "):
        return item, f"{item.removeprefix('University of ')} University"
    if item.endswith(" University"):
        return item, f"University of {item.removesuffix(' University')}"
    if item.endswith(" kilometres"):
        number = item.split()[0]
        return item, f"{number} km", number
    if "," in item:
        return item, item.replace(",", "")
    return (item,)


def _gives_itself_away(question: Question) -> bool:
    cells = [cell for row in question.rows[1:] for cell in row]
    text = question.text.lower()
    return any(answer.lower() in text for answer in (*question.answers, *cells))


def _key(table: Mapping[str, object], subject: Entity, relation: str) -> str | None:
    keys = (f"{relation}:{subject.form}", f"{relation}:{subject.kind}", relation)
    return next((key for key in keys if key in table), None)


def _noun(subject: Entity) -> str:
    return MAKERS.get(subject.form, subject.form)


def _words(text: str) -> list[str]:
    return [word.strip("'s?,.") for word in text.split()]


def _number(value: str) -> int:
    return int("".join(letter for letter in value if letter.isdigit()))


def _is_dated(entity: Entity) -> bool:
    return entity.kind == "work" and any(letter.isdigit() for letter in entity.title)


def _peer_key(entity: Entity) -> str:
    return entity.form if entity.kind in ("work", "organisation") else entity.kind


def _group(entities: Sequence[Entity]) -> dict[str, list[Entity]]:
    groups: dict[str, list[Entity]] = {}
    for entity in entities:
        groups.setdefault(_peer_key(entity), []).append(entity)
    return groups
