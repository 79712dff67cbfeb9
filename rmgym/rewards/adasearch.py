"""Reward of the decision to search or not, against the closed-book label (AdaSearch).

Source: third-party notes and the abstract. Confidence: secondary. The threshold of the label and
the positive class of the F1 are not public to us, so two orientations stand here:

* `decision_f1`: positive = search (our assumption in the worked case);
* `aware_f1`: positive = "own knowledge suffices": TP = no search and the closed-book answer is
  right, FP = no search and it is wrong, FN = searched although it is right. An agent that always
  searches gets 0, which is what was reported of one; take this one to compare with the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rmgym.errors import RewardError
from rmgym.protocols import Grant
from rmgym.rewards.facts import SEARCH, kind_of, same_length, task_fact, within
from rmgym.trajectory import Context

Decision: TypeAlias = Literal["search", "direct"]


def needed_decision(closed_book_solve_rate: float, threshold: float) -> Decision:
    """Return "search" if the closed-book solve rate is below the threshold, else "direct"."""
    rate = within("closed_book_solve_rate", closed_book_solve_rate, 0.0, 1.0)
    return "search" if rate < within("threshold", threshold, 0.0, 1.0) else "direct"


def decision_reward(decision: str, needed: str) -> float:
    """Return 1.0 if the decision is the needed one, else 0.0.

    Raises:
        RewardError: If either is neither "search" nor "direct".
    """
    strangers = [d for d in (decision, needed) if d not in ("search", "direct")]
    if strangers:
        raise RewardError(f'expected "search" or "direct", got {strangers}')
    return float(decision == needed)


def decision_f1(pairs: Sequence[tuple[str, str]], positive: Decision = "search") -> float:
    """Return F1 of decisions against needs; 0 without a true positive.

    Args:
        pairs: (decision, needed) of each question.
        positive: The class that counts.
    """
    hits = sum(said == needed == positive for said, needed in pairs)
    total = sum((said == positive) + (needed == positive) for said, needed in pairs)
    return 2 * hits / total if total else 0.0


def aware_f1(searched: Sequence[bool], closed_book_correct: Sequence[bool]) -> float:
    """Return F1 of knowing that own knowledge suffices.

    >>> aware_f1([True, True], [True, False]), aware_f1([False, True], [True, False])
    (0.0, 1.0)
    """
    same_length("decisions and closed-book labels", searched, closed_book_correct)
    words = {True: "search", False: "direct"}
    pairs = [
        (words[bool(s)], words[not c]) for s, c in zip(searched, closed_book_correct, strict=True)
    ]
    return decision_f1(pairs, positive="direct")


@dataclass(frozen=True, slots=True)
class SearchDecision:
    """AdaSearch's decision reward: was searching, or not, the right choice.

    Range: 0 or 1. Needs: `task["closed_book_solve_rate"]` and a threshold, or without a threshold
    `task["known"]`, whether the agent can answer closed-book. Equation: 1[searched = (rate <
    threshold)]. How often an episode searches does not matter.
    """

    threshold: float | None = None
    name: str = "adasearch"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        searched = any(kind_of(turn) == SEARCH for turn in context.turns)
        return decision_reward("search" if searched else "direct", self._needed(context))

    def _needed(self, context: Context) -> Decision:
        if self.threshold is None:
            return "direct" if task_fact(context, "known") else "search"
        return needed_decision(task_fact(context, "closed_book_solve_rate"), self.threshold)
