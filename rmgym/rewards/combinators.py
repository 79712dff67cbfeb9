"""Rewards made of rewards: sums, products, gates, bounds, orders, schedules.

Each is itself a reward term over terms, so they nest. A part that fails is an error with the
part's name, never a 0. None stays "does not apply": a sum leaves such a part out, a product, gate
or order then does not apply either. An outcome-granted part does not apply before the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmgym.errors import RewardError
from rmgym.protocols import Grant, RewardTerm, Score
from rmgym.rewards.facts import evaluate, finite, outcome_value, within
from rmgym.rewards.hindsight import Hindsight, totals, turn_values
from rmgym.trajectory import Context

GateMode: TypeAlias = Literal["none", "positive_only", "renorm", "scale"]
Schedule: TypeAlias = Callable[[int], float]
"""A weight as a function of the training step."""


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """The weighted sum of the parts that apply; None where none does."""

    parts: tuple[tuple[RewardTerm, float], ...]
    name: str = "weighted_sum"

    def __post_init__(self) -> None:
        """Check that there are parts, and that their weights are finite."""
        _check_parts(self.name, [term for term, _ in self.parts])
        for term, weight in self.parts:
            finite(f"the weight of {term.name!r}", weight)

    @property
    def grant(self) -> Grant:
        """Scored at every turn if a part is."""
        return _joint_grant(term for term, _ in self.parts)

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        """Return one sum per context."""
        columns = [_applied(term, contexts, self.grant) for term, _ in self.parts]
        weights = [weight for _, weight in self.parts]
        return [_sum(row, weights) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, slots=True)
class Product:
    """The product of the parts; None where one does not apply."""

    parts: tuple[RewardTerm, ...]
    name: str = "product"

    def __post_init__(self) -> None:
        """Check that there are parts."""
        _check_parts(self.name, self.parts)

    @property
    def grant(self) -> Grant:
        """Scored at every turn if a part is."""
        return _joint_grant(self.parts)

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        """Return one product per context."""
        columns = [_applied(term, contexts, self.grant) for term in self.parts]
        return [_fold(row, _product) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, slots=True)
class Clip:
    """A part held between two bounds."""

    part: RewardTerm
    low: float = -1.0
    high: float = 1.0
    name: str = "clip_range"

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not finite("low", self.low) <= finite("high", self.high):
            raise RewardError(f"expected low <= high, got {self.low} and {self.high}")

    @property
    def grant(self) -> Grant:
        """That of the part."""
        return self.part.grant

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        """Return one bounded score per context."""
        return [_mapped(s, self._bounded) for s in evaluate(self.part, contexts)]

    def _bounded(self, value: float) -> float:
        return min(max(value, self.low), self.high)


@dataclass(frozen=True, slots=True)
class Lexicographic:
    """A strict order in one number: t_1 (1 + t_2 (1 + ... t_n)).

    Tiers but the last are gates and must be exactly 0 or 1, the last is from 0 to 1; then no score
    in a later tier makes up for a lost earlier one. Range: 0 to the number of tiers.
    """

    tiers: tuple[RewardTerm, ...]
    name: str = "lexicographic"

    def __post_init__(self) -> None:
        """Check that there are tiers."""
        _check_parts(self.name, self.tiers)

    @property
    def grant(self) -> Grant:
        """Scored at every turn if a tier is."""
        return _joint_grant(self.tiers)

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        """Return one score per context."""
        columns = [_applied(term, contexts, self.grant) for term in self.tiers]
        return [_fold(row, self._nested) for row in zip(*columns, strict=True)]

    def _nested(self, values: Sequence[float]) -> float:
        for term, value in zip(self.tiers[:-1], values[:-1], strict=True):
            if value not in (0.0, 1.0):
                raise RewardError(f"expected a gate of 0 or 1 from {term.name!r}, got {value}")
        total = within(f"the score of {self.tiers[-1].name!r}", values[-1], 0.0, 1.0)
        for value in reversed(values[:-1]):
            total = value * (1.0 + total)
        return total


def gate(
    value: float,
    outcome: float,
    mode: GateMode,
    *,
    right: float = 1.0,
    wrong: float = 0.5,
    offset: float = 0.5,
) -> float:
    """Return a score as the outcome (0 to 1) lets it through.

    | mode | value | seen in |
    |---|---|---|
    | none | x | CaRR's server mix: wrong answers earn it, too |
    | positive_only | x if outcome >= 0.5 else min(x, 0) | C-GRPO |
    | renorm | x + outcome - 2 offset | PPR |
    | scale | right x if outcome >= 0.5 else wrong x | R3-RAG (1.6 and 0.8) |
    """
    value, outcome = finite("value", value), within("outcome", outcome, 0.0, 1.0)
    is_right = outcome >= 0.5
    if mode == "none":
        return value
    if mode == "positive_only":
        return value if is_right else min(value, 0.0)
    if mode == "renorm":
        return value + outcome - 2.0 * finite("offset", offset)
    if mode == "scale":
        return value * finite("factor", right if is_right else wrong)
    raise RewardError(f"expected a mode of none, positive_only, renorm or scale, got {mode!r}")


@dataclass(frozen=True, slots=True)
class Gate:
    """A part as the outcome lets it through (see `gate`).

    A turn-granted part becomes a `Hindsight`: the total is granted at the end, `per_turn` says
    which turn earned what.
    """

    part: RewardTerm
    outcome: RewardTerm
    mode: GateMode = "positive_only"
    right: float = 1.0
    """Factor of a right answer in mode "scale"."""
    wrong: float = 0.5
    """Factor of a wrong one."""
    offset: float = 0.5
    """Offset in mode "renorm"."""
    name: str = "gate"

    @property
    def grant(self) -> Grant:
        """Known when the outcome is."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one score per context: for a turn-granted part, the total over its turns."""
        return totals(self.per_turn(contexts))

    def per_turn(self, contexts: Sequence[Context]) -> list[list[float | None]]:
        """Return the reward of each turn; an outcome-granted part stands on the last one."""
        outcomes = outcome_value(self.outcome, contexts)
        rows = [self._gated(row, o) for row, o in zip(self._rows(contexts), outcomes, strict=True)]
        return rows

    def _rows(self, contexts: Sequence[Context]) -> list[list[float | None]]:
        if isinstance(self.part, Hindsight):
            return self.part.per_turn(contexts)
        if self.part.grant == "turn":
            return turn_values(self.part, contexts)
        scores = evaluate(self.part, contexts)
        return [_at_end(c, s.value) for c, s in zip(contexts, scores, strict=True)]

    def _gated(self, row: Sequence[float | None], outcome: float) -> list[float | None]:
        return [None if value is None else self._through(value, outcome) for value in row]

    def _through(self, value: float, outcome: float) -> float:
        return gate(
            value, outcome, self.mode, right=self.right, wrong=self.wrong, offset=self.offset
        )


