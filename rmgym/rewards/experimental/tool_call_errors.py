"""Score of a tool call by its errors: our stand-in for TTPA's error-oriented score.

TTPA (arXiv 2505.20016) quantifies errors of tool calls for preference pairs; its formula is not
public to us. Confidence: reconstructed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.protocols import Grant
from rmgym.rewards.facts import event_fact
from rmgym.rewards.toolrl import ToolCall, parse_calls
from rmgym.trajectory import Context


def tool_call_errors(predicted: ToolCall | None, gold: ToolCall) -> float:
    """Return 1 - (missing + extra + wrong) / (gold parameters + extra), 0 to 1.

    An unreadable call (None) and another tool score 0; the right tool that takes nothing scores 1.
    """
    if predicted is None or predicted.get("name") != gold["name"]:
        return 0.0
    said, wanted = predicted.get("parameters", {}), gold["parameters"]
    missing = sum(key not in said for key in wanted)
    extra = sum(key not in wanted for key in said)
    wrong = sum(bool(key in said and said[key] != value) for key, value in wanted.items())
    total = len(wanted) + extra
    return 1.0 - (missing + extra + wrong) / total if total else 1.0


@dataclass(frozen=True, slots=True)
class ToolCallErrors:
    """Error score of the first call of a message.

    Range: 0 to 1. Needs: `event["gold_call"]`, `{"name", "parameters"}`. Equation:
    `tool_call_errors`. More than one call scores 0: calling everything is not calling right.
    """

    name: str = "tool_call_errors"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        calls = parse_calls(context.last.completion.text)
        only = calls[0] if calls and len(calls) == 1 else None
        return tool_call_errors(only, event_fact(context.last, "gold_call"))
