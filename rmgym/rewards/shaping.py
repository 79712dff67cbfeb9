"""Clip and Delta: process rewards that repeating idle steps cannot farm.

Source: "On Designing Effective RL Reward at Training Time for LLM Reasoning", arXiv 2410.15115.
Confidence: secondary; eta and the coefficient on the shaped sum are not public to us.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rmgym.protocols import Grant, RewardTerm
from rmgym.rewards.facts import EventScore, evaluate, finite, finite_all
from rmgym.rewards.hindsight import totals, turn_values
from rmgym.trajectory import Context


def clip_process(process: Sequence[float], eta: float) -> list[float]:
    """Return min(r_k - eta, 0): no step pays, a poor one costs.

    >>> clip_process([0.75, 0.25], eta=0.5)
    [0.0, -0.25]
    """
    bound = finite("eta", eta)
    return [min(reward - bound, 0.0) for reward in finite_all("process", process)]


def delta_process(process: Sequence[float]) -> list[float]:
    """Return r_k - r_{k+1} for k < K - 1, then r_{K-1}, then 0 for the last step.

    The rewards from step k < K on sum to r_k. A single step gets 0.

    >>> delta_process([0.75, 0.25, 0.5])
    [0.5, 0.25, 0.0]
    """
    scores = finite_all("process", process)
    if not scores:
        return []
    worth = [*scores[:-1], 0.0]
    return [*(now - later for now, later in pairwise(worth)), 0.0]


def clip_then_delta(process: Sequence[float], eta: float) -> list[float]:
    """Return the difference of neighbours of the clipped rewards."""
    return delta_process(clip_process(process, eta))


def returns_to_go(rewards: Sequence[float]) -> list[float]:
    """Return the undiscounted sum of the rewards from each step on."""
    found: list[float] = []
    total = 0.0
    for reward in reversed(rewards):
        total += reward
        found.append(total)
    return found[::-1]


@dataclass(frozen=True, slots=True)
class ClippedProcess:
    """Clip: a process reward bounded above by 0.

    Range: up to 0; from -eta where process scores are at least 0. Needs: a process score per
    turn, `event["process_score"]` unless another turn term is given. Equation: min(r_k - eta, 0).
    A turn added to an episode never pays.
    """

    eta: float
    process: RewardTerm = EventScore("process_score", name="process_score")  # noqa: RUF009
    name: str = "clip"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one score per context, None where there is no process score."""
        values = [score.value for score in evaluate(self.process, contexts)]
        return [None if v is None else clip_process([v], self.eta)[0] for v in values]


@dataclass(frozen=True, slots=True)
class DeltaProcess:
    """Delta: difference of neighbouring process rewards; known at the end (`Hindsight`).

    Range: a turn within the span of the process scores; the total is the first step's score (0 if
    there is one step only). Needs: as `ClippedProcess`. Equation: `delta_process`, after
    `clip_process` where `eta` is given. Repeating a step moves reward and adds none.
    """

    process: RewardTerm = EventScore("process_score", name="process_score")  # noqa: RUF009
    eta: float | None = None
    name: str = "delta"

    @property
    def grant(self) -> Grant:
        """The total is granted at the end; `per_turn` says which turn earned what."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return the total of each context."""
        return totals(self.per_turn(contexts))

    def per_turn(self, contexts: Sequence[Context]) -> list[list[float | None]]:
        """Return the reward of each turn; None where there is no process score."""
        return [self._shape(row) for row in turn_values(self.process, contexts)]

    def _shape(self, row: Sequence[float | None]) -> list[float | None]:
        steps = [value for value in row if value is not None]
        if self.eta is not None:
            steps = clip_process(steps, self.eta)
        shaped = iter(delta_process(steps))
        return [None if value is None else next(shaped) for value in row]
