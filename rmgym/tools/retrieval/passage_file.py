"""Passages on disk, read one at a time."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from rmgym.protocols import Passage

_PASSAGES = "passages.jsonl"
_OFFSETS = "passages.offsets.npy"


class PassageFile(Sequence[Passage]):
    """The passages of a folder written by `write`, mapped into memory and parsed when asked for.

    Raises:
        OSError: If the files are not there.
    """

    def __init__(self, folder: Path) -> None:
        self._offsets = np.load(folder / _OFFSETS, mmap_mode="r").view(np.ndarray)
        with (folder / _PASSAGES).open("rb") as stream:
            self._bytes = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)

    @staticmethod
    def write(folder: Path, passages: Iterable[Passage]) -> None:
        """Write passages, at least one, and where each of them starts."""
        offsets = [0]
        with (folder / _PASSAGES).open("wb") as stream:
            for passage in passages:
                row = {"id": passage.id, "title": passage.title, "text": passage.text}
                # ASCII escapes carry lone surrogates, which UTF-8 does not.
                offsets.append(offsets[-1] + stream.write(json.dumps(row).encode() + b"\n"))
        np.save(folder / _OFFSETS, np.array(offsets, dtype=np.int64))

    def __len__(self) -> int:
        """Return the number of passages."""
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> Passage: ...
    @overload
    def __getitem__(self, index: slice) -> list[Passage]: ...
    def __getitem__(self, index: int | slice) -> Passage | list[Passage]:
        """Read a passage, or a slice of them."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        row = json.loads(self._bytes[self._offsets[position] : self._offsets[position + 1]])
        return Passage(id=row["id"], title=row["title"], text=row["text"])
