from __future__ import annotations

import math

import pytest

from rmgym.advantages.a2tgpo import a2tgpo_advantages, turn_clip
from rmgym.advantages.igpo import GainRollout

GROUP = [
    GainRollout((0.2, 0.1), 1.0),
    GainRollout((-0.1, 0.3), 0.0),
    GainRollout((0.1,), 0.0),
]


def test_gains_are_normalised_among_rollouts_at_the_same_turn() -> None:
    first, _, third = a2tgpo_advantages(GROUP, alpha=0.3)
    assert first.normalised_gains.tolist() == pytest.approx([1.0690, -1.0], abs=1e-4)
    assert first.outcome_advantage == pytest.approx(math.sqrt(2), abs=1e-5)
    assert first.advantages.tolist() == pytest.approx([1.4289, 1.1142, 1.4142], abs=1e-4)
    assert first.clip_scale.tolist() == pytest.approx([1.1466, 0.8614, 1.0], abs=1e-4)
    assert len(third.advantages) == 2


def test_a_turn_that_one_rollout_reaches_has_no_say_but_counts_in_the_root() -> None:
    first, _ = a2tgpo_advantages([GainRollout((0.2, 0.9), 1.0), GainRollout((0.1,), 1.0)])
    assert first.normalised_gains.tolist() == pytest.approx([1.0, 0.0], abs=1e-3)
    assert first.advantages.tolist() == pytest.approx([1 / math.sqrt(2), 0.0, 0.0], abs=1e-3)


def test_the_clip_range_stays_within_its_bounds() -> None:
    huge = [GainRollout((1e9,), 0.0)] + [GainRollout((0.0,), 0.0)] * 40
    scales = [float(each.clip_scale[0]) for each in a2tgpo_advantages(huge, clip_k=0.3)]
    assert 0.7 < min(scales) < max(scales) < 1.3


def test_rollouts_without_gains_keep_their_outcome() -> None:
    first, second = a2tgpo_advantages([GainRollout((), 1.0), GainRollout((), 0.0)])
    assert first.advantages.tolist() == pytest.approx([1.0], abs=1e-5)
    assert second.clip_scale.tolist() == [1.0]


def test_a_missing_gain_is_an_error() -> None:
    with pytest.raises(ValueError, match="gain for every turn"):
        a2tgpo_advantages([GainRollout((None,), 1.0)])


def test_clip_takes_the_smaller_product() -> None:
    high = turn_clip([-0.9], [-1.0], advantage=2.0, clip_scale=1.5)
    assert high.ratio == pytest.approx(math.exp(0.1))
    assert high.clipped_ratio == pytest.approx(1.006)
    assert high.objective == pytest.approx(2.012)
    low = turn_clip([-0.9], [-1.0], advantage=-2.0)
    assert low.objective == pytest.approx(-2.0 * math.exp(0.1))


def test_the_log_ratio_is_capped() -> None:
    assert turn_clip([0.0], [-50.0], advantage=-1.0).ratio == pytest.approx(math.exp(10.0))


@pytest.mark.parametrize(("new", "old"), [([], []), ([-1.0], [-1.0, -2.0])])
def test_log_probabilities_must_pair(new: list[float], old: list[float]) -> None:
    with pytest.raises(ValueError, match="one new and one old"):
        turn_clip(new, old, advantage=1.0)
