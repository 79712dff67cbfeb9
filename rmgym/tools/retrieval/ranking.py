"""Pick the best documents, the same way in every backend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from rmgym.protocols import Hit, Passage


def check_k(k: int) -> None:
    """Raise ValueError if `k`, the number of hits asked for, is negative."""
    if k < 0:
        raise ValueError(f"expected k of 0 or more, got {k}")


def top_k(scores: NDArray[np.floating], k: int) -> NDArray[np.intp]:
    """Return the indices of the `k` best scores above 0, best first; the first index wins a tie.

    Fewer than `k` come back when fewer scores are above 0.

    >>> top_k(np.array([0.0, 1.0, 3.0, 1.0]), 2).tolist()
    [2, 1]
    """
    found = np.flatnonzero(scores > 0)
    values = scores[found]
    if len(found) > k > 0:
        enough = values >= np.partition(values, len(values) - k)[len(values) - k]
        found, values = found[enough], values[enough]
    return found[np.argsort(-values, kind="stable")[:k]]


def to_hits(
    passages: Sequence[Passage], indices: Iterable[int], scores: Iterable[float]
) -> list[Hit]:
    """Return hits ranked from 1, in the order given."""
    pairs = enumerate(zip(indices, scores, strict=True), start=1)
    return [Hit(passage=passages[index], score=score, rank=rank) for rank, (index, score) in pairs]
