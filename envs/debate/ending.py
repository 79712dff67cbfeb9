"""What each seat is told and owed when a debate is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rmgym.conversation import Facts, Reply
from rmgym.envs.debate.decision import Outcome, zero_sum
from rmgym.envs.debate.measures import debate_metrics, elimination_quality
from rmgym.envs.debate.state import Debate
from rmgym.envs.debate.tasks import DebateTask, is_right
from rmgym.messages import Message

SPENT = "max_characters"


def final_replies(
    debate: Debate,
    task: DebateTask,
    notes: Mapping[str, Sequence[Message]],
    events: Mapping[str, Mapping[str, Any]],
    watched: Mapping[str, Mapping[str, float]],
) -> dict[str, Reply]:
    """Return the last reply to each seat, with the facts that the outcome terms read.

    Args:
        debate: The debate, decided.
        task: What was debated.
        notes: The last messages of each seat.
        events: What each seat did in the last step.
        watched: The metrics of each seat.
    """
    outcome = debate.outcome or Outcome(None, None)
    wins = zero_sum(outcome.winner, debate.seats)
    right = is_right(outcome.answer, task.references) if task.has_answer else None
    shared = debate_metrics(debate, task)
    quality = elimination_quality(debate, task)
    if quality is not None:
        shared["elimination_quality"] = quality
    is_cut = debate.reason == SPENT
    replies = {}
    for seat in debate.seats:
        own = _gave_right_answer(debate, task, seat)
        facts = {
            "decision": outcome.answer,
            "winner": outcome.winner,
            "win": wins[seat],
            "decision_right": right,
            "own_right": own,
        }
        event = events.get(seat, {})
        metrics = {**shared, **watched[seat]}
        if "kindness" in event:
            metrics["kindness"] = event["kindness"]
        metrics["success"] = float(bool(right) and own) if task.has_answer else metrics["won"]
        replies[seat] = Reply(
            messages=tuple(notes[seat]),
            stop_reason=None if is_cut else debate.reason,
            cut_reason=debate.reason if is_cut else None,
            event=Facts({**event, **facts}),
            metrics=metrics,
        )
    return replies


def _gave_right_answer(debate: Debate, task: DebateTask, seat: str) -> bool:
    stance = debate.stances.get(seat)
    return stance is not None and stance.own and is_right(stance.answer, task.references)
