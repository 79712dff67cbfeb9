"""Follow a chain of entities through real text: search, read one relation, search what it names."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any, NamedTuple, TypeAlias

from rmgym.agents.chain_questions import Branch, ChainQuestion, parse_question
from rmgym.agents.search import SearchPolicy, SeenPassage, question_of, shown_passages
from rmgym.agents.wiki_family import FAMILY, read_inverse
from rmgym.agents.wiki_life import home_countries
from rmgym.agents.wiki_reader import read_relation, read_when
from rmgym.agents.wiki_text import Dated, fold, tidy
from rmgym.trajectory import Context

_ROLE_HINTS = {"director": "film director", "composer": "composer", "performer": "singer"}
_PEOPLE = frozenset((*FAMILY, "director", "composer", "performer", "writer", "producer", "founder"))
_GOOD_FIT = 1.0
_SURE_FIT = 1.6
"""Of a title that makes a search for the name unnecessary."""


class Node(NamedTuple):
    """Where a branch has come to."""

    name: str
    passage: SeenPassage | None
    complete: bool
    """Whether every relation on the way was read."""


Steps: TypeAlias = Generator[str, list[SeenPassage], Node]


def title_fit(name: str, title: str, text: str = "") -> float:
    """Return how well a passage's title fits a name: 3 is the same, below 1 is another thing.

    >>> title_fit("Mira Tol", "Mira Tol (painter)"), title_fit("Mira Tol", "Bo Reed")
    (2.5, 0.0)
    """
    if name.casefold() == title.casefold():
        return 3.0
    short_wanted, short_offered = _bare(name), _bare(title)
    if not short_wanted or not short_offered:
        return 0.0
    if fold(name) == fold(title):
        return 3.0
    if short_wanted == short_offered:
        clash = "(" in name and "(" in title
        return 1.9 if clash else 2.5
    left, right = set(short_wanted.split()), set(short_offered.split())
    common = len(left & right)
    if common >= 2 and (left <= right or right <= left):
        return 2.0 - 0.05 * len(left ^ right)
    opening = fold(text[:160])
    if len(left) > 1 and short_wanted in opening.split(" is ")[0].split(" was ")[0]:
        return 1.5
    first, other = short_wanted.split()[0], short_offered.split()[0]
    if first == other and len(right) == 1 and len(first) > 4:
        return 1.2
    share = common / max(len(left | right), 1)
    same_numbers = _numbers(short_wanted) == _numbers(short_offered)
    return 1.0 + share / 2 if share >= 0.6 and first == other and same_numbers else share / 2


def _numbers(name: str) -> list[str]:
    return re.findall(r"\b(?:\d+\w*|[ivx]+)\b", name)


def _bare(name: str) -> str:
    return fold(re.sub(r"\([^()]*\)", "", name)) or fold(name)


class Notebook:
    """What one replay of an episode has searched and seen.

    Args:
        limit: Searches that the episode allows.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.asked: list[str] = []
        self.seen: list[SeenPassage] = []

    @property
    def left(self) -> int:
        """Searches left."""
        return self.limit - len(self.asked)

    def search(self, query: str) -> Generator[str, list[SeenPassage], None]:
        """Search once, unless no search is left or the query was asked before."""
        if self.left > 0 and query not in self.asked:
            self.asked.append(query)
            found = yield query
            self.seen.extend(passage for passage in found if passage not in self.seen)

    def best(self, name: str, kind: str, least: float = _GOOD_FIT) -> SeenPassage | None:
        """Return the seen passage whose title fits a name best, if one fits at least so well."""
        fits = [
            (title_fit(name, passage.title, passage.text) + _kind_bonus(kind, passage), -order)
            for order, passage in enumerate(self.seen)
        ]
        if not fits or max(fits)[0] < least:
            return None
        return self.seen[-max(fits)[1]]

    def find(self, name: str, kind: str, spare: bool) -> Generator[str, list[SeenPassage], None]:
        """Search for a name until a passage fits; a second search only when it can be spared."""
        if self.best(name, kind, _SURE_FIT) is None:
            hint = f" {kind}" if kind and kind not in fold(name).split() else ""
            yield from self.search(name + hint)
        if spare and self.best(name, kind) is None:
            yield from self.search(name)


def _kind_bonus(kind: str, passage: SeenPassage) -> float:
    words = kind.split()
    return 0.3 if words and words[-1] in fold(f"{passage.title} {passage.text[:250]}") else 0.0


def chase(branch: Branch, notes: Notebook, reserved: int = 0) -> Steps:
    """Follow a branch up to its last relation, whose passage is returned unread.

    Args:
        branch: Where to start and what to read.
        notes: What was seen; filled on the way.
        reserved: Searches to leave for another branch.
    """
    name, kind = branch.entity, branch.kind
    for step, relation in enumerate(branch.relations[:-1]):
        needed = len(branch.relations) - step - 1 + reserved
        yield from notes.find(name, kind, spare=notes.left > needed + 1)
        value = _read(relation, name, notes.best(name, kind), notes)
        if value is None and notes.left > needed:
            yield from notes.search(f"{name} {relation}")
            value = _read(relation, name, notes.best(name, kind), notes)
        if value is None:
            return Node(name, notes.best(name, kind), False)
        name, kind = value, _ROLE_HINTS.get(relation, "")
    yield from notes.find(name, kind, spare=notes.left > reserved + 1)
    passage = notes.best(name, kind)
    return Node(name, passage, passage is not None)