@dataclass(frozen=True, slots=True)
class LinearSchedule:
    """A weight that goes linearly from `first` to `last` over `steps` training steps."""

    first: float
    last: float
    steps: int

    def __post_init__(self) -> None:
        """Check the number of steps."""
        if self.steps < 1:
            raise RewardError(f"expected at least one training step, got {self.steps}")

    def __call__(self, step: int) -> float:
        """Return the weight at a training step, from 0."""
        share = min(max(step / self.steps, 0.0), 1.0)
        return (1.0 - share) * self.first + share * self.last


@dataclass(frozen=True, slots=True)
class Curriculum:
    """A weighted sum whose weights follow the training step, e.g. IGPO's option.

    The step is data of the term, so that the term stays a pure function: take `at(step)` for the
    next batch.
    """

    parts: tuple[tuple[RewardTerm, Schedule], ...]
    step: int = 0
    name: str = "curriculum"

    def __post_init__(self) -> None:
        """Check that there are parts, and the step."""
        _check_parts(self.name, [term for term, _ in self.parts])
        if self.step < 0:
            raise RewardError(f"expected a training step of at least 0, got {self.step}")

    @property
    def grant(self) -> Grant:
        """Scored at every turn if a part is."""
        return _joint_grant(term for term, _ in self.parts)

    def at(self, step: int) -> Curriculum:
        """Return the term at another training step."""
        return replace(self, step=step)

    def weights(self) -> dict[str, float]:
        """Return the weight of each part at this step."""
        return {
            term.name: finite(f"the weight of {term.name!r}", schedule(self.step))
            for term, schedule in self.parts
        }

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        """Return one sum per context."""
        pairs = zip(self.parts, self.weights().values(), strict=True)
        return WeightedSum(tuple((term, w) for (term, _), w in pairs), self.name)(contexts)


