import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from rmgym.errors import DataError
from rmgym.protocols import Passage
from rmgym.tools.retrieval import load_corpus, load_jsonl


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_title_and_text_rows_are_numbered_from_zero() -> None:
    rows: list[dict[str, str | None]] = [
        {"title": "A", "text": "x"},
        {"title": None, "text": "y"},
        {"text": "z"},
    ]
    assert load_corpus(rows) == [
        Passage(id="0", title="A", text="x"),
        Passage(id="1", title="", text="y"),
        Passage(id="2", title="", text="z"),
    ]


def test_contents_are_split_at_the_first_line_break_and_keep_quotation_marks() -> None:
    assert load_corpus([{"id": 7, "contents": '"A"\nx\ny'}]) == [
        Passage(id="7", title='"A"', text="x\ny")
    ]


@pytest.mark.parametrize("key", ["_id", "id", "docid"])
def test_each_id_key_is_read(key: str) -> None:
    assert load_corpus([{key: "d9", "text": "x"}])[0].id == "d9"


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz"])
def test_jsonl_is_read_with_byte_order_mark_and_blank_lines(tmp_path: Path, name: str) -> None:
    data = '\ufeff{"text": "x"}\n\n{"text": "a\u2028b"}\n'.encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert [passage.text for passage in load_corpus(path)] == ["x", "a\u2028b"]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_is_read(tmp_path: Path, indent: int | None) -> None:
    rows = [{"title": "A", "text": "x"}, {"title": "B", "text": "y"}]
    path = write(tmp_path / "c.json", "\n" + json.dumps(rows, indent=indent))
    assert [passage.title for passage in load_corpus(str(path))] == ["A", "B"]


def test_load_jsonl_yields_line_numbers_from_one(tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", '{"question": "a"}\n\n{"question": "b"}')
    assert list(load_jsonl(path)) == [(1, {"question": "a"}), (3, {"question": "b"})]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"text": "x"}\n{"text": "y"\n', "c.jsonl, line 2"),
        ('{"text": "x"}\n\n[1]\n', "c.jsonl, line 3"),
        ('{"text": "x"}\n{"title": "y"}\n', "line 2"),
        ('{"text": "x"}\n{"text": 3}\n', "line 2"),
        ('{"text": "x", "id": true}\n', "line 1"),
        ('{"text": " ", "title": ""}\n', "line 1"),
        ('{"id": 1, "text": "x"}\n{"id": "1", "text": "y"}\n', "'1' at line 1 and line 2"),
        ('[{"text": "x"}, {"title": "y"}]', "row 1"),
        ('[{"text": "x"},', "c.jsonl"),
        ("[" * 200_000, "c.jsonl"),
        ("{" * 9, "line 1"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(DataError, match=place):
        load_corpus(write(tmp_path / "c.jsonl", text))


def test_a_missing_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        load_corpus(tmp_path / "none.jsonl")


@pytest.mark.parametrize(("name", "data"), [("c.jsonl", b"\xff\xfe{"), ("c.jsonl.gz", b"plain")])
def test_bytes_that_are_no_text_are_a_data_error(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match="cannot read"):
        load_corpus(tmp_path / name)


def test_a_hugging_face_dataset_is_read() -> None:
    datasets = pytest.importorskip("datasets")
    dataset = datasets.Dataset.from_list([{"_id": "a", "title": "T", "text": "x"}])
    assert load_corpus(dataset) == [Passage(id="a", title="T", text="x")]


def test_a_dictionary_of_splits_is_refused_with_the_cure() -> None:
    splits: Any = {"train": [{"text": "x"}]}
    with pytest.raises(DataError, match="pass one split"):
        load_corpus(splits)
