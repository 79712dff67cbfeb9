"""Turn rewards on single tokens, and advantages made of them again.

verl, SkyRL and OpenRLHF hand an estimator one reward a token, a mask and the group, and nothing
else. All that an estimator of turn rewards needs survives that way:

- a turn's reward stands on its last token;
- a reward of 0 is written as 2**-100 and no reward at all as 2**-101, which no sum notices, so
  that they stay apart and every turn's end shows;
- the outcome stands on the row's last sampled token; a reward that the last turn was granted
  besides stands one token before.

Turns are the runs of 1 in the loss mask: between two turns stands at least the head of the agent's
message, which is given. Where the loss mask is not at hand, the marks tell turns apart.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rmgym.advantages import DEFAULT, GroupTurns, get

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

ZERO = 2.0**-100
"""Stands for a reward of 0; exact in float32 and bfloat16."""
NONE = 2.0**-101
"""Stands for no reward at a turn's end."""


class TurnRewards(NamedTuple):
    """What an episode earned."""

    turns: tuple[float | None, ...]
    """What each turn was granted by itself; None for nothing."""
    outcome: float | None
    """What the episode earned as a whole, on top; None if it is not kept apart."""

    @property
    def total(self) -> float:
        """The episode's return."""
        return sum(reward or 0.0 for reward in self.turns) + (self.outcome or 0.0)


class TokenCredit(NamedTuple):
    """What an estimator makes of a batch of token rewards, arrays of shape (B, T)."""

    advantages: Floats
    """The turn's advantage on each of its tokens, 0 elsewhere."""
    returns: Floats
    """Rewards from the turn on, to the end of the episode; 0 outside turns."""
    clip_scales: Floats | None
    """Factor on the clip range, 1 outside turns; None if the estimator gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEstimator:
    """An estimator of `rmgym.advantages` over token rewards.

    It can be one that needs turn rewards and outcomes; states, trees, critics and single reward
    terms are not there.
    """

    estimator: str = DEFAULT
    has_outcome: bool = False
    """Whether the last reward of a row is the outcome, kept apart from the turns'."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the estimator."""

    def __call__(
        self, token_rewards: ArrayLike, turn_index: ArrayLike, groups: Sequence[Hashable]
    ) -> TokenCredit:
        """Return the credit of each token.

        A row without a turn (padding, a failed episode) belongs to no group.

        Args:
            token_rewards: Shape (B, T), as written by `place`.
            turn_index: Shape (B, T), turn of each token, -1 outside turns.
            groups: Label of each row's group.

        Raises:
            ValueError: If shapes differ, or the estimator needs what is not there.
        """
        turns = np.asarray(turn_index, dtype=np.int64)
        rewards = np.asarray(token_rewards, dtype=np.float64)
        if turns.shape != rewards.shape or turns.ndim != 2 or len(groups) != len(turns):
            raise ValueError(
                "expected rewards and turns of one shape (rows, tokens) and a group for each row, "
                f"got {rewards.shape}, {turns.shape} and {len(groups)} groups"
            )
        played = np.flatnonzero((turns >= 0).any(axis=1))
        empty = np.zeros_like(rewards)
        if played.size == 0:
            return TokenCredit(empty, empty.copy(), None)
        earned = [read(rewards[row], turns[row], self.has_outcome) for row in played]
        batch = GroupTurns.from_lists(
            [each.turns for each in earned],
            groups=[groups[row] for row in played.tolist()],
            outcomes=[each.outcome or 0.0 for each in earned] if self.has_outcome else None,
        )
        credit = get(self.estimator)(batch, **self.params)
        after = [r[::-1].cumsum()[::-1] for r in np.split(batch.rewards, batch.offsets[1:-1])]
        scales = None
        if "clip_scale" in credit.extras:
            scales = _spread(credit.extra("clip_scale"), played, turns, 1.0)
        return TokenCredit(
            _spread(credit.per_trajectory(), played, turns, 0.0),
            _spread(after, played, turns, 0.0),
            scales,
        )


def turn_numbers(loss_mask: ArrayLike) -> Ints:
    """Return the turn of each token of rows (B, T), from 0; -1 outside turns.

    >>> turn_numbers([[1, 1, 0, 1, 0]]).tolist()
    [[0, 0, -1, 1, -1]]
    """
    mask = np.asarray(loss_mask, dtype=np.int64)
    starts = np.diff(mask, axis=1, prepend=0) == 1
    return np.where(mask == 1, np.cumsum(starts, axis=1) - 1, -1)


