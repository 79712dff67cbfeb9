"""Trajectories as token sequences with a loss mask: what a trainer takes.

Token ids are those that the engine was given and sampled; nothing is tokenised here. Turns share a
sequence while each prompt extends it, and a prompt that does not (a chat template that rewrites
history) opens a new one, so that the policy is trained on what it saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmgym.trajectory import Completion, Trajectory

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

GIVEN = -1
"""Turn index of a token that the policy was given."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenSample:
    """One token sequence, arrays of equal length T."""

    token_ids: Ints
    loss_mask: Ints
    """1 on tokens that the policy sampled, 0 on those it was given."""
    logprobs: Floats | None
    """Log-probability of each sampled token under the sampling policy, 0.0 on given tokens (which
    have none); None if the engine recorded none for a turn of the sample."""
    turn_index: Ints
    """Turn of the trajectory that sampled the token, from 0; -1 on given tokens."""
    advantages: Floats | None = None
    """Advantage of each token: its turn's, 0 on given tokens; None without turn advantages."""

    def __len__(self) -> int:
        return len(self.token_ids)


def to_samples(
    trajectory: Trajectory, turn_advantages: Sequence[float] | Floats | None = None
) -> list[TokenSample]:
    """Return the token sequences of a trajectory, in order; every turn is in exactly one.

    The sampled stop token belongs to the turn. What a renderer puts between a turn and the next
    (closing tokens after a turn cut at its length, the new messages) stands in the next prompt and
    counts as given.

    Args:
        trajectory: An episode whose completions carry token ids.
        turn_advantages: One a turn; copied to the turn's tokens.

    Raises:
        ValueError: If there is no turn, a completion has no token ids, or `turn_advantages` are not
            one finite number a turn.
    """
    per_turn = None if turn_advantages is None else _checked(trajectory, turn_advantages)
    pieces: list[_Sequence] = []
    for number, turn in enumerate(trajectory.turns):
        completion = turn.completion
        if not completion.prompt_ids or not completion.completion_ids:
            raise ValueError(
                f"task {trajectory.task_id!r}, turn {number}: expected prompt and completion ids, "
                f"got {len(completion.prompt_ids)} and {len(completion.completion_ids)}; play it "
                "with a policy that records tokens"
            )
        if not pieces or not pieces[-1].extended_by(completion):
            pieces.append(_Sequence())
        pieces[-1].add(completion, number)
    if not pieces:
        raise ValueError(f"task {trajectory.task_id!r}: expected at least one turn, got none")
    return [piece.sample(per_turn) for piece in pieces]


class _Sequence:
    """A sequence that grows by turns."""

    def __init__(self) -> None:
        self.ids: tuple[int, ...] = ()
        self.turns: list[int] = []
        self.logprobs: list[float] | None = []

    def extended_by(self, completion: Completion) -> bool:
        return completion.prompt_ids[: len(self.ids)] == self.ids

    def add(self, completion: Completion, number: int) -> None:
        given = len(completion.prompt_ids) - len(self.ids)
        self.ids = completion.prompt_ids + completion.completion_ids
        self.turns += [GIVEN] * given + [number] * len(completion.completion_ids)
        if completion.logprobs is None or self.logprobs is None:
            self.logprobs = None
        else:
            self.logprobs += [0.0] * given + list(completion.logprobs)

    def sample(self, per_turn: Floats | None) -> TokenSample:
        turn_index = np.array(self.turns, dtype=np.int64)
        return TokenSample(
            token_ids=np.array(self.ids, dtype=np.int64),
            loss_mask=(turn_index != GIVEN).astype(np.int64),
            logprobs=None if self.logprobs is None else np.array(self.logprobs, dtype=np.float64),
            turn_index=turn_index,
            advantages=None if per_turn is None else per_turn[turn_index],
        )


def _checked(trajectory: Trajectory, turn_advantages: Sequence[float] | Floats) -> Floats:
    """Return the advantages with a 0 behind them, where turn index -1 looks."""
    advantages = np.asarray(turn_advantages, dtype=np.float64)
    if advantages.shape != (len(trajectory.turns),):
        raise ValueError(
            f"task {trajectory.task_id!r}: expected one advantage for each of "
            f"{len(trajectory.turns)} turns, got shape {advantages.shape}"
        )
    if not np.isfinite(advantages).all():
        bad = int(np.flatnonzero(~np.isfinite(advantages))[0])
        raise ValueError(
            f"task {trajectory.task_id!r}: expected finite advantages, got {advantages[bad]} at "
            f"turn {bad}"
        )
    return np.append(advantages, 0.0)