def _read(relation: str, name: str, passage: SeenPassage | None, notes: Notebook) -> str | None:
    value = read_relation(relation, passage.text) if passage else None
    if value is not None and fold(value) != fold(name):
        return value
    for other in notes.seen:
        if other != passage and read_inverse(relation, _bare_words(name), tidy(other.text)):
            return _bare_words(other.title)
    return None


def _bare_words(name: str) -> str:
    return re.sub(r" ?\([^()]*\)", "", name).strip()


def answer_steps(question: ChainQuestion, limit: int) -> Generator[str, list[SeenPassage], str]:
    """Yield searches, take what each found, and return the answer.

    Args:
        question: What is asked.
        limit: Searches that the episode allows.
    """
    notes = Notebook(limit)
    if question.goal == "value":
        return (yield from _value_steps(question.branches[0], notes))
    nodes = []
    for index, branch in enumerate(question.branches):
        later = sum(len(other.relations) for other in question.branches[index + 1 :])
        nodes.append((yield from chase(branch, notes, reserved=later)))
    return _compare(question, nodes)


def _value_steps(branch: Branch, notes: Notebook) -> Generator[str, list[SeenPassage], str]:
    node = yield from chase(branch, notes)
    relation = branch.relations[-1] if branch.relations else ""
    value = _read(relation, node.name, node.passage, notes) if node.complete else None
    if value is None and node.complete and notes.left:
        yield from notes.search(f"{node.name} {relation.replace('_', ' ')}")
        value = _read(relation, node.name, node.passage, notes)
    if value is None:
        return _guess(relation, node, notes)
    if relation in _PEOPLE and notes.left:
        yield from notes.search(value)
    return _full_name(value, notes) if relation in _PEOPLE else value


def _guess(relation: str, node: Node, notes: Notebook) -> str:
    """Return a related place, or what a passage that mentions the entity says, or the entity."""
    if node.passage is not None and relation.endswith("_place"):
        countries = sorted(home_countries(node.passage.text))
        found = read_relation("birth_place", node.passage.text)
        if found or countries:
            return found or countries[0]
    if node.passage is None:
        for passage in notes.seen:
            mentions = fold(_bare_words(node.name)) in fold(passage.text)
            found = read_relation(relation, passage.text) if mentions else None
            if found and fold(found) != fold(node.name):
                return found
    return _bare_words(node.name)


def _full_name(name: str, notes: Notebook) -> str:
    """Return the title under which a person was seen, if that is plainly the same name."""
    wanted = set(fold(name).split())
    for passage in notes.seen:
        title = _bare_words(passage.title)
        if len(wanted) > 1 and wanted == set(fold(title).split()):
            return title
    return name


def _compare(question: ChainQuestion, nodes: list[Node]) -> str:
    relation = question.branches[0].relations[-1]
    if question.goal == "same":
        left, right = (_shared_kind(relation, node) for node in nodes)
        return "no" if left and right and not left & right else "yes"
    values = [_measure(relation, node) for node in nodes]
    first, second = values
    if first is None or second is None:
        index = int(first is None and second is not None)
    else:
        wants_high = question.goal in ("latest", "longest")
        index = int(second > first if wants_high else second < first)
    return question.branches[index].entity


def _shared_kind(relation: str, node: Node) -> set[str]:
    """Return what two ends are compared by: countries, or the parts of a birth place."""
    if node.passage is None or not node.complete:
        return set()
    if relation == "birth_place":
        place = read_relation(relation, node.passage.text)
        return {fold(part) for part in place.split(",")} if place else set()
    return home_countries(node.passage.text)


def _measure(relation: str, node: Node) -> tuple[float, ...] | None:
    """Return a date as a key, or a life in days; None where it was not found."""
    if node.passage is None or not node.complete:
        return None
    if relation != "life":
        found = read_when(relation, node.passage.text)
        return found.key if found else None
    born = read_when("birth_date", node.passage.text)
    died = read_when("death_date", node.passage.text)
    return (_days(died) - _days(born),) if born and died else None


def _days(date: Dated) -> float:
    year, month, day = date.key
    return year * 365.25 + (month or 6) * 30.4 + day


def read_answer(question: str, passage_text: str) -> str | None:
    """Return what one passage says of the last thing a question asks for, or None.

    Comparisons have no answer in one passage.

    >>> read_answer("Where was Mira Tol born?", "Mira Tol was born in Oslo.")
    'Oslo'
    """
    parsed = parse_question(question)
    relations = parsed.branches[0].relations
    if parsed.goal != "value" or not relations:
        return None
    return read_relation(relations[-1], passage_text)


class EntityChain(SearchPolicy):
    """Follows the chain of entities that a question names; replays it from the context each turn.

    Args:
        max_searches: Searches that an episode allows.
        action_format: "tags" or "tool_call".
    """

    def __init__(self, max_searches: int = 4, action_format: str = "tags") -> None:
        super().__init__(action_format)
        self.max_searches = max_searches

    def say(self, context: Context) -> str:
        """Return the turn."""
        steps = answer_steps(parse_question(question_of(context)), self.max_searches)
        try:
            query = next(steps)
            for found in shown_passages(context):
                query = steps.send(found)
        except StopIteration as end:
            return self.answer(end.value)
        return self.search(query)


def entity_chain(env: Any) -> EntityChain:
    """Make `EntityChain` for an environment, with as many searches as it allows."""
    return EntityChain(env.unwrapped.max_searches, env.unwrapped.action_format)
