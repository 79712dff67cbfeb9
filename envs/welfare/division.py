"""Classical divisions: a budget among recipients with concave utilities, and items with values.

Both end when everything is given; utilities add up over the rounds or items.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

NAMES = (
    "Ada", "Bram", "Chloe", "Dario", "Edda", "Farid", "Greta", "Hugo", "Inez", "Jonas", "Kaya",
    "Lars",
)  # fmt: skip
Division: TypeAlias = Literal["budget", "indivisible"]
_NEED_SPREAD = 0.6
_LARGEST_VALUE = 100
TOLERANCE = 1e-6
"""Relative: how far the amounts of a round may be from the budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DivisionRules:
    """What is to be divided among whom.

    Raises:
        ValueError: If a figure is out of its range.
    """

    recipients: int = 6
    rounds: int = 1
    """Budgets to divide, one after another; for items, how many items."""
    budget: float = 100.0
    """Amount of each round."""
    curvature: float = 0.5
    """Exponent of the utility of money, above 0, at most 1."""
    spare_turns: int = 10
    """Turns beyond the rounds, for those that give nothing."""

    def __post_init__(self) -> None:
        """Check the figures."""
        if not 2 <= self.recipients <= len(NAMES):
            raise ValueError(f"expected 2 to {len(NAMES)} recipients, got {self.recipients}")
        if self.rounds < 1 or self.spare_turns < 0:
            raise ValueError(
                "expected at least 1 round or item and spare_turns of at least 0, got "
                f"{self.rounds} and {self.spare_turns}"
            )
        if not (0 < self.budget < 1e12 and 0 < self.curvature <= 1):
            raise ValueError(
                "expected a budget above 0 and a curvature above 0 and at most 1, got "
                f"{self.budget} and {self.curvature}"
            )

    @property
    def max_turns(self) -> int:
        """The turns that an episode may take."""
        return self.rounds + self.spare_turns


def draw_worth(kind: Division, rules: DivisionRules, flow: int) -> NDArray[np.float64]:
    """Return what a flow's rounds or items are worth: (rounds, recipients).

    Budget: need w of each recipient in each round, log-normal, two digits; the utility of an
    amount x is w * x**curvature. Items: whole numbers from 1 to 100.
    """
    rng = np.random.default_rng(flow)
    shape = (rules.rounds, rules.recipients)
    if kind == "indivisible":
        return rng.integers(1, _LARGEST_VALUE + 1, size=shape).astype(np.float64)
    needs: NDArray[np.float64] = np.exp(_NEED_SPREAD * rng.standard_normal(shape))
    return np.maximum(np.round(needs, 2), 0.01)


class Divisions:
    """Draws the worlds of one kind of division.

    Args:
        kind: "budget" or "indivisible".
        rules: What is divided among whom.
    """

    def __init__(self, kind: Division, rules: DivisionRules) -> None:
        self.kind = kind
        self.rules = rules
        self._worth = lru_cache(maxsize=256)(self._draw)

    def _draw(self, flow: int) -> tuple[tuple[float, ...], ...]:
        return tuple(map(tuple, draw_worth(self.kind, self.rules, flow).tolist()))

    def begin(self, flow: int) -> DivisionState:
        """Return a division of which nothing is given yet."""
        return DivisionState(self._worth(flow), self.rules)

    def __reduce__(self) -> tuple[type[Divisions], tuple[Division, DivisionRules]]:
        """Pickle the rules alone: the rest follows from them."""
        return type(self), (self.kind, self.rules)


@dataclass(slots=True)
class DivisionState:
    """A division under way.

    Args:
        worth: Need or value by round or item, and recipient.
        rules: What is divided among whom.
    """

    worth: tuple[tuple[float, ...], ...]
    rules: DivisionRules
    round: int = 0
    utilities: list[float] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    """Who got each item so far."""
    amounts: list[tuple[float, ...]] = field(default_factory=list)
    """How each budget so far was divided."""

    def __post_init__(self) -> None:
        """Begin: nobody has anything."""
        self.utilities = [0.0] * len(self.worth[0])

    @property
    def ended(self) -> bool:
        """Whether everything is given."""
        return self.round == len(self.worth)

    def give(self, recipient: int) -> float:
        """Give the current item to a recipient; return its value to them."""
        value = self.worth[self.round][recipient]
        self.utilities[recipient] += value
        self.owners.append(recipient)
        self.round += 1
        return value

    def divide(self, amounts: Sequence[float]) -> None:
        """Divide the round's budget: one amount of at least 0 for each recipient."""
        needs = np.array(self.worth[self.round])
        earned = needs * np.power(np.asarray(amounts, dtype=np.float64), self.rules.curvature)
        self.utilities = (np.array(self.utilities) + earned).tolist()
        self.amounts.append(tuple(float(amount) for amount in amounts))
        self.round += 1


def amounts_of(shares: NDArray[np.float64], budget: float) -> NDArray[np.float64]:
    """Return the amounts that shares of at least 0 (..., n) mean; all zeros mean equal shares."""
    total = shares.sum(axis=-1, keepdims=True)
    n = shares.shape[-1]
    safe = np.where(total > 0, total, 1.0)
    amounts: NDArray[np.float64] = budget * np.where(total > 0, shares / safe, 1.0 / n)
    return amounts


def whole_numbers(actions: Any) -> NDArray[np.int64]:
    """Return choices as whole numbers, -1 for whatever is none (NaN, fractions, anything else)."""
    given = np.asarray(actions)
    if given.dtype.kind in "iu":
        return given.astype(np.int64)
    if given.dtype.kind != "f":
        return np.full(given.shape, -1, dtype=np.int64)
    whole = np.abs(given) < 2**31
    rounded = np.where(whole, given, -1.0).astype(np.int64)
    return np.where(whole & (rounded == given), rounded, -1)
