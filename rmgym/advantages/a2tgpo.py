"""A2TGPO's turn-group advantages and adaptive clip range (arXiv 2605.06200).

Gains are normalised among the rollouts of a prompt at the same turn index, accumulated with a
square-root rescaling, and added to the normalised outcome. The same normalised gain widens or
narrows the clip range of its turn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rmgym.advantages.igpo import Floats, GainRollout, check_finite, population_zscore

LOG_RATIO_CAP = 10.0
"""Largest mean log-ratio of a turn."""


@dataclass(frozen=True, slots=True)
class TurnGroupAdvantages:
    """What A2TGPO gives one rollout of n gain turns and an answer turn."""

    normalised_gains: Floats
    """Shape (n,)."""
    outcome_advantage: float
    advantages: Floats
    """Shape (n + 1,); the last is the answer turn's."""
    clip_scale: Floats
    """Shape (n + 1,), within (1 - clip_k, 1 + clip_k); 1 for the answer turn."""


@dataclass(frozen=True, slots=True)
class TurnClip:
    """The clipped objective of one turn."""

    ratio: float
    clipped_ratio: float
    objective: float


def a2tgpo_advantages(
    group: Sequence[GainRollout],
    *,
    gamma: float = 1.0,
    alpha: float = 1.0,
    clip_k: float = 0.3,
) -> list[TurnGroupAdvantages]:
    """Return A2TGPO's advantages for the rollouts of one prompt.

    With g_t the z-score of the gain among the rollouts that reach turn t (0 if only one does) and
    O that of the outcome: D_t = sum_{j >= t} gamma^(j - t) g_j over the n gain turns,
    A_t = alpha D_t / sqrt(n - t + 1) + O, and clip scale 1 + clip_k (2 sigmoid(g_t) - 1). Every
    turn counts, a gain of exactly 0 too; the released code skips those.

    Args:
        group: The rollouts of one prompt; every turn but the last has a gain.
        gamma: Discount per turn.
        alpha: Weight of the gains; the released script trains with 0.3.
        clip_k: Largest change of the clip range.

    Raises:
        ValueError: If a gain is missing or a reward is not finite.
    """
    check_finite(group)
    gains = [_gains(rollout, index) for index, rollout in enumerate(group)]
    normalised = _by_turn_index(gains)
    outcomes = population_zscore([rollout.outcome for rollout in group]).tolist()
    return [
        TurnGroupAdvantages(
            normalised_gains=row,
            outcome_advantage=outcome,
            advantages=np.append(alpha * _rescaled_sums(row, gamma) + outcome, outcome),
            clip_scale=np.append(1.0 + clip_k * np.tanh(row / 2), 1.0),
        )
        for row, outcome in zip(normalised, outcomes, strict=True)
    ]


def turn_clip(
    logp_new: Sequence[float],
    logp_old: Sequence[float],
    *,
    advantage: float,
    clip_scale: float = 1.0,
    eps_low: float = 3e-3,
    eps_high: float = 4e-3,
) -> TurnClip:
    """Return the ratio of one turn, its clipped value and the objective, the smaller product.

    The ratio is exp(mean token log-ratio), the mean capped at 10; the clip range is
    [1 - eps_low * clip_scale, 1 + eps_high * clip_scale].

    Raises:
        ValueError: If the log-probabilities are empty or differ in number.
    """
    if not logp_new or len(logp_new) != len(logp_old):
        raise ValueError(
            f"expected one new and one old log-probability per token, got {len(logp_new)} and "
            f"{len(logp_old)}"
        )
    log_ratio = sum(n - o for n, o in zip(logp_new, logp_old, strict=True)) / len(logp_new)
    ratio = math.exp(min(log_ratio, LOG_RATIO_CAP))
    clipped = min(max(ratio, 1 - eps_low * clip_scale), 1 + eps_high * clip_scale)
    return TurnClip(ratio, clipped, min(ratio * advantage, clipped * advantage))


def _gains(rollout: GainRollout, index: int) -> list[float]:
    gains = [gain for gain in rollout.gains if gain is not None]
    if len(gains) != len(rollout.gains):
        raise ValueError(
            f"expected a gain for every turn but the last, got {list(rollout.gains)} in rollout "
            f"{index}; leave a turn that could not be scored out, or the rollout"
        )
    return gains


def _by_turn_index(gains: Sequence[Sequence[float]]) -> list[Floats]:
    normalised = [np.zeros(len(row)) for row in gains]
    for turn in range(max((len(row) for row in gains), default=0)):
        reached = [i for i, row in enumerate(gains) if len(row) > turn]
        scores = population_zscore([gains[i][turn] for i in reached])
        for i, score in zip(reached, scores, strict=True):
            normalised[i][turn] = score
    return normalised


def _rescaled_sums(gains: Floats, gamma: float) -> Floats:
    sums = np.zeros(len(gains))
    following = 0.0
    for turn in reversed(range(len(gains))):
        following = gains[turn] + gamma * following
        sums[turn] = following / math.sqrt(len(gains) - turn)
    return sums
