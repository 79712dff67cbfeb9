"""A right answer plus keywords in its explanation: our stand-in for CogRE's reward.

CogRE (arXiv 2510.06198) rewards a relation extractor for the hit and for dictionary keywords of the
relation in its explanation; the formula is not public to us. Confidence: reconstructed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.protocols import Grant, RewardTerm, Score
from rmgym.rewards.answers import ExactMatch
from rmgym.rewards.facts import finite, outcome_value, task_fact
from rmgym.rewards.penalties import keyword_recall
from rmgym.trajectory import Context


def keyword_explanation(
    correct: float, keywords: Sequence[str], explanation: str, weight: float = 0.5
) -> float:
    """Return correct + weight * keyword recall of the explanation."""
    recall = keyword_recall(explanation, keywords)
    return finite("correct", correct) + finite("weight", weight) * recall


@dataclass(frozen=True, slots=True)
class KeywordExplanation:
    """Outcome plus keyword recall of the answering turn.

    Range: 0 to 1 + weight. Needs: `task["keywords"]`, an outcome term from 0 to 1. Equation:
    correct + weight * recall, the recall for right answers only, as keywords alone are easy to
    write.
    """

    weight: float = 0.5
    outcome: RewardTerm = ExactMatch()  # noqa: RUF009
    right: float = 0.5
    name: str = "keyword_explanation"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        """Return one score per context."""
        outcomes = outcome_value(self.outcome, contexts)
        return [self._score(c, o) for c, o in zip(contexts, outcomes, strict=True)]

    def _score(self, context: Context, outcome: float) -> Score:
        text, keywords = context.last.completion.text, task_fact(context, "keywords")
        weight = self.weight if outcome >= self.right else 0.0
        metrics = {f"{self.name}/recall": keyword_recall(text, keywords)}
        return Score(keyword_explanation(outcome, keywords, text, weight), metrics)
