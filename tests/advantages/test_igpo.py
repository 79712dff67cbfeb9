from __future__ import annotations

import math
from typing import Literal

import pytest

from rmgym.advantages.igpo import (
    GainRollout,
    igpo_advantages,
    igpo_first_release_advantages,
    population_zscore,
)

PAIR = [GainRollout((0.2, 0.1), 1.0), GainRollout((-0.1,), 0.0)]
ZERO = [GainRollout((0.0, 0.1), 1.0), GainRollout((-0.1,), 0.0)]


def test_zscore_takes_the_population_and_both_epsilons() -> None:
    expected = 1.0 / (math.sqrt(1.0 + 1e-8) + 1e-6)
    assert population_zscore([3.0, 1.0]).tolist() == pytest.approx([expected, -expected], rel=1e-12)


def test_equal_values_normalise_to_zero() -> None:
    assert population_zscore([0.3, 0.3, 0.3]).tolist() == pytest.approx([0.0] * 3, abs=1e-12)


def test_nothing_normalises_to_nothing() -> None:
    assert population_zscore([]).tolist() == []


def test_separate_pools_with_discount() -> None:
    # gains .2, .1, -.1: mean .0667, std .1247, z 1.0690, .2673, -1.3363; outcomes +-1
    first, second = igpo_advantages(PAIR, norm="separate", gamma=0.9)
    assert first.tolist() == pytest.approx([2.11957, 1.16726, 1.0], abs=2e-5)
    assert second.tolist() == pytest.approx([-2.23631, -1.0], abs=2e-5)


def test_joint_pool() -> None:
    first, second = igpo_advantages(PAIR)
    assert first.tolist() == pytest.approx([1.4761, 1.5779, 1.9341], abs=1e-4)
    assert second.tolist() == pytest.approx([-1.4761, -0.6108], abs=1e-4)


def test_a_zero_gain_is_a_turn_like_any_other() -> None:
    first, _ = igpo_advantages(ZERO, norm="separate", gamma=0.5)
    assert first.tolist() == pytest.approx([0.86237, 1.72474, 1.0], abs=5e-5)


def test_the_release_drops_a_zero_gain_and_its_turn_inherits_the_next() -> None:
    first, second = igpo_advantages(ZERO, norm="separate", gamma=0.5, drop_zero=True)
    assert first.tolist() == pytest.approx([1.5, 1.5, 1.0], abs=2e-5)
    assert second.tolist() == pytest.approx([-1.5, -1.0], abs=2e-5)


def test_a_missing_gain_is_no_boundary() -> None:
    missing = [GainRollout((None, 0.1), 1.0), GainRollout((-0.1,), 0.0)]
    for mine, released in zip(
        igpo_advantages(missing), igpo_advantages(ZERO, drop_zero=True), strict=True
    ):
        assert mine.tolist() == released.tolist()


def test_a_lone_outcome_normalises_to_zero_while_its_gains_form_a_group() -> None:
    (only,) = igpo_advantages([GainRollout((0.3, 0.1), 1.0)], norm="separate")
    assert only.tolist() == pytest.approx([0.0, -1.0, 0.0], abs=2e-5)


def test_an_empty_group_has_no_advantages() -> None:
    assert igpo_advantages([]) == []


@pytest.mark.parametrize("bad", [GainRollout((math.nan,), 1.0), GainRollout((), math.inf)])
def test_a_reward_that_is_not_finite_is_an_error(bad: GainRollout) -> None:
    with pytest.raises(ValueError, match="finite rewards"):
        igpo_advantages([bad])


def test_an_unknown_norm_is_an_error() -> None:
    norm: Literal["joint"] = "pooled"  # type: ignore[assignment]  # the error is the test
    with pytest.raises(ValueError, match="'joint' or 'separate'"):
        igpo_advantages(PAIR, norm=norm)


def test_first_release_is_token_return_minus_position_mean() -> None:
    found = igpo_first_release_advantages([[0, 1, 0, 1], [0, 0, 0, 0]], [[1] * 4] * 2)
    assert found.tolist() == [[1, 1, 0.5, 0.5], [-1, -1, -0.5, -0.5]]


def test_first_release_cuts_the_return_at_a_masked_token() -> None:
    found = igpo_first_release_advantages([[0, 1, 0, 1], [0, 0, 0, 0]], [[1, 1, 0, 1], [1] * 4])
    assert found.tolist() == [[0.5, 0.5, 0.0, 0.5], [-0.5] * 4]


def test_first_release_gives_a_group_of_one_nothing() -> None:
    assert igpo_first_release_advantages([[0, 1]], [[1, 1]]).tolist() == [[0, 0]]


def test_first_release_needs_one_shape() -> None:
    with pytest.raises(ValueError, match="one shape"):
        igpo_first_release_advantages([[0, 1]], [[1]])
