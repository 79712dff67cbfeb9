"""Which sequences go through a model together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rmgym.agents.engine import Ids

WASTE = 1.25
"""Padded tokens over real ones that a batch larger than `small` may have."""


def batches(
    lengths: Sequence[int], fits: Callable[[int, int], bool], *, small: int = 0
) -> list[list[int]]:
    """Return the indices of each batch, sequences of like length together, longest first.

    Args:
        lengths: Number of tokens of each sequence.
        fits: Whether so many sequences, padded to so many tokens, go through at once; a single one
            always does.
        small: Tokens up to which padding costs less than another pass.

    >>> batches([5, 900, 6, 800], lambda count, tokens: count * tokens <= 2000)
    [[1, 3], [2, 0]]
    """
    found: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if not found or not _joins(found[-1], index, lengths, fits, small):
            found.append([])
        found[-1].append(index)
    return found


def _joins(
    batch: Sequence[int],
    index: int,
    lengths: Sequence[int],
    fits: Callable[[int, int], bool],
    small: int,
) -> bool:
    longest = lengths[batch[0]]
    padded = longest * (len(batch) + 1)
    real = sum(lengths[i] for i in batch) + lengths[index]
    return fits(len(batch) + 1, longest) and (padded <= small or padded <= WASTE * real)


def left_padded(sequences: Sequence[Ids]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ids and attention mask, shape (sequences, longest), every sequence at the right end.

    >>> left_padded([(7, 8), (9,)])[0].tolist()
    [[7, 8], [0, 9]]
    """
    longest = max(map(len, sequences))
    ids = np.zeros((len(sequences), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, longest - len(sequence) :] = sequence
        mask[row, longest - len(sequence) :] = 1
    return ids, mask
