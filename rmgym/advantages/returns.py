"""Estimators that centre returns-to-go: the default, its zero-padded form, and ProRL's.

With G_t = sum_{k >= t} gamma^(k - t) r_k, the reward still to come, a baseline that does not look
at the trajectory's own later actions leaves the policy gradient as it is, even if the policy
decides when to stop. Centring rewards turn by turn and summing afterwards does not:
`turn_centred` is here to show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rmgym.advantages.batch import GroupTurns, TurnAdvantages
from rmgym.advantages.estimator import STOPPING_BIAS, Estimator
from rmgym.advantages.segments import (
    Bools,
    Floats,
    Singleton,
    centre,
    discounted_sums,
    pool_means,
    pool_sizes,
    pool_sums,
    row_sums,
    spread,
)

STD_FLOOR = 0.1
"""Smallest divisor of ProRL's stepwise centring."""


def centred_returns(
    batch: GroupTurns, *, gamma: float = 1.0, singleton: Singleton = "zero"
) -> TurnAdvantages:
    """Return G_t minus one scalar: the mean of G over all turns of the other trajectories.

    Unbiased whatever the policy decides, and the default of rmgym.

    Args:
        batch: Groups of trajectories.
        gamma: Discount per turn.
        singleton: Without another trajectory: "zero" gives 0, "raw" the return-to-go.
    """
    returns = discounted_sums(batch.rewards, batch.offsets, gamma)
    count = batch.group_count
    own_sum, own_turns = row_sums(returns, batch.offsets), batch.lengths
    other_sum = pool_sums(own_sum, batch.groups, count)[batch.groups] - own_sum
    other_turns = pool_sums(own_turns.astype(float), batch.groups, count)[batch.groups] - own_turns
    baselines = spread(other_sum / np.maximum(other_turns, 1), batch.offsets)
    lonely = np.repeat(other_turns == 0, batch.lengths)
    return batch.advantages(_minus(returns, baselines, lonely, singleton), returns=returns)


def centred_returns_padded(
    batch: GroupTurns, *, gamma: float = 1.0, singleton: Singleton = "zero"
) -> TurnAdvantages:
    """Return G_t minus the mean of G_t over the other trajectories, ended ones counting as 0.

    Unbiased whatever the policy decides; its baseline knows the turn, yet ended trajectories make
    it noisier than `centred_returns` where lengths differ.

    Args:
        batch: Groups of trajectories.
        gamma: Discount per turn.
        singleton: Without another trajectory: "zero" gives 0, "raw" the return-to-go.
    """
    returns = discounted_sums(batch.rewards, batch.offsets, gamma)
    slots, slot_count = batch.slots()
    others = pool_sizes(batch.groups, batch.group_count)[batch.turn_groups] - 1
    sums = pool_sums(returns, slots, slot_count)[slots] - returns
    baselines = sums / np.maximum(others, 1)
    return batch.advantages(_minus(returns, baselines, others == 0, singleton), returns=returns)


def position_mean(batch: GroupTurns, *, gamma: float = 1.0) -> TurnAdvantages:
    """Return G_t minus the group's mean of G_t, ended trajectories counting as 0, own one included.

    The form of IGPO's first public snapshot, with turns in place of tokens; the standard deviation
    computed there is never used. Equals (G - 1) / G times `centred_returns_padded` in a group of G.

    Args:
        batch: Groups of trajectories.
        gamma: Discount per turn.
    """
    returns = discounted_sums(batch.rewards, batch.offsets, gamma)
    slots, slot_count = batch.slots()
    sizes = pool_sizes(batch.groups, batch.group_count)[batch.turn_groups]
    means = pool_sums(returns, slots, slot_count)[slots] / sizes
    return batch.advantages(returns - means, returns=returns)


def turn_centred(batch: GroupTurns, *, gamma: float = 1.0) -> TurnAdvantages:
    """Return the sum from t on of rewards centred over the trajectories that reach their turn.

    The order of MT-GRPO and of verl issue 7244. Biased when the policy decides when to stop.

    Args:
        batch: Groups of trajectories.
        gamma: Discount per turn.
    """
    slots, slot_count = batch.slots()
    centred = centre(batch.rewards, slots, slot_count)
    return batch.advantages(discounted_sums(centred, batch.offsets, gamma))


