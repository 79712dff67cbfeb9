"""What the benchmark found, in a form to print, store and draw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmgym.credit.agreement import Agreement
from rmgym.credit.schemes import Scheme
from rmgym.credit.values import NORMAL_95

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What was spent."""

    episodes: int
    group: int
    """Attempts at each task."""
    turns: int
    replays_per_state: int
    replays: int
    """Episodes played on to their ends, those of the oracle included."""
    replayed_turns: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrueValues:
    """What each of N turns was worth, as measured."""

    values: Floats
    """Value after the turn minus value before, in units of the outcome; shape (N,)."""
    errors: Floats
    """Standard errors over the replays in pairs."""
    unpaired_errors: Floats
    """The same without common random numbers."""
    tasks: NDArray[np.int64]
    """Number of the task of each turn: what is resampled as a whole."""
    episodes: NDArray[np.int64]
    """Number of the episode of each turn."""
    last: NDArray[np.bool_]
    """Whether the turn ended its episode."""
    first_value: float
    """Mean value of the first states: the policy's expected outcome."""

    @property
    def clear(self) -> float:
        """Share of the turns whose 95 % interval excludes 0."""
        return float((np.abs(self.values) > NORMAL_95 * self.errors).mean())

    @property
    def variance_saved(self) -> float:
        """How many times the replays common random numbers stand for; NaN if no replay varies."""
        paired = float((self.errors**2).mean())
        return float((self.unpaired_errors**2).mean()) / paired if paired else math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A scheme with its agreement."""

    scheme: Scheme
    agreement: Agreement
    """Over all turns."""
    before_end: Agreement | None
    """Over the turns that do not end an episode; None if there are none."""

    @property
    def score(self) -> float:
        """Spearman over all turns, to sort by; minus infinity where it is not defined."""
        return self.agreement.spearman.value if self.agreement.spearman else -math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditReport:
    """The benchmark's result."""

    env_id: str
    outcome: str
    seed: int
    budget: Budget
    truth: TrueValues
    ranked: tuple[Ranked, ...]
    """Best agreement first."""
    left_out: Mapping[str, str]
    """Why a combination of estimator and reward could not be computed."""

    @property
    def best(self) -> Ranked | None:
        """The best scheme that is neither baseline nor oracle; None if none has an agreement."""
        return next((row for row in self._real if row.agreement.spearman), None)

    @property
    def best_before_end(self) -> Ranked | None:
        """The best of them over the turns that do not end an episode."""
        scored = [
            (row.before_end.spearman.value, row)
            for row in self._real
            if row.before_end and row.before_end.spearman
        ]
        return max(scored, key=lambda pair: pair[0])[1] if scored else None

    @property
    def _real(self) -> list[Ranked]:
        return [row for row in self.ranked if row.scheme.kind in ("reward", "estimator")]

    @property
    def note(self) -> str:
        """What the reader must know before the ranking; empty if nothing."""
        if np.ptp(self.truth.values) == 0:
            return (
                "every turn was worth the same: where neither the policy nor the world draws "
                "anything, a turn changes nothing that was not certain before it; no credit can be "
                "ranked here, take a policy that draws"
            )
        return ""

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON data, the credit of every turn included."""
        truth = self.truth
        return {
            "env_id": self.env_id,
            "outcome": self.outcome,
            "seed": self.seed,
            "budget": asdict(self.budget),
            "first_value": truth.first_value,
            "clear_turns": truth.clear,
            "variance_saved": None if math.isnan(truth.variance_saved) else truth.variance_saved,
            "note": self.note,
            "schemes": [_row(row) for row in self.ranked],
            "left_out": dict(self.left_out),
            "turns": {
                "task": truth.tasks.tolist(),
                "episode": truth.episodes.tolist(),
                "last": truth.last.tolist(),
                "value": truth.values.tolist(),
                "error": truth.errors.tolist(),
                "credit": {row.scheme.name: row.scheme.credit.tolist() for row in self.ranked},
            },
        }


def _row(row: Ranked) -> dict[str, Any]:
    return {
        "name": row.scheme.name,
        "kind": row.scheme.kind,
        "granted": row.scheme.granted,
        "seconds_per_turn": row.scheme.seconds,
        "scorer_calls_per_turn": row.scheme.scorer_calls,
        "all_turns": asdict(row.agreement),
        "before_end": asdict(row.before_end) if row.before_end else None,
    }
