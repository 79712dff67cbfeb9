"""Read a user's corpus or questions: JSONL, a JSON array, a Hugging Face dataset, plain rows.

Nothing is skipped in silence: a broken line, a row without text and a repeated id each raise a
`DataError` that names the place.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from rmgym.errors import DataError
from rmgym.protocols import Passage

ID_KEYS = ("_id", "id", "docid")


def load_corpus(source: str | os.PathLike[str] | Iterable[Mapping[str, Any]]) -> list[Passage]:
    r"""Return the passages of a file, a Hugging Face `Dataset` or any iterable of rows.

    A row is `{"title", "text"}`, or Search-R1's `{"id", "contents"}`, whose first line is the
    title as stored, or either with its id under `_id`, `id` or `docid`. The id defaults to the
    row's index, from 0; the title to the empty string.

    Args:
        source: A `.jsonl` or `.json` file (also with `.gz` behind), or rows.

    Raises:
        DataError: If the file cannot be read, a line is broken, a row has no text, or two rows
            have one id.

    >>> load_corpus([{"id": "d1", "contents": "Ada Lovelace\nWrote the first program."}])
    [Passage(id='d1', title='Ada Lovelace', text='Wrote the first program.')]
    """
    if isinstance(source, (str, os.PathLike)):
        rows = _numbered_rows(Path(source))
        name = os.fspath(source)
    else:
        rows = ((f"row {index}", row) for index, row in enumerate(source))
        name = type(source).__name__
    passages: list[Passage] = []
    places: dict[str, str] = {}
    for index, (place, row) in enumerate(rows):
        passage = _passage(row, index, f"{name}, {place}")
        if passage.id in places:
            raise DataError(
                f"{name}: expected unique ids, got {passage.id!r} at {places[passage.id]} and "
                f"{place}; rename one of them"
            )
        places[passage.id] = place
        passages.append(passage)
    return passages


def load_jsonl(path: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each object of a JSONL file (also with `.gz` behind) with its line number, from 1.

    Lines that are empty or blank hold no row and are passed over.

    Raises:
        DataError: If the file cannot be read, or a line is not a JSON object; names the line.
    """
    file_path = Path(path)
    number = 0
    try:
        with _open_text(file_path) as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, _parse_line(file_path, number, line)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{file_path}: cannot read past line {number}: {error}") from error


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _parse_line(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line {number}: expected one JSON object, got {error}") from error
    if not isinstance(row, dict):
        raise DataError(
            f"{path}, line {number}: expected one JSON object, got {type(row).__name__}"
        )
    return row


def _numbered_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the rows of a JSON array or of a JSONL file, told apart by the first character."""
    try:
        with _open_text(path) as stream:
            is_array = next((line for line in stream if line.strip()), "").lstrip()[:1] == "["
            array = _read_array(path) if is_array else None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read: {error}") from error
    if array is None:
        yield from ((f"line {number}", row) for number, row in load_jsonl(path))
    else:
        yield from ((f"row {index}", row) for index, row in enumerate(array))


def _read_array(path: Path) -> list[Any]:
    with _open_text(path) as stream:
        text = stream.read()
    try:
        rows: list[Any] = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(
            f"{path}: expected a JSON array of objects, or one object per line, got {error}"
        ) from error
    return rows


def _passage(row: object, index: int, place: str) -> Passage:
    if not isinstance(row, Mapping):
        hint = "; pass one split of the dataset" if isinstance(row, str) else ""
        raise DataError(f"{place}: expected a mapping, got {type(row).__name__}{hint}")
    passage_id = _id(row, index, place)
    if row.get("text") is not None:
        title, text = row.get("title"), row["text"]
    elif isinstance(row.get("contents"), str):
        title, _, text = row["contents"].partition("\n")
    else:
        raise DataError(
            f"{place}: expected a string under 'text' or 'contents', got keys {list(row)}"
        )
    title = "" if title is None else title
    if not isinstance(title, str) or not isinstance(text, str):
        raise DataError(
            f"{place}: expected strings for title and text, got {type(title).__name__} and "
            f"{type(text).__name__}"
        )
    if not title.strip() and not text.strip():
        raise DataError(f"{place}: expected a title or a text, got only blanks; drop the row")
    return Passage(id=passage_id, title=title, text=text)


def _id(row: Mapping[str, Any], index: int, place: str) -> str:
    value = next((row[key] for key in ID_KEYS if row.get(key) is not None), index)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise DataError(f"{place}: expected a string or an integer as id, got {value!r}")
    return str(value)
