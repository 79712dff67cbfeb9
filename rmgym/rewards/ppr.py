"""Principle process reward with ReNorm (PPR).

Source: abstract and reviews of the paper. Confidence: reconstructed; the offset is a parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.protocols import Grant, RewardTerm
from rmgym.rewards.answers import ExactMatch
from rmgym.rewards.facts import EventScore, finite, outcome_value, within_all
from rmgym.rewards.hindsight import totals, turn_values
from rmgym.trajectory import Context

OFFSET = 0.5


def renorm(process: Sequence[float], outcome: float, offset: float = OFFSET) -> list[float]:
    """Return (p_t - offset) + (o - offset) for each process score p_t from 0 to 1.

    With offset 1/2 a right answer keeps its process scores and a wrong one gets them minus 1. The
    offset is a constant, not learnt.

    >>> renorm([0.75, 0.25], outcome=0.0)
    [-0.25, -0.75]
    """
    scores = within_all("process", process, 0.0, 1.0)
    shift = finite("outcome", outcome) - 2 * finite("offset", offset)
    return [score + shift for score in scores]


@dataclass(frozen=True, slots=True)
class PrincipleProcess:
    """PPR: each turn's process score, normalised by the outcome; known at the end (`Hindsight`).

    Range: a turn 0 to 1 if the answer is right, -1 to 0 if it is wrong. Needs: a process score
    per turn, `event["process_score"]` unless another turn term is given, and an outcome term from 0
    to 1. Equation: r_t = p_t + o - 2 * offset.
    """

    process: RewardTerm = EventScore("process_score", name="process_score")  # noqa: RUF009
    outcome: RewardTerm = ExactMatch()  # noqa: RUF009
    offset: float = OFFSET
    name: str = "ppr"

    @property
    def grant(self) -> Grant:
        """The total is granted at the end; `per_turn` says which turn earned what."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return the total of each context."""
        return totals(self.per_turn(contexts))

    def per_turn(self, contexts: Sequence[Context]) -> list[list[float | None]]:
        """Return the reward of each turn; None where there is no process score."""
        outcomes = outcome_value(self.outcome, contexts)
        rows = turn_values(self.process, contexts)
        return [self._shift(row, o) for row, o in zip(rows, outcomes, strict=True)]

    def _shift(self, row: Sequence[float | None], outcome: float) -> list[float | None]:
        return [None if p is None else renorm([p], outcome, self.offset)[0] for p in row]