def turn_numbers_by_marks(
    token_rewards: ArrayLike, response_mask: ArrayLike, has_outcome: bool
) -> Ints:
    """Return the turn of each token of rows (B, T) where the mask covers given tokens too.

    A turn then reaches from the end of the one before to its own: what it was given is part of it,
    and left to the loss mask.

    Args:
        token_rewards: As written by `place`.
        response_mask: 1 on all tokens of the response, 0 on padding.
        has_outcome: Whether the last reward is the outcome.

    Raises:
        ValueError: If rewards stand on other tokens than turns' ends, such as a KL penalty.

    >>> turn_numbers_by_marks([[0, 0.5, 0, 0, 1, 0]], [[1, 1, 1, 1, 1, 0]], False).tolist()
    [[0, 0, 1, 1, 1, -1]]
    """
    rewards = np.asarray(token_rewards, dtype=np.float64)
    mask = np.asarray(response_mask, dtype=np.int64)
    ends = (rewards != 0) & (mask == 1)
    for row in ends:
        marked = np.flatnonzero(row)
        if has_outcome and marked.size > 1 and marked[-1] == marked[-2] + 1:
            row[marked[-2]] = False
    if (ends[:, 1:] & ends[:, :-1]).any():
        raise ValueError(
            "expected rewards at the ends of turns alone, got some on neighbouring tokens; keep "
            "penalties out of the rewards (use_kl_in_reward=false)"
        )
    before = np.cumsum(ends, axis=1) - ends
    return np.where((mask == 1) & (before < ends.sum(axis=1, keepdims=True)), before, -1)


def place(rewards: TurnRewards, turn_index: Ints) -> Floats:
    """Return the reward of each token of a row.

    Args:
        rewards: What the whole episode earned.
        turn_index: Turn of each token of the row, -1 on given tokens.

    Raises:
        ValueError: If two turns touch, or the last turn earned a reward and the outcome and has one
            token only.
    """
    found = np.zeros(len(turn_index))
    here, after = turn_index[:-1], turn_index[1:]
    touching = np.flatnonzero((here != after) & (here >= 0) & (after >= 0))
    if touching.size:
        at = int(touching[0])
        raise ValueError(
            f"expected given tokens between two turns, got turn {turn_index[at + 1]} right after "
            f"turn {turn_index[at]}; trainers find turns by the loss mask"
        )
    for turn in np.unique(turn_index[turn_index >= 0]).tolist():
        tokens = np.flatnonzero(turn_index == turn)
        granted, end = rewards.turns[turn], int(tokens[-1])
        if turn < len(rewards.turns) - 1 or rewards.outcome is None:
            found[end] = NONE if granted is None else granted or ZERO
            continue
        found[end] = rewards.outcome or ZERO
        if granted is not None:
            if len(tokens) == 1:
                raise ValueError(
                    f"turn {turn}: expected two tokens at least, for its own reward and for the "
                    "outcome, got one"
                )
            found[end - 1] = granted or ZERO
    return found


def read(token_rewards: Floats, turn_index: Ints, has_outcome: bool) -> TurnRewards:
    """Return what `place` was given, from one row."""
    count = int(turn_index.max()) + 1
    turns: list[float | None] = []
    outcome: float | None = None
    for turn in range(count):
        values = token_rewards[turn_index == turn]
        if has_outcome and turn == count - 1:
            outcome, values = _granted(values[-1:]) or 0.0, values[:-1]
        turns.append(_granted(values))
    return TurnRewards(tuple(turns), outcome)


def _granted(values: Floats) -> float | None:
    """Return the sum of what stands on the tokens of a turn; None for nothing."""
    total = float(values.sum())
    if total in (0.0, NONE):
        return None
    return 0.0 if total == ZERO else total


def _spread(values: Sequence[Floats], rows: Ints, turns: Ints, outside: float) -> Floats:
    spread = np.full(turns.shape, outside)
    for row, own in zip(rows, values, strict=True):
        spread[row] = np.append(own, outside)[turns[row]]
    return spread
