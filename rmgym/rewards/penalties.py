"""Length penalties and keyword recall.

`overlong_penalty` is DAPO's soft punishment (arXiv 2503.14476). `length_penalty` generalises it
after the abstract of "Beyond Monolithic Rewards"; its form is ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.errors import RewardError
from rmgym.protocols import Grant, RewardTerm
from rmgym.rewards.answers import ExactMatch
from rmgym.rewards.facts import finite, outcome_value, task_fact
from rmgym.trajectory import Context

_WORD = re.compile(r"\w+")


def overlong_penalty(length: float, limit: float, buffer: float) -> float:
    """Return 0 up to limit - buffer, -1 from the limit on, and linear between, -1 to 0.

    >>> overlong_penalty(90, 100, 20)
    -0.5
    """
    length, limit = finite("length", length), finite("limit", limit)
    buffer = finite("buffer", buffer)
    if not 0 <= buffer <= limit:
        raise RewardError(f"expected 0 <= buffer <= limit, got {buffer} and {limit}")
    if length >= limit and (length > limit or buffer):
        return -1.0
    return min(0.0, (limit - buffer - length) / buffer) if buffer else 0.0


def length_penalty(
    length: float,
    target: float,
    *,
    tolerance: float = 0.0,
    exponent: float = 1.0,
    both_sides: bool = False,
) -> float:
    """Return -min(1, excess / target) ** exponent, -1 to 0.

    Args:
        length: Length of the text.
        target: Length that costs nothing, above 0.
        tolerance: Distance from it that costs nothing either.
        exponent: Above 1 forgives small excesses, below 1 punishes them.
        both_sides: Whether a text that is too short costs, too. Padding then pays.

    >>> length_penalty(150, 100), length_penalty(50, 100), length_penalty(150, 100, exponent=2)
    (-0.5, 0.0, -0.25)
    """
    distance = finite("length", length) - finite("target", target)
    if target <= 0 or finite("exponent", exponent) <= 0 or finite("tolerance", tolerance) < 0:
        raise RewardError(
            f"expected target and exponent above 0 and tolerance of at least 0, got {target}, "
            f"{exponent} and {tolerance}"
        )
    excess = max((abs(distance) if both_sides else distance) - tolerance, 0.0)
    return -(min(1.0, excess / target) ** exponent) if excess else 0.0


def keyword_recall(text: str, keywords: Sequence[str]) -> float:
    """Return the share of distinct keywords that stand in the text as whole words, 0 to 1.

    >>> keyword_recall("He was born there.", ["born", "native"])
    0.5

    Raises:
        RewardError: If there is no keyword.
    """
    wanted = list(dict.fromkeys(_words(keyword) for keyword in keywords))
    if not wanted or not all(key.strip() for key in wanted):
        raise RewardError(f"expected keywords with letters or digits, got {list(keywords)!r}")
    said = _words(text)
    return sum(key in said for key in wanted) / len(wanted)


def _words(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.lower()))} "


def spoken_words(context: Context) -> int:
    """Return the number of blank-separated words that the agent said over the episode."""
    return sum(len(turn.completion.text.split()) for turn in context.turns)


@dataclass(frozen=True, slots=True)
class LengthPenalty:
    """A cost on long episodes, in words that the agent said.

    Range: -1 to 0. Needs: nothing. Equation: `length_penalty`.
    """

    target: float
    tolerance: float = 0.0
    exponent: float = 1.0
    name: str = "length_penalty"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [
            length_penalty(
                spoken_words(context),
                self.target,
                tolerance=self.tolerance,
                exponent=self.exponent,
            )
            for context in contexts
        ]


@dataclass(frozen=True, slots=True)
class KeywordRecall:
    """Share of the task's keywords in the turn that answers.

    Range: 0 to 1. Needs: `task["keywords"]`. Equation: `keyword_recall`. Writing down every keyword
    is easy, so it is paid to right answers only, by the outcome term; None pays it to all.
    """

    outcome: RewardTerm | None = ExactMatch()  # noqa: RUF009
    right: float = 0.5
    name: str = "keyword_recall"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        recalls = [
            keyword_recall(context.last.completion.text, task_fact(context, "keywords"))
            for context in contexts
        ]
        if self.outcome is None:
            return recalls
        outcomes = outcome_value(self.outcome, contexts)
        return [r if o >= self.right else 0.0 for r, o in zip(recalls, outcomes, strict=True)]
