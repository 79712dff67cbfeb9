"""Replies that a judge gave before, in memory and if wanted on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from rmgym.errors import DataError


class ReplyCache:
    """Keeps replies by judge and question.

    On disk one JSON line a reply, appended as it comes, so that an interrupted run goes on where
    it stopped. A last line without its end, as a crash leaves it, is dropped. One process writes
    a file at a time.

    Args:
        path: The file; None keeps replies in memory alone.

    Raises:
        DataError: If the file holds something else; names the line.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path)
        self._replies: dict[str, str] = {}
        if self.path is not None and self.path.exists():
            self._load(self.path)

    def __len__(self) -> int:
        return len(self._replies)

    def get(self, key: str) -> str | None:
        """Return the reply to a question, or None if it was never asked."""
        return self._replies.get(key)

    def put(self, key: str, reply: str) -> None:
        """Keep a reply."""
        self._replies[key] = reply
        if self.path is not None:
            line = json.dumps({"key": key, "reply": reply}) + "\n"
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(line)

    def _load(self, path: Path) -> None:
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                entry = json.loads(line)
                self._replies[str(entry["key"])] = str(entry["reply"])
            except (ValueError, TypeError, KeyError):
                raise DataError(
                    f'{path}, line {number}: expected {{"key": ..., "reply": ...}}, got '
                    f"{line[:60]!r}; give the judge's cache a file of its own"
                ) from None
        if len(whole) < len(data):
            os.truncate(path, len(whole))


def digest_of(judge: str, subject: Mapping[str, Any]) -> str:
    """Return the key of a question: who is asked, and all that is asked."""
    text = json.dumps([judge, subject], sort_keys=True, ensure_ascii=True)
    return blake2b(text.encode(), digest_size=20).hexdigest()
