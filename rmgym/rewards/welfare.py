"""Social-welfare objectives: how good is a division, in one number, and as reward terms.

A utility vector holds what each recipient got, 0 or more. Every objective here is 0 when nobody
has anything, so the gains of the turns of an episode sum to its value at the end. Terms read
`event["utilities"]`, and `swf` reads `event["swf"]`, which environments state at every turn.

Sources: Atkinson 1970 (index and equally distributed equivalent), Nash 1950, Sen 1976 (mean times
one minus Gini), Mo and Walrand 2000 (alpha-fairness); the Social Welfare Function benchmark (arXiv
2510.01164) for (1 - Gini) times return on cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmgym.errors import RewardError
from rmgym.protocols import Grant
from rmgym.rewards.facts import event_fact, finite
from rmgym.trajectory import Context, Turn

Floats: TypeAlias = NDArray[np.float64]
Measure: TypeAlias = Callable[[Floats], Floats]
"""From utilities (..., n) to their worth (...)."""

POINTS = 100
"""What a solved task pays, in the points of the benchmark."""
_GRID = float(1 << 24)


def on_grid(value: Any) -> Any:
    """Return a number, or an array, rounded to a multiple of 2**-24 (6e-8).

    Differences and sums of such numbers below 2**29 are exact in double precision, so rewards that
    are differences of objectives telescope to the end value without any rounding.

    >>> on_grid(0.1) == 0.1, abs(on_grid(0.1) - 0.1) < 2**-25
    (False, True)
    """
    return np.round(value * _GRID) / _GRID if isinstance(value, np.ndarray) else _rounded(value)


def _rounded(value: float) -> float:
    return round(value * _GRID) / _GRID


def gini(shares: ArrayLike) -> Floats:
    """Return the Gini index along the last axis: 0 for equal shares, (n - 1)/n for one holder.

    All zeros count as equal. Equation: sum over pairs of |x_i - x_j|, over n times the sum.

    >>> float(gini([3, 3, 3])), float(gini([0, 0, 0, 8]))
    (0.0, 0.75)
    """
    values = np.sort(np.asarray(shares, dtype=np.float64), axis=-1)
    n = values.shape[-1]
    ranks = 2.0 * np.arange(1, n + 1) - n - 1.0
    total = values.sum(axis=-1)
    spread = (values * ranks).sum(axis=-1)
    index: Floats = spread / np.where(total > 0, n * total, 1.0)
    return index


def utilitarian(utilities: Floats) -> Floats:
    """Return the sum of utilities."""
    total: Floats = utilities.sum(axis=-1)
    return total


def egalitarian(utilities: Floats) -> Floats:
    """Return the smallest utility; `leximin_key` orders divisions that tie in it."""
    least: Floats = utilities.min(axis=-1)
    return least


def leximin_key(utilities: Sequence[float]) -> tuple[float, ...]:
    """Return the utilities in rising order: the larger tuple is the fairer division.

    >>> leximin_key([5, 1, 2]) > leximin_key([1, 9, 1])
    True
    """
    return tuple(sorted(utilities))


def nash(utilities: Floats) -> Floats:
    """Return the geometric mean of the utilities; 0 where someone has nothing."""
    positive = (utilities > 0).all(axis=-1)
    logs = np.log(np.where(utilities > 0, utilities, 1.0))
    mean: Floats = np.where(positive, np.exp(logs.mean(axis=-1)), 0.0)
    return mean


def nash_key(utilities: Sequence[float]) -> tuple[int, float]:
    """Return how many have something, and the product of what they have: larger is better."""
    positive = [utility for utility in utilities if utility > 0]
    return len(positive), float(np.prod(positive)) if positive else 0.0


def alpha_fair(utilities: Floats, alpha: float, floor: float = 0.0) -> Floats:
    """Return sum of U(u + floor) - U(floor) with U(u) = u**(1 - alpha)/(1 - alpha), log at 1.

    alpha 0 is the utilitarian sum; the larger alpha, the more the worst off count. From alpha 1 on
    a utility of 0 would be worth minus infinity: `floor` must then be above 0.

    Raises:
        ValueError: If alpha is negative, or at least 1 without a floor.
    """
    check_alpha(alpha, floor)
    raised = utilities + floor
    if alpha == 1.0:
        each: Floats = np.log(raised) - np.log(floor)
    else:
        power = 1.0 - alpha
        each = (raised**power - floor**power) / power
    worth: Floats = each.sum(axis=-1)
    return worth


def check_alpha(alpha: float, floor: float) -> None:
    """Check the parameters of alpha-fairness.

    Raises:
        ValueError: If alpha is negative, or at least 1 without a floor.
    """
    if not (alpha >= 0 and floor >= 0):
        raise ValueError(f"expected alpha and floor of at least 0, got {alpha} and {floor}")
    if alpha >= 1 and floor == 0:
        raise ValueError(
            f"expected a floor above 0 with alpha {alpha}, got 0: from alpha 1 on, a utility of 0 "
            "is worth minus infinity"
        )


def atkinson_welfare(utilities: Floats, epsilon: float) -> Floats:
    """Return mean times (1 - Atkinson index): the equal utility that would be worth as much.

    Equation: (mean of u**(1 - epsilon))**(1/(1 - epsilon)); the geometric mean at 1; 0 where
    epsilon is at least 1 and someone has nothing.

    Raises:
        ValueError: If epsilon is negative.
    """
    if not epsilon >= 0:
        raise ValueError(f"expected epsilon of at least 0, got {epsilon}")
    if epsilon == 1.0:
        return nash(utilities)
    power = 1.0 - epsilon
    if epsilon < 1:
        equal: Floats = (utilities**power).mean(axis=-1) ** (1.0 / power)
        return equal
    positive = (utilities > 0).all(axis=-1)
    safe = np.where(utilities > 0, utilities, 1.0)
    equal = np.where(positive, (safe**power).mean(axis=-1) ** (1.0 / power), 0.0)
    return equal


def atkinson_index(utilities: Floats, epsilon: float) -> Floats:
    """Return the Atkinson index, 0 (equal) to 1; 0 where nobody has anything."""
    mean = utilities.mean(axis=-1)
    ratio = atkinson_welfare(utilities, epsilon) / np.where(mean > 0, mean, 1.0)
    index: Floats = np.where(mean > 0, 1.0 - ratio, 0.0)
    return index


def gini_welfare(utilities: Floats) -> Floats:
    """Return the mean utility times (1 - Gini)."""
    worth: Floats = utilities.mean(axis=-1) * (1.0 - gini(utilities))
    return worth


def measure_of(name: str, **parameters: float) -> Measure:
    """Return an objective by name, with its parameters set.

    Raises:
        ValueError: If the name is unknown or a parameter does not fit.
    """
    if name not in _MEASURES:
        raise ValueError(f"expected an objective of {sorted(_MEASURES)}, got {name!r}")
    values = {**_DEFAULTS.get(name, {}), **parameters}
    if name == "alpha_fair":
        check_alpha(values["alpha"], values["floor"])
    return partial(_MEASURES[name], **values) if values else _MEASURES[name]


_MEASURES: Mapping[str, Callable[..., Floats]] = {
    "utilitarian": utilitarian,
    "egalitarian": egalitarian,
    "nash": nash,
    "alpha_fair": alpha_fair,
    "atkinson": atkinson_welfare,
    "gini_welfare": gini_welfare,
}
_DEFAULTS: Mapping[str, Mapping[str, float]] = {
    "alpha_fair": {"alpha": 0.5, "floor": 0.0},
    "atkinson": {"epsilon": 0.5},
}


@dataclass(frozen=True, slots=True)
class WelfareTerm:
    """The worth of the division at the end, or what each turn adds to it.

    Range: that of the objective. Needs `event["utilities"]` at every turn; without a measure,
    `event["swf"]`. Granted per turn, it is the change since the turn before, so that the turns of
    an episode sum to the value at the end, exactly.
    """

    name: str
    grant: Grant = "outcome"
    measure: Measure | None = None

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return the raw score of each context's last turn."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        now = self._value(context.turns[-1])
        if self.grant == "outcome" or len(context.turns) == 1:
            return now
        return now - self._value(context.turns[-2])

    def _value(self, turn: Turn) -> float:
        if self.measure is None:
            return _rounded(finite("swf", event_fact(turn, "swf")))
        utilities = np.asarray(event_fact(turn, "utilities"), dtype=np.float64)
        if utilities.ndim != 1 or not len(utilities) or not (utilities >= 0).all():
            raise RewardError(
                f"expected event['utilities'] as numbers of at least 0, got {utilities.tolist()}"
            )
        return _rounded(float(self.measure(utilities)))


def swf(grant: Grant = "outcome", name: str = "swf") -> WelfareTerm:
    """Return (1 - Gini of assignments) times reward over cost, as the benchmark scores a flow."""
    return WelfareTerm(name, grant)


def objective(
    which: str, grant: Grant = "outcome", name: str | None = None, **parameters: float
) -> WelfareTerm:
    """Return the term of an objective, e.g. `objective("alpha_fair", alpha=2.0, floor=1.0)`."""
    return WelfareTerm(name or which, grant, measure_of(which, **parameters))


swf_gain = partial(swf, "turn", "swf_gain")
utilitarian_term = partial(objective, "utilitarian")
utilitarian_gain = partial(objective, "utilitarian", "turn", "utilitarian_gain")
egalitarian_term = partial(objective, "egalitarian")
egalitarian_gain = partial(objective, "egalitarian", "turn", "egalitarian_gain")
nash_term = partial(objective, "nash")
nash_gain = partial(objective, "nash", "turn", "nash_gain")
alpha_fair_term = partial(objective, "alpha_fair")
alpha_fair_gain = partial(objective, "alpha_fair", "turn", "alpha_fair_gain")
atkinson_term = partial(objective, "atkinson")
atkinson_gain = partial(objective, "atkinson", "turn", "atkinson_gain")
gini_welfare_term = partial(objective, "gini_welfare")
gini_welfare_gain = partial(objective, "gini_welfare", "turn", "gini_welfare_gain")


@dataclass(frozen=True, slots=True)
class TaskReturn:
    """Reward over cost of the assignment that the turn made; absent where it made none.

    Range: 0 or more, in points per GPU-second. Needs: `event["solved"]` and `event["cost"]` at
    turns of kind "assign".
    """

    name: str = "task_roi"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return the raw score of each context's last turn."""
        return [_task_return(context.last) for context in contexts]


