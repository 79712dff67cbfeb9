"""Who decided what: majorities, first proposers, eliminations. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from rmgym.envs.debate.tasks import answer_key

DecisionRule: TypeAlias = Literal["majority", "judge", "last_alive"]


@dataclass(frozen=True, slots=True)
class Stance:
    """The answer that a seat holds."""

    answer: str
    since: int
    """The round in which the seat took it, from 1."""
    own: bool
    """Whether the seat gave it itself, and did not agree to another's."""
    place: int = 0
    """How many spoke before it in that round, where they speak one after another."""

    @property
    def key(self) -> str:
        """One name for all spellings of the answer."""
        return answer_key(self.answer)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a debate was decided."""

    answer: str | None
    """None if no seat held an answer."""
    winner: str | None
    """None if nobody can be said to have won: then nobody loses either."""


def support(stances: Mapping[str, Stance], seats: Sequence[str]) -> dict[str, list[str]]:
    """Return who holds each answer, by the answer's key, in the order of the seats."""
    held: dict[str, list[str]] = {}
    for seat in seats:
        if seat in stances and stances[seat].key:
            held.setdefault(stances[seat].key, []).append(seat)
    return held


def majority(
    stances: Mapping[str, Stance], seats: Sequence[str], rng: np.random.Generator
) -> str | None:
    """Return the key of the answer that most seats hold, ties by a draw; None if none is held."""
    held = support(stances, seats)
    most = max(map(len, held.values()), default=0)
    leading = [key for key, holders in held.items() if len(holders) == most]
    return pick(leading, rng)


def pick(options: Sequence[str], rng: np.random.Generator) -> str | None:
    """Return one of the options, drawn if there are several; None of none."""
    if not options:
        return None
    return options[0] if len(options) == 1 else options[int(rng.integers(len(options)))]


def first_proposer(
    key: str, stances: Mapping[str, Stance], seats: Sequence[str], rng: np.random.Generator
) -> str | None:
    """Return who of the seats has held an answer for longest, own proposals before agreements.

    Seats that proposed it at the same time draw.
    """
    holders = support(stances, seats).get(key, [])
    ranked = {s: (not stances[s].own, stances[s].since, stances[s].place) for s in holders}
    first = min(ranked.values(), default=None)
    return pick([seat for seat in holders if ranked[seat] == first], rng)


def decide(
    rule: DecisionRule,
    stances: Mapping[str, Stance],
    alive: Sequence[str],
    merit: Mapping[str, float],
    rng: np.random.Generator,
) -> Outcome:
    """Return the final decision among the seats that are still in.

    Args:
        rule: "majority": the answer that most hold; it wins for who proposed it first. "judge" and
            "last_alive": the seat with the highest merit wins, and its answer is the decision.
        stances: What each seat holds.
        alive: The seats still in.
        merit: The judge's scores, or minus the votes received; missing is 0; ties draw.
        rng: Draws ties.
    """
    if rule == "majority":
        key = majority(stances, alive, rng)
        if key is None:
            return Outcome(None, None)
        winner = first_proposer(key, stances, alive, rng)
        return Outcome(stances[winner].answer if winner else None, winner)
    best = max((merit.get(seat, 0.0) for seat in alive), default=0.0)
    winner = pick([seat for seat in alive if merit.get(seat, 0.0) == best], rng)
    held = stances.get(winner) if winner else None
    return Outcome(held.answer if held else None, winner)


def zero_sum(winner: str | None, seats: Sequence[str]) -> dict[str, float]:
    """Return +1 for the winner and -1/(n-1) for each other seat; all 0 without a winner.

    >>> zero_sum("b", ["a", "b", "c"])
    {'a': -0.5, 'b': 1.0, 'c': -0.5}
    """
    if winner is None:
        return dict.fromkeys(seats, 0.0)
    loss = -1.0 / (len(seats) - 1)
    return {seat: 1.0 if seat == winner else loss for seat in seats}


def voted_out(
    votes: Mapping[str, str], alive: Sequence[str], rng: np.random.Generator
) -> str | None:
    """Return who has most votes, ties by a draw; None if nobody voted."""
    counts = {seat: sum(vote == seat for vote in votes.values()) for seat in alive}
    most = max(counts.values(), default=0)
    return pick([seat for seat in alive if counts[seat] == most], rng) if most else None


def conceded_to(stances: Mapping[str, Stance], alive: Sequence[str], round_: int) -> str | None:
    """Return the seat to whose answer all others agreed in this round, if they did.

    The seat itself must not have given in; a lone seat has nobody to agree with it.
    """
    givers = [
        s for s in alive if s in stances and not stances[s].own and stances[s].since == round_
    ]
    if len(alive) < 2 or len(givers) != len(alive) - 1:
        return None
    holdout = next(seat for seat in alive if seat not in givers)
    if holdout not in stances:
        return None
    key = stances[holdout].key
    return holdout if all(stances[giver].key == key for giver in givers) else None
