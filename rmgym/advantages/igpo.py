"""IGPO's turn advantages: gains and outcomes of a group, normalised and accumulated.

The paper's order, normalise each turn's reward and then accumulate, is biased when the policy
decides when to stop; centred returns-to-go are not. It is offered here as published.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
GainNorm: TypeAlias = Literal["joint", "separate"]

VARIANCE_EPS = 1e-8
"""Added to the population variance, inside the root."""
STD_EPS = 1e-6
"""Added to the standard deviation."""


class GainRollout(NamedTuple):
    """Rewards of one rollout of a group."""

    gains: Sequence[float | None]
    """One per turn but the last; None for a turn that has no gain."""
    outcome: float
    """Reward of the last turn."""


def population_zscore(values: Sequence[float] | Floats) -> Floats:
    """Return (x - mean) / (sqrt(variance + 1e-8) + 1e-6), variance over all values.

    A single value has standard deviation 1 and becomes 0.

    >>> population_zscore([3.0]).tolist()
    [0.0]
    """
    array: Floats = np.asarray(values, dtype=np.float64)
    if array.size <= 1:
        return np.zeros_like(array)
    deviations = array - array.mean()
    zscores: Floats = deviations / (np.sqrt(np.mean(deviations**2) + VARIANCE_EPS) + STD_EPS)
    return zscores


def igpo_advantages(
    group: Sequence[GainRollout],
    *,
    norm: GainNorm = "joint",
    gamma: float = 1.0,
    drop_zero: bool = False,
) -> list[Floats]:
    """Return one advantage per turn of each rollout of a group.

    z-scores are taken over all (rollout, turn) entries of the group, in one pool ("joint", arXiv
    v1) or one for gains and one for outcomes ("separate", ICLR text); then
    A_t = z_t + gamma A_{t+1}, backwards from the outcome.

    A turn without a gain is no boundary: it takes the next boundary's advantage and stays out of
    the statistics. With `drop_zero` a gain of exactly 0 counts as none, as in the released code,
    which finds turn ends by non-zero reward.

    Args:
        group: The rollouts of one prompt.
        norm: One pool or two.
        gamma: Discount per boundary.
        drop_zero: Treat a zero gain as no gain.

    Returns:
        One array per rollout, of len(gains) + 1 advantages.

    Raises:
        ValueError: If a reward is not finite, or `norm` is unknown.
    """
    if norm not in ("joint", "separate"):
        raise ValueError(f"expected norm 'joint' or 'separate', got {norm!r}")
    check_finite(group)
    gains = [_boundaries(rollout.gains, drop_zero) for rollout in group]
    found: list[Floats] = []
    for row, outcome in zip(*_zscores(gains, group, norm), strict=True):
        found.append(_accumulate([*row, outcome], gamma))
    return found


def igpo_first_release_advantages(
    token_rewards: Sequence[Sequence[float]], loss_mask: Sequence[Sequence[int]]
) -> Floats:
    """Return the token advantages of IGPO's first public snapshot, for one group.

    Token-level return-to-go, not discounted, minus the group's mean at the same token position;
    no division by a standard deviation and no broadcast over the turn. A token outside the mask
    keeps its own return in the mean, cuts the return of the tokens before it, and gets 0.

    Args:
        token_rewards: Shape (rollouts, tokens).
        loss_mask: Same shape, 1 on trainable tokens.

    Raises:
        ValueError: If the shapes differ.
    """
    rewards = np.asarray(token_rewards, dtype=np.float64)
    mask = np.asarray(loss_mask, dtype=np.float64)
    if rewards.ndim != 2 or rewards.shape != mask.shape:
        raise ValueError(
            f"expected two arrays of one shape (rollouts, tokens), got {rewards.shape} and "
            f"{mask.shape}; pad the rollouts to one length"
        )
    returns = np.zeros_like(rewards)
    following = np.zeros(rewards.shape[0])
    for position in reversed(range(rewards.shape[1])):
        returns[:, position] = rewards[:, position] + following
        following = returns[:, position] * mask[:, position]
    advantages: Floats = (returns - returns.mean(axis=0)) * mask
    return advantages


def check_finite(group: Sequence[GainRollout]) -> None:
    """Raise ValueError if a gain or an outcome of the group is not finite."""
    for index, rollout in enumerate(group):
        for reward in (*rollout.gains, rollout.outcome):
            if reward is not None and not math.isfinite(reward):
                raise ValueError(
                    f"expected finite rewards, got {reward} in rollout {index}; leave an episode "
                    "that could not be scored out of its group"
                )


def _zscores(
    gains: Sequence[Sequence[float | None]], group: Sequence[GainRollout], norm: GainNorm
) -> tuple[list[list[float | None]], list[float]]:
    """Return the z-scores of the gains, in their places, and of the outcomes."""
    present = [gain for row in gains for gain in row if gain is not None]
    outcomes = [rollout.outcome for rollout in group]
    if norm == "joint":
        pooled = population_zscore(present + outcomes).tolist()
    else:
        pooled = [*population_zscore(present).tolist(), *population_zscore(outcomes).tolist()]
    scores = iter(pooled)
    rows = [[None if gain is None else next(scores) for gain in row] for row in gains]
    return rows, list(scores)


def _boundaries(gains: Sequence[float | None], drop_zero: bool) -> list[float | None]:
    return [None if drop_zero and gain == 0 else gain for gain in gains]


def _accumulate(scores: Sequence[float | None], gamma: float) -> Floats:
    advantages = np.zeros(len(scores))
    following = 0.0
    for turn in reversed(range(len(scores))):
        score = scores[turn]
        if score is not None:
            following = score + gamma * following
        advantages[turn] = following
    return advantages
