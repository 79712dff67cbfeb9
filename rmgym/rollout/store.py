"""A file of episodes that survives being killed: one JSON line an episode, resumable."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from rmgym.errors import DataError, TrajectoryStoreError
from rmgym.rollout import codec
from rmgym.rollout.episodes import EpisodeFailure, EpisodeKey, key_of
from rmgym.trajectory import Trajectory

if TYPE_CHECKING:
    from datasets import Dataset

_LINE_START = b'{"kind":"'
"""How every line of a store begins, so that no other file is taken for one and cut."""


class _Line(NamedTuple):
    number: int
    """From 1."""
    offset: int
    text: bytes
    record: codec.Record


class TrajectoryStore:
    """An append-only file of finished episodes, with one writer at a time.

    An episode counts once its whole line is on the disk. What a killed writer left of a line is
    cut off when the file is opened again. Failures are lines of their own kind; a resumed rollout
    plays those episodes again. A forked process does not share its parent's store.

    Args:
        path: The file, made with its folders if there is none: JSON Lines in ASCII.

    Raises:
        TrajectoryStoreError: If the file cannot be opened, or another store has it open.
        DataError: If a line is no episode; names the line.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file = _open_locked(self.path)
        self._close_file = weakref.finalize(self, os.close, self._file)
        self._size = 0
        self._has_torn_line = False
        self._places: list[tuple[int, int]] = []
        self._by_key: dict[tuple[EpisodeKey, str], tuple[int, int]] = {}
        self._failures: dict[EpisodeKey, EpisodeFailure] = {}
        _open_stores.add(self)
        try:
            self._scan()
        except BaseException:
            self.close()
            raise

    def _scan(self) -> None:
        for line in _lines(self.path):
            place = (line.offset, len(line.text))
            with _naming(self.path, line.number):
                self._enter(line.record, place)
            self._size = line.offset + len(line.text)
        try:
            os.ftruncate(self._file, self._size)
            if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
                os.write(self._file, b"\n")
                self._size += 1
        except OSError as error:
            raise _refused(f"could not mend {self.path}", error) from error

    def _enter(self, record: codec.Record, place: tuple[int, int]) -> None:
        if record["kind"] == "failure":
            failure = codec.decode_failure(record)
            self._failures[failure.key] = failure
        else:
            self._places.append(place)
            self._by_key[codec.decode_key(record), record["agent"]] = place

    def append(self, trajectory: Trajectory) -> None:
        """Store a finished episode; when this returns, it is on the disk.

        Raises:
            ValueError: If the store holds that episode already.
            DataError: If an info or the metadata holds something that is no plain data.
            TrajectoryStoreError: If the disk is full or refuses; what was stored before is intact.
        """
        key = key_of(trajectory)
        if key.episode is not None and (key, trajectory.agent) in self._by_key:
            raise ValueError(f"expected a new episode for {self.path}, got {key} again")
        self._append(codec.encode_trajectory(trajectory))

    def append_failure(self, failure: EpisodeFailure) -> None:
        """Store that an episode failed.

        Raises:
            TrajectoryStoreError: If the disk is full or refuses; what was stored before is intact.
        """
        self._append(codec.encode_failure(failure))

    def _append(self, record: codec.Record) -> None:
        line = codec.dumps(record).encode("ascii") + b"\n"
        file = self._open_file()
        place = (self._size, len(line))
        try:
            if self._has_torn_line:
                os.ftruncate(file, self._size)
                self._has_torn_line = False
            _write(file, line)
            os.fsync(file)
            self._size += len(line)
        except BaseException as error:
            self._cut_torn_line(error)
            if isinstance(error, OSError):
                number = len(self._places)
                raise _refused(
                    f"could not store episode {record['episode']} in {self.path}, which keeps the "
                    f"{number} before it",
                    error,
                ) from error
            raise
        self._enter(record, place)

    def _open_file(self) -> int:
        if not self._close_file.alive:
            raise TrajectoryStoreError(
                f"expected an open store, got the closed {self.path}; open it again"
            )
        return self._file

    def _cut_torn_line(self, cause: BaseException) -> None:
        try:
            os.ftruncate(self._file, self._size)
        except OSError as error:
            self._has_torn_line = True
            cause.add_note(f"the line begun could not be cut off either: {error.strerror}")

    def done_keys(self) -> set[EpisodeKey]:
        """Return which episodes are stored."""
        return {key for key, _ in self._by_key}

    def __contains__(self, key: EpisodeKey) -> bool:
        return (key, "agent") in self._by_key

    def __len__(self) -> int:
        return len(self._places)

    def read(self, key: EpisodeKey, agent: str = "agent") -> Trajectory:
        """Return one stored episode.

        Raises:
            KeyError: If it is not stored.
        """
        return self._read(self._by_key[key, agent])

    def _read(self, place: tuple[int, int]) -> Trajectory:
        file, (offset, length) = self._open_file(), place
        try:
            line = os.pread(file, length, offset)
        except OSError as error:
            raise _refused(f"could not read {self.path}", error) from error
        with _naming(self.path, None):
            return codec.decode_trajectory(codec.loads(line))

    def trajectories(self) -> list[Trajectory]:
        """Return the stored episodes, in the order in which they ended."""
        return [self._read(place) for place in self._places]

    def failures(self) -> list[EpisodeFailure]:
        """Return the latest failure of each episode that has not been finished since."""
        done = self.done_keys()
        return [failure for key, failure in self._failures.items() if key not in done]

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the episodes as a Parquet file, one row each; see `rmgym.rollout.tables`.

        Raises:
            MissingExtraError: If pyarrow is missing.
            TrajectoryStoreError: If the file cannot be written.
        """
        from rmgym.rollout.tables import write_parquet

        write_parquet(self.trajectories(), path)

    def to_dataset(self) -> Dataset:
        """Return the episodes as a Hugging Face dataset, one row each.

        Raises:
            MissingExtraError: If datasets is missing.
        """
        from rmgym.rollout.tables import make_dataset

        return make_dataset(self.trajectories())

    def close(self) -> None:
        """Close the file, for another writer to open."""
        _open_stores.discard(self)
        self._close_file()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_trajectories(path: str | os.PathLike[str]) -> list[Trajectory]:
    """Return the episodes of a store's file, in the order in which they ended.

    Works while a rollout writes; a line that is not complete yet is left out, and so are failures.

    Raises:
        TrajectoryStoreError: If the file cannot be read.
        DataError: If a line is no episode; names the line.
    """
    found = []
    for line in _lines(Path(path)):
        if line.record["kind"] == "episode":
            with _naming(Path(path), line.number):
                found.append(codec.decode_trajectory(line.record))
    return found


def _lines(path: Path) -> Iterator[_Line]:
    try:
        with path.open("rb") as file:
            offset = 0
            for number, text in enumerate(file, start=1):
                record = _parse(path, number, text)
                if record is not None:
                    yield _Line(number, offset, text, record)
                offset += len(text)
    except OSError as error:
        raise _refused(f"could not read {path}", error) from error


def _parse(path: Path, number: int, text: bytes) -> codec.Record | None:
    """Return the record of a line, or None for a blank line and the torn one at the end."""
    if not text.strip():
        return None
    try:
        record = codec.loads(text)
        if record["kind"] not in ("episode", "failure"):
            raise ValueError(f"its kind is {record['kind']!r}")
        return record
    except (KeyError, TypeError, ValueError) as error:
        if not text.endswith(b"\n") and _is_torn(text):
            return None
        raise _broken(path, number, error) from error


def _is_torn(text: bytes) -> bool:
    """Return whether this is the beginning of a line, or the zeros that a power cut can leave."""
    is_begun = text.startswith(_LINE_START) or _LINE_START.startswith(text)
    return is_begun or not text.strip(b"\0")


@contextmanager
def _naming(path: Path, number: int | None) -> Iterator[None]:
    """Turn the errors of decoding into a `DataError` that names the line."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise _broken(path, number, error) from error


def _broken(path: Path, number: int | None, error: Exception) -> DataError:
    place = f"{path}, line {number}" if number else str(path)
    return DataError(
        f"{place}: expected an episode as TrajectoryStore writes it, got something else "
        f"({type(error).__name__}: {error}); remove the line, or read another file"
    )


def _refused(what: str, error: OSError) -> TrajectoryStoreError:
    return TrajectoryStoreError(
        f"{what}: {error.strerror or error}; check free space and permissions, then go on"
    )


def _open_locked(path: Path) -> int:
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _refused(f"could not open {path}", error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _sync_folder(path.parent)
    except BlockingIOError as error:
        os.close(file)
        raise TrajectoryStoreError(
            f"expected to be the only writer of {path}, got a file that another store has open; "
            "wait for it to end, or give this one a file of its own"
        ) from error
    except OSError as error:
        os.close(file)
        raise _refused(f"could not lock {path}", error) from error
    return file


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power cut."""
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def _write(file: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(file, rest) :]


_open_stores: weakref.WeakSet[TrajectoryStore] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """Close the stores in a forked child: a lock lasts as long as any process has the file."""
    for store in list(_open_stores):
        store.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
