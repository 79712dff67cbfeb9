"""IGPO and A2TGPO over whole batches; `igpo` and `a2tgpo` give them for the lists of one group.

Both centre turn rewards and then sum them, which is biased when the policy decides when to stop.
They are offered as published.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from rmgym.advantages.batch import GroupTurns, TurnAdvantages
from rmgym.advantages.estimator import STOPPING_BIAS, Estimator, needed
from rmgym.advantages.igpo import STD_EPS, VARIANCE_EPS, GainNorm
from rmgym.advantages.segments import (
    Bools,
    Floats,
    Ints,
    discounted_sums,
    offsets_of,
    pool_sums,
    spread,
    standardise,
)

Scale: TypeAlias = Literal["std", "none"]


def igpo(
    batch: GroupTurns,
    *,
    norm: GainNorm = "joint",
    gamma: float = 1.0,
    drop_zero: bool = False,
    scale: Scale = "std",
) -> TurnAdvantages:
    """Return IGPO's advantages: A_t = z_t + gamma * A_{t+1}, backwards from the outcome's z.

    z-scores (population form) are taken over the group's turn rewards and outcomes, in one pool
    ("joint") or one each ("separate"). A turn without a reward is no boundary: it takes the next
    boundary's advantage. A reward granted to the last turn, which IGPO does not have, adds its z to
    the outcome's. Biased when the policy decides when to stop.

    Args:
        batch: Groups of trajectories with outcomes.
        norm: One pool or two.
        gamma: Discount per boundary.
        drop_zero: Take a turn reward of exactly 0 as none, as the released code does.
        scale: "none" centres without dividing, to show the effect of the order alone.
    """
    outcomes = needed(batch.outcomes, "outcomes")
    if norm not in ("joint", "separate") or scale not in ("std", "none"):
        raise ValueError(f"expected norm 'joint' or 'separate', got {norm!r}, scale {scale!r}")
    granted = batch.granted & (batch.turn_rewards != 0) if drop_zero else batch.granted
    gains, owners = batch.turn_rewards[granted], batch.turn_groups[granted]
    divide = scale == "std"
    if norm == "joint":
        pooled = np.concatenate([gains, outcomes])
        both = _zscore(pooled, np.concatenate([owners, batch.groups]), batch.group_count, divide)
        gain_scores, outcome_scores = both[: gains.size], both[gains.size :]
    else:
        gain_scores = _zscore(gains, owners, batch.group_count, divide)
        outcome_scores = _zscore(outcomes, batch.groups, batch.group_count, divide)
    scores = np.zeros_like(batch.turn_rewards)
    scores[granted] = gain_scores
    ends = batch.offsets[1:] - 1
    scores[ends] += outcome_scores
    boundary = granted.copy()
    boundary[ends] = True
    return batch.advantages(_to_next_boundary(scores, boundary, batch.offsets, gamma))


def a2tgpo(
    batch: GroupTurns, *, gamma: float = 1.0, alpha: float = 1.0, clip_k: float = 0.3
) -> TurnAdvantages:
    """Return A2TGPO's advantages: alpha * D_t / sqrt(n - t + 1) + O.

    D_t is the discounted sum of normalised gains from t on. The gain of turn t is normalised among
    the group's trajectories that have a gain at t; n is the trajectory's number of gains. A last
    turn without a gain, as in A2TGPO, gets O, the normalised outcome. Biased when the policy
    decides when to stop.

    Args:
        batch: Groups of trajectories with outcomes.
        gamma: Discount per turn.
        alpha: Weight of the gains; the released script trains with 0.3.
        clip_k: Largest change of the clip range.

    Returns:
        Extras `clip_scale` (1 + clip_k (2 sigmoid(g) - 1), 1 without a gain), `normalised_gain`
        (one value a turn) and `outcome_advantage`, shape (M,).

    Raises:
        ValueError: If the batch lacks outcomes, or a turn before the last has no gain.
    """
    outcomes = needed(batch.outcomes, "outcomes")
    ends = batch.offsets[1:] - 1
    _check_gains(batch, ends)
    slots, slot_count = batch.slots()
    has_gain = batch.granted
    gains = np.zeros_like(batch.turn_rewards)
    gains[has_gain] = _zscore(batch.turn_rewards[has_gain], slots[has_gain], slot_count, True)
    outcome = _zscore(outcomes, batch.groups, batch.group_count, True)
    left = np.repeat(batch.lengths, batch.lengths) - batch.positions
    left -= np.repeat(~has_gain[ends], batch.lengths)
    sums = discounted_sums(gains, batch.offsets, gamma) / np.sqrt(np.maximum(left, 1))
    return batch.advantages(
        alpha * sums + spread(outcome, batch.offsets),
        clip_scale=1.0 + clip_k * np.tanh(gains / 2),
        normalised_gain=gains,
        outcome_advantage=outcome,
    )


def _zscore(values: Floats, codes: Ints, count: int, divide: bool) -> Floats:
    return standardise(
        values, codes, count, ddof=0, eps=STD_EPS, variance_eps=VARIANCE_EPS, divide=divide
    )


def _to_next_boundary(scores: Floats, boundary: Bools, offsets: Ints, gamma: float) -> Floats:
    """Accumulate over boundaries; a turn between takes the advantage of the next one."""
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    per_row = pool_sums(boundary.astype(np.float64), rows, len(offsets) - 1).astype(np.int64)
    sums = discounted_sums(scores[boundary], offsets_of(per_row), gamma)
    advantages: Floats = sums[np.cumsum(boundary) - boundary]
    return advantages


def _check_gains(batch: GroupTurns, ends: Ints) -> None:
    missing = ~batch.granted
    missing[ends] = False
    if missing.any():
        at = int(np.flatnonzero(missing)[0])
        row = int(np.searchsorted(batch.offsets, at, side="right")) - 1
        raise ValueError(
            f"expected a gain for every turn but the last, got none in trajectory {row}, turn "
            f"{at - int(batch.offsets[row])}; leave a turn that could not be scored out, or the "
            "trajectory"
        )


IGPO = Estimator(
    name="igpo",
    function=igpo,
    source="IGPO (GuoqingWang1/IGPO, core_algos.py; ICLR 2026)",
    equation="z_t + gamma A_{t+1}, z over the group's gains and outcomes",
    confidence="source",
    needs=("outcomes",),
    bias_note=STOPPING_BIAS,
)
A2TGPO = Estimator(
    name="a2tgpo",
    function=a2tgpo,
    source="A2TGPO (CuSO4-Chen/A-TGPO, core_algos.py; arXiv 2605.06200)",
    equation="alpha D_t / sqrt(n - t + 1) + O, D_t = g_t + gamma D_{t+1}",
    confidence="source",
    needs=("outcomes",),
    bias_note=STOPPING_BIAS,
)
