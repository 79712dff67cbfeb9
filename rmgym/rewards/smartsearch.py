"""Query quality = novelty and usefulness, and the composite outcome made of it (SmartSearch).

Source: arXiv 2601.04888, Eqs. 8-17. Confidence: paper; K, gamma, phi and lambda are not in its
main text, so they have no default here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.errors import RewardError
from rmgym.protocols import Grant, RewardTerm, Score
from rmgym.rewards.answers import ExactMatch
from rmgym.rewards.facts import (
    SEARCH,
    doc_ids_of,
    event_fact,
    finite,
    kind_of,
    outcome_value,
    same_length,
    seen_before,
)
from rmgym.rewards.hindsight import turn_values
from rmgym.trajectory import Context


def novelty(overlap: int, max_seen: int) -> int:
    """Return 1 if at most `max_seen` (K) of a query's documents were seen before, else 0."""
    return int(overlap <= max_seen)


def query_labels(
    overlap_with_earlier_docs: Sequence[int], useful: Sequence[bool], max_seen: int
) -> list[int]:
    """Return 1 for each query that is novel and useful, else 0.

    >>> query_labels([0, 3, 1], [True, True, False], max_seen=2)
    [1, 0, 0]
    """
    same_length("overlaps and usefulness labels", overlap_with_earlier_docs, useful)
    pairs = zip(overlap_with_earlier_docs, useful, strict=True)
    return [novelty(overlap, max_seen) * int(bool(helps)) for overlap, helps in pairs]


def composite(
    outcome: float, labels: Sequence[int], *, gamma: float, phi_min: float, phi_max: float
) -> float:
    """Return max(1 - gamma * bad, phi_min) for a right answer, min(gamma * good, phi_max) else.

    Args:
        outcome: 1 if the answer is right, else 0.
        labels: 1 per good query, 0 per bad one.
        gamma: What a query counts.
        phi_min: Floor of a right answer.
        phi_max: Cap of a wrong one.

    >>> composite(1, [1, 0], gamma=0.25, phi_min=0.5, phi_max=0.5)
    0.75
    """
    for what, value in (("gamma", gamma), ("phi_min", phi_min), ("phi_max", phi_max)):
        finite(what, value)
    if finite("outcome", outcome) not in (0.0, 1.0) or any(x not in (0, 1) for x in labels):
        raise RewardError(f"expected outcome and labels of 0 or 1, got {outcome}, {list(labels)}")
    good = sum(labels)
    if outcome:
        return max(1.0 - gamma * (len(labels) - good), phi_min)
    return min(gamma * good, phi_max)


def search_efficiency(f1: Sequence[float], calls: Sequence[int]) -> float:
    """Return SE, the mean over questions of F1 / calls; a question without a call counts 0."""
    same_length("scores and call counts", f1, calls)
    if not f1:
        raise RewardError("expected at least one question, got none")
    return sum(s / n if n else 0.0 for s, n in zip(f1, calls, strict=True)) / len(f1)


def _overlap(context: Context) -> int:
    earlier = seen_before(context)
    return sum(doc in earlier for doc in dict.fromkeys(doc_ids_of(context.last)))


@dataclass(frozen=True, slots=True)
class QueryQuality:
    """SmartSearch's label of a query: novel and useful.

    Range: 0 or 1 per search turn. Needs: at search turns `event["doc_ids"]` and `event["useful"]`,
    a judge's verdict. Equation: 1[overlap <= K] * 1[useful].
    """

    max_seen: int
    """K: documents of a novel query that may have been seen before."""
    name: str = "query_quality"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one label per context, None for turns that do not search."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float | None:
        if kind_of(context.last) != SEARCH:
            return None
        useful = bool(event_fact(context.last, "useful"))
        return float(query_labels([_overlap(context)], [useful], self.max_seen)[0])


@dataclass(frozen=True, slots=True)
class SmartSearchOutcome:
    """SmartSearch's composite outcome.

    Range: 0 to 1, plus `format_weight`. Needs: as `QueryQuality`, an outcome term of 0 or 1 and,
    where `format_weight` is not 0, a format term from 0 to 1. Equation: `composite` + lambda *
    format.
    """

    quality: RewardTerm
    """Labels the queries, e.g. `QueryQuality(max_seen=2)`."""
    gamma: float
    phi_min: float
    phi_max: float
    format_weight: float = 0.0
    """Lambda."""
    format_term: RewardTerm | None = None
    outcome: RewardTerm = ExactMatch()  # noqa: RUF009
    name: str = "smartsearch"

    def __post_init__(self) -> None:
        """Check that a format weight has its term."""
        if bool(self.format_weight) != (self.format_term is not None):
            raise RewardError("expected format_weight and format_term together, got one of them")

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        """Return one score per context."""
        outcomes = outcome_value(self.outcome, contexts)
        rows = turn_values(self.quality, contexts)
        formats = [0.0] * len(contexts)
        if self.format_term is not None:
            formats = outcome_value(self.format_term, contexts)
        return [
            self._score(outcome, row, form)
            for outcome, row, form in zip(outcomes, rows, formats, strict=True)
        ]

    def _score(self, outcome: float, row: Sequence[float | None], form: float) -> Score:
        labels = [int(label) for label in row if label is not None]
        value = composite(
            outcome, labels, gamma=self.gamma, phi_min=self.phi_min, phi_max=self.phi_max
        )
        metrics = {f"{self.name}/good_queries": float(sum(labels))}
        return Score(value + self.format_weight * form, metrics)
