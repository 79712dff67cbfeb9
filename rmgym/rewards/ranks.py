"""Rank statistics: average ranks, Spearman and Kendall correlation.

Small and exact, without SciPy; agreement with it is tested where it is installed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations


def average_ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value from 1, lowest first; equal values share the mean rank.

    >>> average_ranks([4, 7, 7, 10])
    [1.0, 2.5, 2.5, 4.0]
    """
    ordered = sorted(values)
    places: dict[float, list[int]] = {}
    for place, value in enumerate(ordered, start=1):
        places.setdefault(value, []).append(place)
    return [sum(places[value]) / len(places[value]) for value in values]


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rho, -1 to 1; None where a side is constant or shorter than two.

    >>> spearman([1, 2, 3], [3, 2, 1])
    -1.0
    """
    if len(first) < 2 or len(first) != len(second):
        return None
    a, b = average_ranks(first), average_ranks(second)
    middle = (len(a) + 1) / 2
    cross = sum((x - middle) * (y - middle) for x, y in zip(a, b, strict=True))
    spread = sum((x - middle) ** 2 for x in a) * sum((y - middle) ** 2 for y in b)
    return max(-1.0, min(1.0, cross / math.sqrt(spread))) if spread else None


def kendall(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Kendall's tau-b, -1 to 1; None where a side is constant or shorter than two.

    >>> kendall([1, 2, 3], [1, 3, 2])
    0.3333333333333333
    """
    if len(first) < 2 or len(first) != len(second):
        return None
    pairs = list(combinations(range(len(first)), 2))
    a = [_sign(first[i] - first[j]) for i, j in pairs]
    b = [_sign(second[i] - second[j]) for i, j in pairs]
    untied = sum(x != 0 for x in a) * sum(y != 0 for y in b)
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(untied) if untied else None


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
