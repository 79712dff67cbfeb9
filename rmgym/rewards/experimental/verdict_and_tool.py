"""A judge's verdict plus its choice of tools: our stand-in for OpenRM's reward.

OpenRM (arXiv 2510.24636) trains a judge with search tools on both; its formula is not public to
us. Confidence: reconstructed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.protocols import Grant
from rmgym.rewards.facts import event_fact, finite, task_fact
from rmgym.trajectory import Context


def verdict_and_tool(
    verdict_correct: bool, tool_used: bool, tool_needed: bool, weight: float = 0.2
) -> float:
    """Return 1[verdict right] + weight * 1[tool used exactly if needed].

    >>> verdict_and_tool(True, True, False), verdict_and_tool(False, True, True)
    (1.0, 0.2)
    """
    chosen_well = bool(tool_used) == bool(tool_needed)
    return float(bool(verdict_correct)) + finite("weight", weight) * chosen_well


@dataclass(frozen=True, slots=True)
class VerdictAndTool:
    """Outcome of an agent that compares two answers and may call tools.

    Range: 0 to 1 + weight. Needs: `task["verdict"]`, `task["tool_needed"]`; at the last turn
    `event["verdict"]`, None if it gave none; a tool was used if an earlier turn is of kind
    "search" or "tool". Equation: `verdict_and_tool`; without a verdict 0, so that looking up alone
    does not pay.
    """

    weight: float = 0.2
    name: str = "verdict_and_tool"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        verdict = event_fact(context.last, "verdict")
        wanted, needed = task_fact(context, "verdict"), bool(task_fact(context, "tool_needed"))
        kinds = [event_fact(turn, "kind") for turn in context.turns[:-1]]
        if verdict is None:
            return 0.0
        used = any(kind in ("search", "tool") for kind in kinds)
        return verdict_and_tool(verdict == wanted, used, needed, self.weight)
