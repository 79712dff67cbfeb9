"""Turn rewards that are only known when the episode is over.

Some methods grant a reward to each turn whose value depends on what came later: PPR and R3-RAG
scale a step by the outcome, Delta subtracts the next step. Such a term is a `Hindsight`:

* online, while the episode runs, it pays nothing, and the total at the turn that ends the episode
  (`grant = "outcome"`), so that returns agree;
* offline, a trainer asks `per_turn` (or `regrant`) for the value of each turn, to be used in place
  of the total.

`None` in `per_turn` means that the term does not apply to that turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

from rmgym.errors import RewardError
from rmgym.protocols import Grant, RewardTerm
from rmgym.rewards.facts import evaluate, prefixes
from rmgym.trajectory import Context, Trajectory


@runtime_checkable
class Hindsight(Protocol):
    """A reward term whose turn rewards are known at the end of the episode."""

    @property
    def name(self) -> str:
        """The key in `info["reward_terms"]`."""
        ...

    @property
    def grant(self) -> Grant:
        """Always "outcome": the total is granted online at the last turn."""
        ...

    def __call__(self, contexts: Sequence[Context]) -> Sequence[float | None]:
        """Return the total over the turns of each context."""
        ...

    def per_turn(self, contexts: Sequence[Context]) -> list[list[float | None]]:
        """Return the reward of each turn of each finished episode."""
        ...


def totals(per_turn: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Return the sum of each row's values; None for a row in which nothing applies."""
    kept = [[value for value in row if value is not None] for row in per_turn]
    return [sum(row) if row else None for row in kept]


def turn_values(term: RewardTerm, contexts: Sequence[Context]) -> list[list[float | None]]:
    """Return what a turn-granted term gives to each turn of each episode, in one batch."""
    rows = [prefixes(context) for context in contexts]
    scores = iter(evaluate(term, [prefix for row in rows for prefix in row]))
    return [[next(scores).value for _ in row] for row in rows]


def hindsight_rewards(term: Hindsight, trajectory: Trajectory) -> list[float | None]:
    """Return the reward of each turn of a finished trajectory.

    Raises:
        RewardError: If the trajectory is not finished.
    """
    context = Context(trajectory.turns, trajectory.final_observation)
    if not trajectory.turns or not context.last.ended:
        raise RewardError(
            f"reward term {term.name!r}: expected a finished trajectory, got "
            f"{len(trajectory.turns)} turns without an end; score it when it is over"
        )
    return term.per_turn([context])[0]


def regrant(trajectory: Trajectory, term: Hindsight, weight: float = 1.0) -> Trajectory:
    """Return the trajectory with the term's rewards on the turns that earned them.

    What the term had paid online at the last turn is replaced; other terms stay.
    """
    turns = []
    rewards = hindsight_rewards(term, trajectory)
    for turn, value in zip(trajectory.turns, rewards, strict=True):
        terms = {name: paid for name, paid in turn.reward_terms.items() if name != term.name}
        if value is not None:
            terms[term.name] = weight * value
        turns.append(replace(turn, reward_terms=terms, reward=sum(terms.values())))
    return replace(trajectory, turns=tuple(turns))
