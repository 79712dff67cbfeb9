"""Where IGPO puts the rewards of an episode on its tokens.

A gain stands on the last token of its turn, the outcome on the last token of the answer turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

LONG_RUN = 10
"""Up to this many turns a wrong number of gains drops them all."""


def aligned_gains(gains: Sequence[float] | None, turns: int) -> list[float]:
    """Return the gains that an episode of `turns` turns keeps: one per turn but the last, or none.

    As IGPO's reward code does: a wrong number of gains drops all of them, except in runs of more
    than ten turns, where one 0.0 is appended first and gains past the last turn are ignored.

    >>> aligned_gains([0.5], 2), aligned_gains([0.5], 4), len(aligned_gains([0.1] * 10, 12))
    ([0.5], [], 11)
    """
    if turns < 1:
        raise ValueError(f"expected at least one turn, got {turns}")
    kept = list(gains or [])
    if kept and len(kept) != turns - 1 and turns > LONG_RUN:
        kept = [*kept, 0.0][: turns - 1]
    return kept if len(kept) == turns - 1 else []


def place_on_tokens(
    gains: Sequence[float] | None, outcome: float, turn_ends: Sequence[int], length: int
) -> NDArray[np.float64]:
    """Return the reward of each of an episode's tokens.

    Args:
        gains: One per turn but the last; see `aligned_gains` for other numbers.
        outcome: Reward of the whole episode.
        turn_ends: Index of the last trainable token of each turn, rising.
        length: Number of tokens.

    Returns:
        Array of `length` rewards, 0.0 on all tokens that end no turn.

    Raises:
        ValueError: If the turn ends are not rising indices below `length`.
    """
    ends = list(turn_ends)
    rising = all(a < b for a, b in pairwise(ends))
    if not ends or not rising or ends[0] < 0 or ends[-1] >= length:
        raise ValueError(
            f"expected rising turn ends in 0..{length - 1}, got {ends}; pass the index of the last "
            "trainable token of each turn"
        )
    rewards = np.zeros(length)
    for end, gain in zip(ends[:-1], aligned_gains(gains, len(ends)), strict=False):
        rewards[end] = gain
    rewards[ends[-1]] = outcome
    return rewards


def last_trainable_token(loss_mask: Sequence[int]) -> int:
    """Return the index of the last token with loss mask 1.

    >>> last_trainable_token([1, 1, 0, 0, 1, 1, 0])
    5

    Raises:
        ValueError: If no token is trainable.
    """
    trainable = np.flatnonzero(np.asarray(loss_mask))
    if trainable.size == 0:
        raise ValueError("expected a loss mask with at least one trainable token, got none")
    return int(trainable[-1])


def last_token_by_count(loss_mask: Sequence[int]) -> int:
    """Return the number of trainable tokens minus one: where IGPO's release puts the outcome.

    It is the last trainable token only when the mask has no holes, that is when no tool text
    stands between the turns; with holes it lands too early. Kept to compare with the release.

    >>> last_token_by_count([1, 1, 0, 0, 1, 1, 0])
    3
    """
    return int(np.sum(np.asarray(loss_mask))) - 1
