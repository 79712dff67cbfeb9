"""A page's score mixed with the mean score of its items: our stand-in for PageLLM's reward.

Confidence: reconstructed from the abstract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.errors import RewardError
from rmgym.protocols import Grant
from rmgym.rewards.facts import event_fact, within, within_all
from rmgym.trajectory import Context


def page_and_items(page: float, items: Sequence[float], page_weight: float = 0.5) -> float:
    """Return page_weight * page + (1 - page_weight) * mean item score, 0 to 1.

    Raises:
        RewardError: If there is no item or a score is not from 0 to 1.
    """
    scores = within_all("items", items, 0.0, 1.0)
    if not scores:
        raise RewardError("expected at least one item score, got none")
    weight = within("page_weight", page_weight, 0.0, 1.0)
    mean = sum(scores) / len(scores)
    return weight * within("page", page, 0.0, 1.0) + (1.0 - weight) * mean


@dataclass(frozen=True, slots=True)
class PageAndItems:
    """Mixture of a page-level score and its items' scores.

    Range: 0 to 1. Needs: at the last turn `event["page"]` and `event["items"]`, a judge's scores
    from 0 to 1; a page without items earns 0. Equation: `page_and_items`. A repeated item lowers or
    keeps the mean only if it scores no more than the others: let the judge score repeats 0.
    """

    page_weight: float = 0.5
    name: str = "page_and_items"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        items = event_fact(context.last, "items")
        page = event_fact(context.last, "page")
        return page_and_items(page, items, self.page_weight) if len(items) else 0.0
