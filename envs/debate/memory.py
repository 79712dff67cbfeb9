"""A memory of the last rounds: the same for every arm of an experiment.

In the published code of the Hunger Game Debate competitive agents remember 5 messages and others
11, which mixes memory with competition. Here it is one dial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rmgym.protocols import Policy
from rmgym.trajectory import Completion, Context


def remember(context: Context, rounds: int | None) -> Context:
    """Return the context with all but the opening and the last `rounds` own turns blanked.

    The number of turns stays, so that a policy still knows how many it has had.
    """
    if rounds is None or len(context.turns) <= rounds:
        return context
    cut = len(context.turns) - rounds
    opening = context.turns[0].observation[:1]
    blanked = [
        replace(
            turn,
            observation=opening if place == 0 else (),
            completion=Completion(text=""),
        )
        for place, turn in enumerate(context.turns[:cut])
    ]
    return Context((*blanked, *context.turns[cut:]), context.observation)


@dataclass(frozen=True, slots=True)
class Forgetful:
    """A policy that remembers the last `rounds` of its turns.

    The arena gives opponents such contexts itself (`memory`); a rollout keeps the learner's whole
    conversation, so wrap the learner to have it equal.

    Raises:
        ValueError: If `rounds` is negative.
    """

    policy: Policy
    rounds: int

    def __post_init__(self) -> None:
        """Check the number of rounds."""
        if self.rounds < 0:
            raise ValueError(f"expected rounds of at least 0, got {self.rounds}")

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return one completion per context."""
        return self.policy.act([remember(context, self.rounds) for context in contexts])
