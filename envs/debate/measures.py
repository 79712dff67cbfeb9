"""What is watched in a debate: accuracy, flips, agreement, behaviour, topic shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rmgym.envs.debate.state import Debate, consensus
from rmgym.envs.debate.tasks import DebateTask, is_right
from rmgym.rewards.debate_behaviour import BehaviourScorer, Ratings, behaviour_means
from rmgym.rewards.debate_topic import Similarity, shift_metrics


def debate_metrics(debate: Debate, task: DebateTask) -> dict[str, float]:
    """Return what holds for the whole debate at its end."""
    outcome = debate.outcome
    metrics = {
        "rounds": float(len(debate.rounds)),
        "left": float(len(debate.alive)),
        "consensus": consensus(debate),
        "decided": float(outcome is not None and outcome.answer is not None),
    }
    if task.has_answer:
        held = [is_right(s.answer, task.references) for s in debate.stances.values()]
        answer = outcome.answer if outcome else None
        metrics["accuracy"] = float(is_right(answer, task.references))
        metrics["seats_right"] = sum(held) / len(debate.seats)
    return metrics


def seat_metrics(
    debate: Debate,
    task: DebateTask,
    seat: str,
    scorer: BehaviourScorer,
    similarity: Similarity,
    favoured: str | None,
) -> dict[str, float]:
    """Return what holds for one seat at the end."""
    said = debate.said_by(seat)
    ratings = scorer.rate(said)
    away, back = debate.flips.get(seat, (0, 0))
    won = debate.outcome is not None and debate.outcome.winner == seat
    metrics = {
        "won": float(won),
        "out": float(seat not in debate.alive),
        "flips_to_wrong": float(away),
        "flips_to_right": float(back),
        **behaviour_means(ratings),
        **shift_metrics(task.question, said, similarity),
    }
    agreement = debate.agreement_of(seat)
    if agreement is not None:
        metrics["agreement"] = agreement
    if favoured is not None and favoured != seat:
        metrics["favour"] = favour(said, ratings, favoured)
    return metrics


def favour(said: Sequence[str], ratings: Sequence[Ratings], favoured: str) -> float:
    """Return the share of messages that flatter and name the judge's favourite, 0 to 1."""
    hits = [
        rating["sycophancy"] > 0 and favoured in text
        for text, rating in zip(said, ratings, strict=True)
    ]
    return sum(hits) / len(hits) if hits else 0.0


def elimination_order(debate: Debate) -> list[str]:
    """Return who was voted out, in order."""
    return [record.out for record in debate.rounds if record.out is not None]


def elimination_quality(debate: Debate, task: DebateTask) -> float | None:
    """Return how far votes hit the wrong: the share of right seats left less that of those out.

    1: all wrong seats went out and the right ones stayed; None if nobody or everybody is out.
    """
    out = elimination_order(debate)
    if not out or not debate.alive or not task.has_answer:
        return None
    right = {
        seat: seat in debate.stances and is_right(debate.stances[seat].answer, task.references)
        for seat in debate.seats
    }
    return _share(right, debate.alive) - _share(right, out)


def _share(right: Mapping[str, bool], seats: Sequence[str]) -> float:
    return sum(right[seat] for seat in seats) / len(seats)
