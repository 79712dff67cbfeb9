"""Relevance of retrieved documents, scaled by the outcome (R3-RAG).

Source: R3-RAG, `openrlhf/trainer/ppo_utils/experience_maker.py`. Confidence: source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rmgym.errors import RewardError
from rmgym.protocols import Grant, RewardTerm
from rmgym.rewards.answers import ExactMatch
from rmgym.rewards.facts import (
    ANSWER,
    SEARCH,
    doc_ids_of,
    event_fact,
    kind_of,
    outcome_value,
    seen_before,
    within,
    within_all,
)
from rmgym.rewards.hindsight import totals
from rmgym.trajectory import Context, Turn

Status: TypeAlias = Literal["correct", "wrong", "no_answer", "format_failure"]

_SCALE = {"correct": 1.6, "wrong": 0.8, "no_answer": 0.9, "format_failure": 1.0}
_FINAL = {"correct": [2.0], "wrong": [0.0], "no_answer": [], "format_failure": [-0.9]}
_DECIMALS = 3


def step_rewards(step_relevance: Sequence[float], status: Status) -> list[float]:
    """Return the reward of each retrieval step, then that of the final step if there is one.

    | status | steps | final step |
    |---|---|---|
    | correct | 1.6 s | 2.0 |
    | wrong | 0.8 s | 0.0 |
    | no_answer (searches used up) | 0.9 s | none |
    | format_failure (after three regenerations; the episode stops) | s | -0.9 |

    Rounded to three decimals, as in the release.

    >>> step_rewards([0.5, 1.0], "correct")
    [0.8, 1.6, 2.0]
    """
    if status not in _SCALE:
        raise RewardError(f"expected a status of {list(_SCALE)}, got {status!r}")
    steps = within_all("step_relevance", step_relevance, 0.0, 1.0)
    return [round(_SCALE[status] * s, _DECIMALS) for s in steps] + _FINAL[status]


@dataclass(frozen=True, slots=True)
class ScaledRelevance:
    """R3-RAG: document relevance per search, scaled by the outcome; known at the end (`Hindsight`).

    Range: a search 0 to 1.6, the answer 0 or 2, a last turn of broken format -0.9. Needs: at
    search turns `event["relevance"]`, a judge's figure from 0 to 1, and `event["doc_ids"]`; an
    outcome term. Equation: `step_rewards`.

    A search that brings no new document has relevance 0: the paper's environment removes documents
    already seen, so that a repeated search cannot be paid twice.
    """

    outcome: RewardTerm = ExactMatch()  # noqa: RUF009
    right: float = 0.5
    """Outcomes from here up are correct."""
    name: str = "r3rag"

    @property
    def grant(self) -> Grant:
        """The total is granted at the end; `per_turn` says which turn earned what."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return the total of each context."""
        return totals(self.per_turn(contexts))

    def per_turn(self, contexts: Sequence[Context]) -> list[list[float | None]]:
        """Return the reward of each turn; None for turns that neither search nor end."""
        outcomes = outcome_value(self.outcome, contexts)
        return [self._row(c, o) for c, o in zip(contexts, outcomes, strict=True)]

    def _row(self, context: Context, outcome: float) -> list[float | None]:
        status = _status(context.last, outcome >= self.right)
        row: list[float | None] = []
        for t, turn in enumerate(context.turns):
            if kind_of(turn) == SEARCH:
                prefix = Context(context.turns[: t + 1], ())
                row.append(step_rewards([_relevance(prefix)], status)[0])
            else:
                row.append(None)
        if _FINAL[status]:
            row[-1] = _FINAL[status][0]
        return row


def _relevance(prefix: Context) -> float:
    turn = prefix.last
    relevance = within("relevance", event_fact(turn, "relevance"), 0.0, 1.0)
    is_new = any(doc not in seen_before(prefix) for doc in doc_ids_of(turn))
    return relevance if is_new else 0.0


def _status(last: Turn, right: bool) -> Status:
    kind = kind_of(last)
    if kind == ANSWER:
        return "correct" if right else "wrong"
    return "format_failure" if kind == "invalid" else "no_answer"
