"""Arithmetic over ragged rows: sums, means, discounted suffix sums, standard scores.

Rows lie end to end in one flat array; row i is `flat[offsets[i]:offsets[i + 1]]`, and no row is
empty. A *code* puts an entry into one of `count` pools. All takes time linear in the entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

Singleton: TypeAlias = Literal["zero", "raw"]
"""What an entry alone in its pool becomes: 0, or itself as if the mean were 0 and the std 1."""


def offsets_of(lengths: Ints | Sequence[int]) -> Ints:
    """Return the offsets of rows of the given lengths.

    >>> offsets_of([2, 1]).tolist()
    [0, 2, 3]
    """
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def positions(offsets: Ints) -> Ints:
    """Return the place of each entry in its row, from 0."""
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))


def row_sums(flat: Floats, offsets: Ints) -> Floats:
    """Return the sum of each row."""
    sums: Floats = np.add.reduceat(flat, offsets[:-1])
    return sums


def spread(by_row: Floats, offsets: Ints) -> Floats:
    """Return each row's value at each of its entries."""
    return np.repeat(by_row, np.diff(offsets))


def discounted_sums(flat: Floats, offsets: Ints, discount: float) -> Floats:
    """Return y with y_t = x_t + discount * y_{t+1} within each row.

    Args:
        flat: The entries x.
        offsets: The rows.
        discount: Factor a step.
    """
    sums = flat.copy()
    ends = offsets[1:]
    lengths = np.diff(offsets)
    longest_first = np.argsort(-lengths, kind="stable")
    longer_than = len(lengths) - np.cumsum(np.bincount(lengths))
    ends = ends[longest_first]
    for back in range(2, len(longer_than)):
        at = ends[: longer_than[back - 1]] - back
        sums[at] += discount * sums[at + 1]
    return sums


def pool_sums(values: Floats, codes: Ints, count: int) -> Floats:
    """Return the sum of each pool."""
    return np.asarray(np.bincount(codes, weights=values, minlength=count), dtype=np.float64)


def pool_sizes(codes: Ints, count: int) -> Ints:
    """Return the number of entries of each pool."""
    sizes: Ints = np.bincount(codes, minlength=count).astype(np.int64)
    return sizes


def pool_means(values: Floats, codes: Ints, count: int) -> Floats:
    """Return the mean of each pool; 0 for an empty one."""
    return pool_sums(values, codes, count) / np.maximum(pool_sizes(codes, count), 1)


def centre(values: Floats, codes: Ints, count: int, *, singleton: Singleton = "zero") -> Floats:
    """Return each value minus the mean of its pool."""
    return standardise(values, codes, count, divide=False, singleton=singleton)


def standardise(
    values: Floats,
    codes: Ints,
    count: int,
    *,
    ddof: int = 1,
    eps: float = 1e-6,
    variance_eps: float = 0.0,
    divide: bool = True,
    singleton: Singleton = "zero",
) -> Floats:
    """Return (x - mean) / (sqrt(variance + variance_eps) + eps) within each pool.

    Args:
        values: The entries.
        codes: The pool of each entry.
        count: How many pools there are.
        ddof: The variance divides by n - ddof: 1 for the sample, 0 for the population form.
        eps: Added to the standard deviation.
        variance_eps: Added to the variance, inside the root.
        divide: False leaves the division out.
        singleton: "zero" or "raw"; see `Singleton`.

    Raises:
        ValueError: If `singleton` or `ddof` is unknown, or `eps` cannot keep the divisor positive.
    """
    if singleton not in ("zero", "raw"):
        raise ValueError(f"expected singleton 'zero' or 'raw', got {singleton!r}")
    if ddof not in (0, 1):
        raise ValueError(f"expected ddof 0 (population) or 1 (sample), got {ddof!r}")
    if divide and not eps + variance_eps > 0:
        raise ValueError(f"expected a positive eps, got {eps}: equal values have no deviation")
    sizes = pool_sizes(codes, count)
    means = pool_means(values, codes, count)
    if singleton == "raw":
        means = np.where(sizes == 1, 0.0, means)
    deviations = values - means[codes]
    if not divide:
        return deviations
    squares = pool_sums(np.where(sizes[codes] == 1, 0.0, deviations) ** 2, codes, count)
    spreads = np.sqrt(squares / np.maximum(sizes - ddof, 1) + variance_eps) + eps
    spreads = np.where(sizes == 1, 1.0 + eps, spreads)
    return deviations / spreads[codes]


def others_mean(values: Floats, codes: Ints, count: int) -> tuple[Floats, Bools]:
    """Return the mean of the other entries of each entry's pool, and where there is any."""
    others = pool_sizes(codes, count)[codes] - 1
    sums = pool_sums(values, codes, count)[codes] - values
    return sums / np.maximum(others, 1), others > 0
