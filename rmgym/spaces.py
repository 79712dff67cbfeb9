"""What is legal: Unicode text and chat messages as Gymnasium spaces.

Stock `gymnasium.spaces.Text` rejects a blank, and the shared memory of `AsyncVectorEnv` decodes
text once, at construction. The spaces here accept any string within their bounds, and bring
their own transport to other processes, so that every vectorisation mode gives the right strings.
"""

from __future__ import annotations

import pickle
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gymnasium import spaces
from gymnasium.vector.utils import (
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

MAX_CHARACTERS = 1_000_000
"""Default bound on the length of a message or an action."""


class UnicodeText(spaces.Text):
    """Any `str` within length bounds.

    Args:
        max_length: Longest legal text, in characters.
        min_length: Shortest legal text, in characters.
        seed: Seed of `sample`, which draws short alphanumeric text.
    """

    def __init__(
        self, max_length: int = MAX_CHARACTERS, *, min_length: int = 0, seed: int | None = None
    ) -> None:
        super().__init__(max_length=max_length, min_length=min_length, seed=seed)

    def contains(self, x: Any) -> bool:
        """Return whether `x` is a string within the length bounds."""
        return isinstance(x, str) and self.min_length <= len(x) <= self.max_length

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Return random text of at most 64 characters beyond the minimum."""
        if mask is None and probability is None:
            longest = min(self.max_length, self.min_length + 64)
            mask = (int(self.np_random.integers(self.min_length, longest + 1)), None)
        return super().sample(mask=mask, probability=probability)

    @property
    def is_np_flattenable(self) -> bool:
        """Text of any character has no fixed-size array form."""
        return False

    def __repr__(self) -> str:
        return f"UnicodeText({self.max_length}, min_length={self.min_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnicodeText) and (self.min_length, self.max_length) == (
            other.min_length,
            other.max_length,
        )

    __hash__ = None  # type: ignore[assignment]  # spaces are mutable (seed), as upstream


class ChatSpace(spaces.Sequence):
    """Tuples of messages `{"role": ..., "content": ...}`.

    Args:
        max_characters: Longest legal content of one message, in characters.
        seed: Seed of `sample`.
    """

    def __init__(self, max_characters: int = MAX_CHARACTERS, seed: int | None = None) -> None:
        self.max_characters = max_characters
        feature = spaces.Dict(
            {
                "content": UnicodeText(max_characters),
                "role": UnicodeText(16, min_length=1),
            }
        )
        super().__init__(feature, seed=seed)

    def contains(self, x: Any) -> bool:
        """Return whether `x` is a tuple of messages with exactly a role and a content."""
        if not isinstance(x, tuple):
            return False
        for item in x:
            if not isinstance(item, dict) or len(item) != 2:
                return False
            role, content = item.get("role"), item.get("content")
            if not (isinstance(role, str) and isinstance(content, str)):
                return False
            if not (1 <= len(role) <= 16 and len(content) <= self.max_characters):
                return False
        return True


def chat_space(max_characters: int = MAX_CHARACTERS) -> ChatSpace:
    """Return the space of observations: tuples of messages.

    >>> chat_space().contains(({"role": "user", "content": "hello world"},))
    True
    """
    return ChatSpace(max_characters)


class _MessageFiles(Sequence[Any]):
    """The newest observation of each environment of a vector, one small file each.

    `AsyncVectorEnv` reads its shared observations by copying the object that it was given at
    construction; copying this one reads what the workers wrote last.
    """

    def __init__(self, number: int, folder: str) -> None:
        self.number = number
        self.folder = folder

    def write(self, index: int, value: object) -> None:
        (Path(self.folder) / str(index)).write_bytes(pickle.dumps(value))

    def read(self) -> tuple[Any, ...]:
        files = (Path(self.folder) / str(index) for index in range(self.number))
        return tuple(pickle.loads(file.read_bytes()) if file.exists() else () for file in files)

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: Any) -> Any:
        return self.read()[index]

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[Any, ...]:
        return self.read()


@create_shared_memory.register(ChatSpace)
@create_shared_memory.register(UnicodeText)
def _create_message_files(space: Any, n: int = 1, ctx: Any = None) -> _MessageFiles:
    folder = tempfile.mkdtemp(prefix="rmgym-observations-")
    files = _MessageFiles(n, folder)
    weakref.finalize(files, shutil.rmtree, folder, ignore_errors=True)
    return files


@read_from_shared_memory.register(ChatSpace)
@read_from_shared_memory.register(UnicodeText)
def _read_message_files(space: Any, shared_memory: _MessageFiles, n: int = 1) -> _MessageFiles:
    return shared_memory


@write_to_shared_memory.register(ChatSpace)
@write_to_shared_memory.register(UnicodeText)
def _write_message_files(space: Any, index: int, value: Any, shared_memory: _MessageFiles) -> None:
    shared_memory.write(index, value)