def _task_return(turn: Turn) -> float | None:
    if event_fact(turn, "kind") != "assign":
        return None
    cost = finite("cost", event_fact(turn, "cost"))
    return POINTS * float(event_fact(turn, "solved")) / cost


@dataclass(frozen=True, slots=True)
class GiniDrop:
    """How far the turn lowered the Gini index of the assignments; sums to minus the last index.

    Range: -1 to 1. Needs `event["gini"]` at every turn. An episode begins with 0: equal shares.
    """

    name: str = "gini_drop"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return the raw score of each context's last turn."""
        return [_gini_before(c) - _rounded(event_fact(c.last, "gini")) for c in contexts]


def _gini_before(context: Context) -> float:
    before = context.turns[-2] if len(context.turns) > 1 else None
    return 0.0 if before is None else _rounded(event_fact(before, "gini"))


@dataclass(frozen=True, slots=True)
class ValueWeights:
    """Weights of the values behind the chosen action, less those behind the other one.

    For dilemmas, where nothing is rewarded unless asked for: `ValueWeights({"honesty": 1.0})` pays
    1 when honesty stands behind the choice alone, -1 when it stands behind the other alone.
    Range: plus or minus the sum of the weights. Needs `event["values"]` and
    `event["values_rejected"]` at turns of kind "choose"; absent at others.
    """

    weights: Mapping[str, float]
    name: str = "values"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return the raw score of each context's last turn."""
        return [self._score(context.last) for context in contexts]

    def _score(self, turn: Turn) -> float | None:
        if event_fact(turn, "kind") != "choose":
            return None
        return self._sum(event_fact(turn, "values")) - self._sum(
            event_fact(turn, "values_rejected")
        )

    def _sum(self, values: Sequence[str]) -> float:
        return sum((self.weights.get(value, 0.0) for value in dict.fromkeys(values)), 0.0)
