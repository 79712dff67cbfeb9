"""A cost on searches that nothing called for. A definition of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.errors import RewardError
from rmgym.protocols import Grant
from rmgym.rewards.facts import SEARCH, doc_ids_of, kind_of, seen_before, task_fact
from rmgym.trajectory import Context


def search_needed(
    known: bool,
    gold_passages: Sequence[str],
    seen: frozenset[str],
    found: Sequence[str],
) -> bool:
    """Return whether a search was called for.

    It was if the question is not solvable closed-book, some gold passage had not been seen, and
    the search brought a document that had not been seen.

    Args:
        known: Whether the agent can answer closed-book.
        gold_passages: Ids of the passages that hold the answer.
        seen: Ids of the documents seen before the search.
        found: Ids of the documents that it brought.
    """
    is_open = any(gold not in seen for gold in gold_passages)
    return not known and is_open and any(doc not in seen for doc in found)


@dataclass(frozen=True, slots=True)
class NeedlessSearch:
    """-1 for a search that was not called for.

    Range: -1 or 0 per search turn, so that no number of searches pays. Needs:
    `task["known"]`, whether the agent can answer closed-book, and `task["gold_passages"]`; at
    search turns `event["doc_ids"]`. Equation: 1[search needed] - 1.
    """

    name: str = "search_needed"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one score per context, None for turns that do not search."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float | None:
        if kind_of(context.last) != SEARCH:
            return None
        gold = [str(i) for i in task_fact(context, "gold_passages")]
        if not gold:
            raise RewardError('expected ids in info["task"]["gold_passages"], got none')
        needed = search_needed(
            bool(task_fact(context, "known")),
            gold,
            seen_before(context),
            doc_ids_of(context.last),
        )
        return 0.0 if needed else -1.0
