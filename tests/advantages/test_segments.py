"""Ragged arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from rmgym.advantages.segments import discounted_sums, offsets_of, positions, standardise


def test_discounted_sums_stay_within_their_row() -> None:
    flat = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    found = discounted_sums(flat, offsets_of([3, 1, 2]), 0.5)
    assert found.tolist() == [3.0, 4.0, 4.0, 8.0, 32.0, 32.0]


def test_discounted_sums_leave_their_input() -> None:
    flat = np.ones(3)
    discounted_sums(flat, offsets_of([3]), 1.0)
    assert flat.tolist() == [1.0, 1.0, 1.0]


def test_discounted_sums_of_a_long_row_do_not_lose_a_short_one() -> None:
    flat = np.concatenate([np.full(5_000, 1e9), [1e-9, 1e-9]])
    assert discounted_sums(flat, offsets_of([5_000, 2]), 1.0)[-2:].tolist() == [2e-9, 1e-9]


def test_positions_count_from_zero_in_each_row() -> None:
    assert positions(offsets_of([2, 1, 3])).tolist() == [0, 1, 0, 0, 1, 2]


def test_standardise_puts_the_variance_eps_inside_the_root() -> None:
    found = standardise(
        np.array([1.0, 3.0]), np.zeros(2, int), 1, ddof=0, eps=0.5, variance_eps=3.0
    )
    assert found.tolist() == [-0.4, 0.4]


def test_standardise_of_equal_values_is_zero() -> None:
    found = standardise(np.full(3, 0.1), np.zeros(3, int), 1)
    assert np.abs(found).max() < 1e-9


def test_standardise_refuses_an_unknown_ddof() -> None:
    with pytest.raises(ValueError, match="expected ddof 0"):
        standardise(np.ones(2), np.zeros(2, int), 1, ddof=2)