def normalise_columns(
    columns: Mapping[str, Sequence[float]], *, ddof: int = 1, eps: float = 1e-6
) -> dict[str, NDArray[np.float64]]:
    """Return each reward column of a group as (x - mean) / (std + eps), as GDPO does first.

    So that a term with a wide range does not drown the others. Needs the rewards of a whole group,
    hence no reward term. A column of one value is 0.

    Args:
        columns: Rewards of the group's rollouts, by term.
        ddof: Degrees of freedom that the standard deviation leaves out.
        eps: Added to it.

    Raises:
        RewardError: If columns differ in length or hold something not finite; names the column.
    """
    found: dict[str, NDArray[np.float64]] = {}
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) > 1:
        raise RewardError(f"expected columns of one length, got {sizes}")
    for name, column in columns.items():
        values = np.asarray(column, dtype=np.float64)
        if not np.isfinite(values).all():
            raise RewardError(f"expected finite rewards in column {name!r}, got {list(column)}")
        centred = values - values.mean() if values.size else values
        spread = values.std(ddof=ddof) if values.size > ddof else 0.0
        found[name] = centred / (spread + eps)
    return found


def _check_parts(name: str, parts: Iterable[RewardTerm]) -> None:
    names = [part.name for part in parts]
    if not names or len(set(names)) < len(names):
        raise RewardError(f"{name!r}: expected parts with distinct names, got {names}")


def _joint_grant(parts: Iterable[RewardTerm]) -> Grant:
    return "turn" if any(part.grant == "turn" for part in parts) else "outcome"


def _applied(term: RewardTerm, contexts: Sequence[Context], grant: Grant) -> list[Score]:
    """Return a part's scores; an outcome part among turn parts waits for the end."""
    if term.grant == grant:
        return evaluate(term, contexts)
    ended = [i for i, context in enumerate(contexts) if context.last.ended]
    scores = [Score(None) for _ in contexts]
    if ended:
        for i, score in zip(ended, evaluate(term, [contexts[i] for i in ended]), strict=True):
            scores[i] = score
    return scores


def _at_end(context: Context, value: float | None) -> list[float | None]:
    row: list[float | None] = [None] * len(context.turns)
    row[-1] = value
    return row


def _metrics(row: Iterable[Score]) -> dict[str, float]:
    return {key: value for score in row for key, value in score.metrics.items()}


def _sum(row: Sequence[Score], weights: Sequence[float]) -> Score:
    kept = [w * s.value for s, w in zip(row, weights, strict=True) if s.value is not None]
    return Score(sum(kept) if kept else None, _metrics(row))


def _fold(row: Sequence[Score], combine: Callable[[Sequence[float]], float]) -> Score:
    values = [score.value for score in row if score.value is not None]
    return Score(combine(values) if len(values) == len(row) else None, _metrics(row))


def _product(values: Sequence[float]) -> float:
    total = 1.0
    for value in values:
        total *= value
    return total


def _mapped(score: Score, change: Callable[[float], float]) -> Score:
    return Score(None if score.value is None else change(score.value), score.metrics)
