"""How well one number per turn agrees with another, with cluster bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
DRAWS = 1000
"""Bootstrap resamples."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with the bounds of its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Agreement of the credit of turns with their true values. None where it is not defined."""

    turns: int
    spearman: Estimate | None
    """Rank correlation, ties at their mean rank; None if either side is constant."""
    sign: Estimate | None
    """Share of the untied turns whose credit and value have the same sign."""
    ties: float
    """Share of turns whose credit or value is exactly 0: no sign to agree."""
    slope: Estimate | None
    """Least squares of value on credit: outcome per unit of credit. 1 is calibrated."""
    intercept: Estimate | None
    """Value of a turn with no credit, by the same line."""


def average_ranks(values: Floats, weights: Floats | None = None) -> Floats:
    """Return the rank of each value from 1, lowest first; equal values share the mean rank.

    Args:
        values: Shape (N,).
        weights: How often each value stands in each of D samples, shape (D, N); once when None.

    Returns:
        Shape (N,), or (D, N) with weights.

    >>> average_ranks(np.array([4.0, 7.0, 7.0, 10.0])).tolist()
    [1.0, 2.5, 2.5, 4.0]
    """
    once = np.ones((1, len(values))) if weights is None else weights
    present, inverse = _present(values, once)
    ranks: Floats = (np.cumsum(present, axis=1) - (present - 1) / 2)[:, inverse]
    return ranks[0] if weights is None else ranks


def spearman(first: Floats, second: Floats, weights: Floats | None = None) -> Floats:
    """Return Spearman's rho of each sample, shape (D,); NaN where a side is constant.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])).tolist()
    [-1.0]
    """
    once = np.ones((1, len(first))) if weights is None else weights
    a, b = average_ranks(first, once), average_ranks(second, once)
    varies = _varies(first, once) & _varies(second, once)
    covariance, spread_a, spread_b = _moments(a, b, once)
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = np.clip(covariance / np.sqrt(spread_a * spread_b), -1.0, 1.0)
    return np.where(varies, rho, np.nan)


def sign_agreement(
    credit: Floats, value: Floats, weights: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return the share of untied turns whose signs agree, NaN if all are tied, and that of ties.

    >>> agree, ties = sign_agreement(np.array([1.0, 2.0, 0.0, -1.0]), np.array([3, -3, 1, -2.0]))
    >>> round(float(agree[0]), 3), float(ties[0])
    (0.667, 0.25)
    """
    once = np.ones((1, len(credit))) if weights is None else weights
    product = np.sign(credit) * np.sign(value)
    untied, total = once @ np.abs(product), once.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        agree: Floats = once @ (product > 0).astype(np.float64) / untied
    return np.where(untied > 0, agree, np.nan), 1.0 - untied / total


def regression(
    credit: Floats, value: Floats, weights: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return slope and intercept of the least-squares line of value on credit.

    NaN where the credit is constant.

    >>> slope, intercept = regression(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]))
    >>> slope.tolist(), intercept.tolist()
    ([2.0], [1.0])
    """
    once = np.ones((1, len(credit))) if weights is None else weights
    rows = np.broadcast_to(credit, once.shape), np.broadcast_to(value, once.shape)
    covariance, spread, _ = _moments(*rows, once)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(_varies(credit, once), covariance / spread, np.nan)
    total = once.sum(axis=1)
    return slope, once @ value / total - slope * (once @ credit) / total


def cluster_weights(clusters: Sequence[int], draws: int, rng: np.random.Generator) -> Floats:
    """Return how often each row stands in each bootstrap sample, shape (draws, N).

    Args:
        clusters: Cluster of each row; clusters are drawn whole, with replacement, as many as there
            are, since the rows of one are not independent.
        draws: How many samples.
        rng: What draws.
    """
    labels, inverse = np.unique(np.asarray(clusters), return_inverse=True)
    counts = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=draws)
    weights: Floats = counts[:, inverse].astype(np.float64)
    return weights


def _present(values: Floats, weights: Floats) -> tuple[Floats, Ints]:
    """Return the weight of each distinct value in each sample, and which one each row has."""
    order = np.argsort(values, kind="stable")
    fresh = np.concatenate([[True], np.diff(values[order]) != 0])
    inverse = np.empty(len(values), dtype=np.int64)
    inverse[order] = np.cumsum(fresh) - 1
    present: Floats = np.add.reduceat(weights[:, order], np.flatnonzero(fresh), axis=1)
    return present, inverse


def _varies(values: Floats, weights: Floats) -> NDArray[np.bool_]:
    varies: NDArray[np.bool_] = (_present(values, weights)[0] > 0).sum(axis=1) > 1
    return varies


def _moments(a: Floats, b: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the weighted sums of a'b', a'a' and b'b' of each sample, a' and b' centred."""
    total = weights.sum(axis=1, keepdims=True)
    a = a - (weights * a).sum(axis=1, keepdims=True) / total
    b = b - (weights * b).sum(axis=1, keepdims=True) / total
    sums = [(weights * x * y).sum(axis=1) for x, y in ((a, b), (a, a), (b, b))]
    return sums[0], sums[1], sums[2]


def measure_agreement(
    credit: Floats, value: Floats, clusters: Sequence[int], *, draws: int = DRAWS, seed: int = 0
) -> Agreement:
    """Return the agreement of credit with true values, with percentile intervals.

    Args:
        credit: One per turn. Differences below 1e-9 of the largest are none.
        value: True value difference of each turn.
        clusters: What each turn belongs to, resampled as a whole: its task.
        draws: Bootstrap resamples; those in which a figure is not defined are left out of it.
        seed: Of the resampling; the same clusters are drawn for every credit of equal turns.

    Raises:
        ValueError: If shapes differ, there are no turns, or a number is not finite.
    """
    if credit.shape != value.shape or len(clusters) != len(value) or not len(value):
        raise ValueError(
            f"expected as many credits as values and clusters, at least one, got {credit.shape}, "
            f"{value.shape} and {len(clusters)}"
        )
    if not (np.isfinite(credit).all() and np.isfinite(value).all()):
        raise ValueError("expected finite credits and values, got NaN or infinity")
    credit, value = _settled(credit), _settled(value)
    samples = cluster_weights(clusters, draws, np.random.default_rng(seed))
    weights = np.concatenate([np.ones((1, len(value))), samples])
    sign, ties = sign_agreement(credit, value, weights)
    slope, intercept = regression(credit, value, weights)
    return Agreement(
        turns=len(value),
        spearman=_estimate(spearman(credit, value, weights)),
        sign=_estimate(sign),
        ties=float(ties[0]),
        slope=_estimate(slope),
        intercept=_estimate(intercept),
    )


def _settled(values: Floats) -> Floats:
    """Return the values without the noise of floating point, so that equal ones are equal."""
    scale = float(np.abs(values).max())
    return np.round(values / scale, 9) * scale if scale else values


def _estimate(figures: Floats) -> Estimate | None:
    """Return the first figure with the interval of the others."""
    defined = figures[1:][np.isfinite(figures[1:])]
    if not np.isfinite(figures[0]) or not defined.size:
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return Estimate(float(figures[0]), float(low), float(high))
