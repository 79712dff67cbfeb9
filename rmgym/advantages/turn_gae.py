"""Generalised advantage estimation with one step per turn."""

from __future__ import annotations

import numpy as np

from rmgym.advantages.batch import GroupTurns, TurnAdvantages
from rmgym.advantages.estimator import Estimator, needed
from rmgym.advantages.segments import discounted_sums, standardise


def turn_gae(
    batch: GroupTurns, *, gamma: float = 1.0, lam: float = 0.95, whiten: bool = False
) -> TurnAdvantages:
    """Return d_t + gamma * lam * A_{t+1}, with d_t = r_t + gamma * V_{t+1} - V_t.

    Args:
        batch: Trajectories with values; after the last turn V is the batch's bootstrap, else 0. A
            truncated episode must bootstrap, which verl does not do.
        gamma: Discount per turn.
        lam: Weight of later differences.
        whiten: Standardise over all turns of the batch (sample form, 1e-8 inside the root), as verl
            does over tokens.

    Returns:
        Extra `returns`: advantage (not whitened) plus value.
    """
    values = needed(batch.values, "values")
    ends = batch.offsets[1:] - 1
    following = np.append(values[1:], 0.0)
    following[ends] = 0.0 if batch.bootstraps is None else batch.bootstraps
    differences = batch.rewards + gamma * following - values
    advantages = discounted_sums(differences, batch.offsets, gamma * lam)
    returns = advantages + values
    if whiten:
        one_pool = np.zeros(advantages.size, dtype=np.int64)
        advantages = standardise(advantages, one_pool, 1, ddof=1, eps=0.0, variance_eps=1e-8)
    return batch.advantages(advantages, returns=returns)


TURN_GAE = Estimator(
    name="turn_gae",
    function=turn_gae,
    source="GAE (Schulman et al. 2016), one step per turn (verl core_algos.py L213-262)",
    equation="d_t + gamma lam A_{t+1}, d_t = r_t + gamma V_{t+1} - V_t",
    confidence="source",
    needs=("values",),
    bias_note="As wrong as its critic when lam < 1; exact values leave no bias.",
)
