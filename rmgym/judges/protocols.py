"""What judges compare beside a rubric: pairs of answers, and slates of them under a principle.

`rmgym.protocols.Judge` grades one transcript at a time. A pairwise judge prefers one of two
answers; a listwise judge orders several. Both face the same guard as every other judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from rmgym.errors import JudgeError
from rmgym.messages import Message

Transcript: TypeAlias = Sequence[Message]


class BudgetExceeded(JudgeError):
    """Raised before a call that a judge's budget does not cover; the verdicts so far are cached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two answers to one question."""

    question: str
    first: str
    second: str
    reference: str | None = None
    """A good answer that the judge may compare with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Which of two answers is better."""

    scores: tuple[float, float]
    """Of the first and the second: 1 and 0, 0 and 1, or 0.5 each; 0 for an answer turned away."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slate:
    """Several answers to one question, to be ordered.

    Raises:
        ValueError: If there is no answer.
    """

    question: str
    answers: Mapping[str, str]
    """By name; a judge does not get to see the names."""
    principle: str = ""
    """What makes an answer good, in plain language."""

    def __post_init__(self) -> None:
        """Check that there is something to order."""
        if not self.answers:
            raise ValueError("expected at least one answer to rank, got none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """How good each answer of a slate is."""

    scores: Mapping[str, float]
    """By name, on the judge's own scale."""
    order: tuple[str, ...]
    """Names, best first."""
    refused: tuple[str, ...] = ()
    """Names that the guard turned away: they stand last, with the lowest score."""
    reason: str = ""


@runtime_checkable
class PairJudge(Protocol):
    """Prefers one of two answers."""

    def compare(self, pairs: Sequence[Pair]) -> list[Preference]:
        """Return one preference per pair.

        Raises:
            JudgeError: If the judge gives no usable preference.
        """
        ...


@runtime_checkable
class ListJudge(Protocol):
    """Orders answers."""

    def rank(self, slates: Sequence[Slate]) -> list[Ranking]:
        """Return one ranking per slate.

        Raises:
            JudgeError: If the judge gives no usable ranking.
        """
        ...
