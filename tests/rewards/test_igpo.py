from __future__ import annotations

import pytest

from rmgym.rewards.igpo import (
    aligned_gains,
    last_token_by_count,
    last_trainable_token,
    place_on_tokens,
)


def test_gains_stand_on_turn_ends_and_the_outcome_on_the_last() -> None:
    rewards = place_on_tokens([0.2, -0.1], 1.0, [1, 4, 6], 8)
    assert rewards.tolist() == [0, 0.2, 0, 0, -0.1, 0, 1.0, 0]


@pytest.mark.parametrize("gains", [None, [], [0.1], [0.1, 0.2, 0.3]])
def test_a_wrong_number_of_gains_drops_them_all(gains: list[float] | None) -> None:
    assert place_on_tokens(gains, 0.5, [0, 1, 2], 3).tolist() == [0, 0, 0.5]


def test_a_long_run_gets_one_zero_appended() -> None:
    assert aligned_gains([0.1] * 10, 12) == [0.1] * 10 + [0.0]


def test_a_long_run_that_is_still_short_drops_all_gains() -> None:
    assert aligned_gains([0.1] * 8, 12) == []


def test_a_long_run_ignores_gains_past_its_last_turn() -> None:
    assert aligned_gains([0.1] * 12, 12) == [0.1] * 11


def test_ten_turns_are_not_a_long_run() -> None:
    assert aligned_gains([0.1] * 8, 10) == []


@pytest.mark.parametrize("ends", [[], [2, 1], [1, 1], [-1, 2], [0, 3]])
def test_turn_ends_must_be_rising_indices(ends: list[int]) -> None:
    with pytest.raises(ValueError, match="rising turn ends"):
        place_on_tokens([0.1], 1.0, ends, 3)


def test_an_episode_has_a_turn() -> None:
    with pytest.raises(ValueError, match="at least one turn"):
        aligned_gains([], 0)


def test_the_last_trainable_token_survives_holes_where_counting_does_not() -> None:
    mask = [1, 1, 0, 0, 1, 1, 0]
    assert (last_trainable_token(mask), last_token_by_count(mask)) == (5, 3)


def test_a_mask_without_trainable_tokens_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one trainable"):
        last_trainable_token([0, 0])
