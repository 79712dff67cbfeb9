"""Execution plus similarity margin of a query: our stand-in for contrastive text-to-SQL rewards.

Confidence: reconstructed from the abstract.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.errors import RewardError
from rmgym.protocols import Grant
from rmgym.rewards.facts import event_fact, finite, within_all
from rmgym.trajectory import Context


def execution_margin(
    executes_to_gold: bool, sim_gold: float, sim_negatives: Sequence[float], weight: float = 0.5
) -> float:
    """Return 1[same result as gold] + weight * (similarity to gold - mean similarity to negatives).

    >>> round(execution_margin(True, 0.9, [0.4, 0.6]), 9)
    1.2

    Raises:
        RewardError: If there is no negative or a similarity is not from -1 to 1.
    """
    similar = within_all("sim_negatives", sim_negatives, -1.0, 1.0)
    if not similar:
        raise RewardError("expected the similarity to at least one negative query, got none")
    gold = within_all("sim_gold", [sim_gold], -1.0, 1.0)[0]
    margin = gold - sum(similar) / len(similar)
    return float(bool(executes_to_gold)) + finite("weight", weight) * margin


@dataclass(frozen=True, slots=True)
class ExecutionMargin:
    """Reward of a SQL query.

    Range: -2 weight to 1 + 2 weight. Needs: at the last turn `event["executes_to_gold"]`,
    `event["sim_gold"]` and `event["sim_negatives"]`. Equation: `execution_margin`; a positive
    margin is paid to queries with the right result only, as a query that looks like gold and fails
    is not half right. A turn without a query (`event["kind"]` other than "answer") earns 0.
    """

    weight: float = 0.5
    name: str = "execution_margin"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        if event_fact(context.last, "kind") != "answer":
            return 0.0
        right = bool(event_fact(context.last, "executes_to_gold"))
        near = event_fact(context.last, "sim_gold")
        value = execution_margin(
            right, near, event_fact(context.last, "sim_negatives"), self.weight
        )
        return value if right else min(value, 0.0)
