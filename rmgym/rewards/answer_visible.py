"""Answer newly visible: the turn after which the answer first stands before the agent. Ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.protocols import Grant
from rmgym.rewards.answers import references_of
from rmgym.rewards.facts import SEARCH, kind_of, shown_by
from rmgym.rewards.retrieval_utility import has_answer
from rmgym.trajectory import Context


@dataclass(frozen=True, slots=True)
class AnswerVisible:
    """1 if a reference stands in what the search showed and nowhere before, else 0.

    Range: 0 or 1 per search turn, 1 at most once an episode. Needs: `task["references"]`. What the
    agent wrote counts as "before": a world that echoes a query pays nothing.
    """

    name: str = "answer_visible"

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
        references = references_of(context)
        before = "\n".join(
            f"{shown_by(turn.observation)}\n{turn.completion.text}" for turn in context.turns
        )
        shown = shown_by(context.observation)
        return float(has_answer(shown, references) and not has_answer(before, references))
