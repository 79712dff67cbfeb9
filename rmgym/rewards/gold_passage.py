"""Gold passage newly found: the turn that brings a passage holding the answer. Ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.errors import RewardError
from rmgym.protocols import Grant, Score
from rmgym.rewards.facts import SEARCH, doc_ids_of, each, kind_of, seen_before, task_fact
from rmgym.trajectory import Context


@dataclass(frozen=True, slots=True)
class GoldPassageFound:
    """1 if the search brings a gold passage that no earlier turn brought, else 0.

    Range: 0 or 1 per search turn; an episode earns at most the number of gold passages, however
    often it searches. Needs: `task["gold_passages"]`, their ids; at search turns
    `event["doc_ids"]`. Metric: `<name>/recall`, the share of gold passages seen so far.
    """

    name: str = "gold_passage"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one score per context, None for turns that do not search."""
        return each(self._score, contexts)

    def _score(self, context: Context) -> Score | None:
        if kind_of(context.last) != SEARCH:
            return None
        gold = frozenset(str(i) for i in task_fact(context, "gold_passages"))
        if not gold:
            raise RewardError('expected ids in info["task"]["gold_passages"], got none')
        before = seen_before(context) & gold
        after = before | (gold & frozenset(doc_ids_of(context.last)))
        recall = len(after) / len(gold)
        return Score(float(len(after) > len(before)), {f"{self.name}/recall": recall})
