"""What an entity of an invented world is, and how many of each kind there are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from rmgym.envs.search.world_names import Dice, words

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


class ByYear:
    """Entities sorted by a year, to draw one that was there in time."""

    def __init__(self, entities: Sequence[Entity], relation: str) -> None:
        self._entities = sorted(entities, key=lambda entity: entity.year(relation))
        self._years = [entity.year(relation) for entity in self._entities]

    def pick_until(self, year: int, dice: Dice, *, since: int = -1) -> Entity | None:
        """Return one whose year lies after `since` and not after `year`, if there is one."""
        low, high = bisect_right(self._years, since), bisect_right(self._years, year)
        return self._entities[dice.between(low, high - 1)] if high > low else None
