from __future__ import annotations

import math

import numpy as np
import pytest

from rmgym.credit.agreement import (
    average_ranks,
    cluster_weights,
    measure_agreement,
    regression,
    sign_agreement,
    spearman,
)
from rmgym.rewards.ranks import spearman as spearman_of_lists

CREDIT = np.array([1.0, 2.0, 2.0, 3.0])
VALUE = np.array([1.0, 3.0, 2.0, 4.0])


def test_spearman_with_ties_by_hand() -> None:
    # Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: 4.5 / sqrt(4.5 * 5).
    assert spearman(CREDIT, VALUE)[0] == pytest.approx(4.5 / math.sqrt(22.5), abs=1e-12)


def test_spearman_agrees_with_the_one_for_lists() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = rng.integers(0, 4, 12).astype(float), rng.integers(0, 6, 12).astype(float)
        expected = spearman_of_lists(a.tolist(), b.tolist())
        assert spearman(a, b)[0] == pytest.approx(expected, abs=1e-12)


def test_spearman_of_a_constant_is_not_a_number() -> None:
    assert math.isnan(spearman(np.full(4, 0.1), VALUE)[0])
    assert math.isnan(spearman(VALUE, np.zeros(4))[0])


def test_sign_agreement_leaves_ties_out_and_states_them() -> None:
    agree, ties = sign_agreement(
        np.array([1.0, -1.0, 0.0, 2.0, -3.0]), np.array([0.5, 0.5, 0.5, 0.0, -0.5])
    )
    assert (agree[0], ties[0]) == (pytest.approx(2 / 3), pytest.approx(2 / 5))


def test_sign_agreement_of_ties_alone_is_not_a_number() -> None:
    agree, ties = sign_agreement(np.zeros(3), np.ones(3))
    assert math.isnan(agree[0])
    assert ties[0] == 1.0


def test_regression_by_hand() -> None:
    # Credit -1, 0, 0, 1 about its mean, value -1.5, 0.5, -0.5, 1.5: slope 3 / 2.
    slope, intercept = regression(CREDIT, VALUE)
    assert (slope[0], intercept[0]) == (pytest.approx(1.5), pytest.approx(2.5 - 1.5 * 2.0))


def test_weights_are_the_same_as_repeated_rows() -> None:
    rng = np.random.default_rng(1)
    credit, value = rng.integers(-2, 3, 15).astype(float), rng.integers(-3, 3, 15).astype(float)
    weights = rng.integers(0, 4, (30, 15)).astype(float)
    rho, (sign, ties) = (
        spearman(credit, value, weights),
        sign_agreement(credit, value, weights),
    )
    slope, intercept = regression(credit, value, weights)
    for row, times in enumerate(weights.astype(int)):
        a, b = np.repeat(credit, times), np.repeat(value, times)
        assert rho[row] == pytest.approx(spearman(a, b)[0], nan_ok=True)
        assert sign[row] == pytest.approx(sign_agreement(a, b)[0][0], nan_ok=True)
        assert ties[row] == pytest.approx(sign_agreement(a, b)[1][0])
        assert slope[row] == pytest.approx(regression(a, b)[0][0], nan_ok=True)
        assert intercept[row] == pytest.approx(regression(a, b)[1][0], nan_ok=True)
        ranks = average_ranks(credit, weights)[row]
        assert np.repeat(ranks, times).tolist() == average_ranks(a).tolist()


def test_a_sample_without_variation_is_not_a_number() -> None:
    weights = np.array([[1.0, 0, 0, 0], [1, 1, 1, 1]])
    rho = spearman(CREDIT, VALUE, weights)
    assert math.isnan(rho[0])
    assert not math.isnan(rho[1])


def test_clusters_are_drawn_whole_and_as_many_as_there_are() -> None:
    weights = cluster_weights([7, 7, 3, 3, 3], 200, np.random.default_rng(0))
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 2] == weights[:, 4]).all()
    assert (weights[:, 0] + weights[:, 2] == 2).all()
    assert sorted(set(weights[:, 0].tolist())) == [0.0, 1.0, 2.0]


def test_repeating_the_rows_of_clusters_does_not_make_figures_surer() -> None:
    rng = np.random.default_rng(2)
    credit = rng.standard_normal(24)
    value = credit + rng.standard_normal(24)
    clusters = np.arange(24) // 2
    once = measure_agreement(credit, value, clusters.tolist())
    often = measure_agreement(
        np.repeat(credit, 10), np.repeat(value, 10), np.repeat(clusters, 10).tolist()
    )
    assert once.spearman is not None
    assert often.spearman is not None
    assert often.spearman.low == pytest.approx(once.spearman.low)
    assert often.spearman.high == pytest.approx(once.spearman.high)


def test_the_interval_covers_the_truth_about_as_often_as_stated() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        credit = rng.standard_normal(60)
        value = 0.5 * credit + rng.standard_normal(60)
        slope = measure_agreement(credit, value, list(range(60)), draws=200).slope
        assert slope is not None
        covered += slope.low <= 0.5 <= slope.high
    assert covered >= 84


def test_zero_credit_has_no_agreement() -> None:
    found = measure_agreement(np.zeros(4), VALUE, [0, 0, 1, 1])
    assert (found.spearman, found.sign, found.slope, found.intercept) == (None, None, None, None)
    assert found.ties == 1.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="expected finite credits"):
        measure_agreement(np.array([1.0, bad]), np.zeros(2), [0, 1])


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="as many credits as values"):
        measure_agreement(np.zeros(3), np.zeros(2), [0, 1])


def test_the_noise_of_floating_point_is_a_tie() -> None:
    noisy = np.array([0.1 + 0.2 - 0.3, 0.0, 1.0, 1.0 + 1e-15])
    found = measure_agreement(noisy, np.array([1.0, -1.0, 2.0, 2.0]), [0, 1, 2, 3])
    assert found.ties == 0.5
    clean = measure_agreement(np.array([0.0, 0, 1, 1]), np.array([1.0, -1, 2, 2]), [0, 1, 2, 3])
    assert found.spearman == clean.spearman