@dataclass(frozen=True, slots=True)
class RunningMoments:
    """Count, mean and sum of squared deviations of the values seen so far (ProRL)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def updated(self, values: Sequence[float] | Floats) -> RunningMoments:
        """Return the moments with a batch of values added.

        Raises:
            ValueError: If a value is not finite.
        """
        added = np.asarray(values, dtype=np.float64)
        if not np.isfinite(added).all():
            raise ValueError(f"expected finite values, got {added[~np.isfinite(added)][0]}")
        if added.size == 0:
            return self
        count, shift = self.count + added.size, float(added.mean()) - self.mean
        within = float(((added - added.mean()) ** 2).sum())
        squares = self.squares + within + shift**2 * self.count * added.size / count
        return RunningMoments(count, self.mean + shift * added.size / count, squares)

    @property
    def std(self) -> float:
        """Sample standard deviation; 0 for fewer than two values."""
        return float(np.sqrt(self.squares / (self.count - 1))) if self.count > 1 else 0.0

    def centred(self, values: Sequence[float] | Floats, std_floor: float = STD_FLOOR) -> Floats:
        """Return (x - mean) / max(std, floor); update the moments with the batch first.

        >>> RunningMoments().updated([0.3, 0.31, 0.29, 0.3]).centred([0.29]).round(6).tolist()
        [-0.1]
        """
        scaled: Floats = (np.asarray(values, dtype=np.float64) - self.mean) / max(
            self.std, std_floor
        )
        return scaled


def prorl(
    batch: GroupTurns,
    *,
    gamma: float = 1.0,
    moments: RunningMoments | None = None,
    std_floor: float = STD_FLOOR,
) -> TurnAdvantages:
    """Return ProRL's position-specific advantages: G_t minus its mean over the active at turn t.

    No standard deviation. The own return is in the mean, so a position's gradient shrinks by
    (1 - 1 / n_t), and a trajectory alone at its position gets 0. In ProRL the end of a list is a
    turn of its own with reward 0: give it as one.

    A constant added to each turn's reward drops out with `moments` (stepwise centring) or with
    equal lengths; else it stays, as it must: it changes what a longer episode is worth.

    Args:
        batch: Groups of trajectories.
        gamma: Discount per turn.
        moments: Centre the rewards of granted turns by these first, as ProRL does with each of its
            metrics; they must have seen the batch. Stepwise centring is biased when the policy
            decides when to stop.
        std_floor: Smallest divisor of the centring.
    """
    rewards = batch.rewards
    if moments is not None:
        centred = moments.centred(batch.turn_rewards, std_floor)
        rewards = np.where(batch.granted, rewards - batch.turn_rewards + centred, rewards)
    returns = discounted_sums(rewards, batch.offsets, gamma)
    slots, slot_count = batch.slots()
    baseline = pool_means(returns, slots, slot_count)[slots]
    return batch.advantages(returns - baseline, returns=returns, baseline=baseline)


def _minus(returns: Floats, baselines: Floats, lonely: Bools, singleton: Singleton) -> Floats:
    if singleton not in ("zero", "raw"):
        raise ValueError(f"expected singleton 'zero' or 'raw', got {singleton!r}")
    alone = returns if singleton == "raw" else np.zeros_like(returns)
    return np.where(lonely, alone, returns - baselines)


CENTRED_RETURNS = Estimator(
    name="centred_returns",
    function=centred_returns,
    source="rmgym; leave-one-out baseline of REINFORCE (Kool et al. 2019)",
    equation="G_t - mean of G over all turns of the others",
    confidence="ours",
)
CENTRED_RETURNS_PADDED = Estimator(
    name="centred_returns_padded",
    function=centred_returns_padded,
    source="rmgym; leave-one-out baseline of REINFORCE (Kool et al. 2019)",
    equation="G_t - mean of G_t over the others, 0 once ended",
    confidence="ours",
)
POSITION_MEAN = Estimator(
    name="token_return_minus_position_mean",
    function=position_mean,
    source="IGPO, first public snapshot (bff163b), core_algos.py",
    equation="G_t - mean of G_t over the group, 0 once ended",
    confidence="source",
)
TURN_CENTRED = Estimator(
    name="turn_centred",
    function=turn_centred,
    source="the order of MT-GRPO and verl issue 7244",
    equation="sum_{k >= t} gamma^(k-t) (r_k - mean of r_k over the active)",
    confidence="secondary",
    bias_note=STOPPING_BIAS,
)
PRORL = Estimator(
    name="prorl",
    function=prorl,
    source="ProRL, trainer_RL_prorl.py",
    equation="G_t - mean of G_t over the active at t",
    confidence="source",
    bias_note=(
        "Position t is scaled by (1 - 1/n_t), n_t the active trajectories there, so late turns "
        "that few reach count less; with stepwise centring also biased when the policy decides "
        "when to stop."
    ),
)
