"""Ternary truthfulness: right, abstained, or made up (TruthRL).

Trained with GRPO (`rmgym.advantages`), under which abstaining beats a wrong answer in every group
that holds both. Source: arXiv 2509.25760 and one community implementation. Confidence: paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.errors import RewardError
from rmgym.judges.guard import rejection
from rmgym.protocols import Grant, RewardTerm, Score
from rmgym.rewards.answers import ExactMatch, answer_of, normalize_answer
from rmgym.rewards.facts import finite, finite_all, outcome_value
from rmgym.trajectory import Context

REWARDS = {"correct": 1.0, "abstain": 0.0, "wrong": -1.0}
ABSTENTIONS = (
    "i don't know",
    "i do not know",
    "unknown",
    "not sure",
    "i am not sure",
    "cannot answer",
    "i cannot answer",
    "no answer",
    "unanswerable",
)


def ternary(label: str) -> float:
    """Return 1 for "correct", 0 for "abstain", -1 for "wrong".

    Raises:
        RewardError: If the label is another.
    """
    if label not in REWARDS:
        raise RewardError(f"expected a label of {list(REWARDS)}, got {label!r}")
    return REWARDS[label]


def truthfulness(
    accuracy: float,
    uncertain: float,
    hallucination: float,
    weights: Sequence[float] = (1.0, 0.0, 1.0),
) -> float:
    """Return w1 * accuracy + w2 * uncertain - w3 * hallucination of a set of answers.

    >>> truthfulness(0.5, 0.25, 0.25)
    0.25
    """
    w1, w2, w3 = finite_all("weights", weights)
    shares = [finite("accuracy", accuracy), finite("uncertain", uncertain)]
    return w1 * shares[0] + w2 * shares[1] - w3 * finite("hallucination", hallucination)


def abstains(answer: str) -> bool:
    """Return whether an answer says nothing, or only that it is not known.

    >>> abstains("I don't know."), abstains("I don't know, but Paris")
    (True, False)
    """
    return rejection(answer) is not None or normalize_answer(answer) in _ABSTENTIONS


_ABSTENTIONS = frozenset(map(normalize_answer, ABSTENTIONS))


@dataclass(frozen=True, slots=True)
class Truthfulness:
    """TruthRL's ternary reward.

    Range: -1, 0 or 1. Needs: an outcome term that is 1 for a right answer. Equation: 1 correct, 0
    abstained, -1 wrong. No answer and a master-key answer claim nothing and count as abstained.
    """

    outcome: RewardTerm = ExactMatch()  # noqa: RUF009
    right: float = 0.5
    """Outcomes from here up are correct."""
    name: str = "truthrl"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        """Return one score per context."""
        outcomes = outcome_value(self.outcome, contexts)
        labels = [self._label(c, o) for c, o in zip(contexts, outcomes, strict=True)]
        return [
            Score(ternary(label), {f"{self.name}/{kind}": float(kind == label) for kind in REWARDS})
            for label in labels
        ]

    def _label(self, context: Context, outcome: float) -> str:
        if finite("outcome", outcome) >= self.right:
            return "correct"
        answer = answer_of(context)
        return "abstain" if answer is None or abstains(answer) else "wrong"
