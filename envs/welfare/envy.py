"""Who would rather have what another one has: envy-freeness, and envy-freeness up to one item.

Sources: Foley 1967; Budish 2011 and Caragiannis et al. 2019 for one item less (EF1).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SLACK = 1e-9


def _bundle_values(worth: Sequence[Sequence[float]], owners: Sequence[int]) -> NDArray[np.float64]:
    """Return what each recipient (row) thinks of each one's bundle (column)."""
    values = np.asarray(worth, dtype=np.float64)
    n = values.shape[1]
    bundles = np.zeros((n, n))
    for item, owner in enumerate(owners):
        bundles[:, owner] += values[item]
    return bundles


def most_envy(worth: Sequence[Sequence[float]], owners: Sequence[int]) -> float:
    """Return the largest amount by which someone prefers another one's items to their own.

    >>> most_envy([[3, 1], [1, 2]], [0, 1]), most_envy([[3, 1], [1, 2]], [0, 0])
    (0.0, 3.0)

    Args:
        worth: By item and recipient.
        owners: Who has each item.
    """
    bundles = _bundle_values(worth, owners)
    return float(max((bundles - np.diag(bundles)[:, None]).max(), 0.0))


def is_envy_free(worth: Sequence[Sequence[float]], owners: Sequence[int]) -> bool:
    """Return whether nobody prefers another one's items to their own."""
    return most_envy(worth, owners) <= _SLACK


def ef1_holds(worth: Sequence[Sequence[float]], owners: Sequence[int]) -> bool:
    """Return whether all envy would vanish if the envied lost one item, each time the best one.

    >>> ef1_holds([[5, 5], [5, 5]], [0, 0]), ef1_holds([[5, 5]], [0])
    (False, True)
    """
    values = np.asarray(worth, dtype=np.float64)
    bundles = _bundle_values(worth, owners)
    best = np.zeros_like(bundles)
    for item, owner in enumerate(owners):
        best[:, owner] = np.maximum(best[:, owner], values[item])
    envy = bundles - best - np.diag(bundles)[:, None]
    np.fill_diagonal(envy, 0.0)
    return bool(envy.max() <= _SLACK)


def envy_of_budget(
    needs: Sequence[Sequence[float]], amounts: Sequence[Sequence[float]], curvature: float
) -> float:
    """Return the largest utility that someone would gain from another one's amounts.

    Args:
        needs: By round and recipient.
        amounts: By round and recipient.
        curvature: Exponent of the utility of money.
    """
    worth = np.power(np.asarray(amounts, dtype=np.float64), curvature)
    views = np.asarray(needs, dtype=np.float64).T @ worth
    return float(max((views - np.diag(views)[:, None]).max(), 0.0))
