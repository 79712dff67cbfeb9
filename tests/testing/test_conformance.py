from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from rmgym.errors import DataError
from rmgym.testing.cases import registry
from rmgym.testing.cases.registry import adapter, find_adapter
from rmgym.testing.conformance import conformance, first_mismatch

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases"
BUILT = ("IGPO", "IGPO / A2TGPO", "A2TGPO", "GISA")
WORDS = {"mode": "prob", "norm": "joint"}
"""Values for string inputs that are choices."""


def shared(name: str) -> Path:
    path = CASES / name
    if not path.exists():
        pytest.skip(f"no {name} beside the repository")
    return path


def kept_aside() -> list[dict[str, Any]]:
    path = CASES / "kept_aside_variants.json"
    if not path.exists():
        return []
    variants = json.loads(path.read_text(encoding="utf-8"))["variants"]
    return [each for each in variants if each["method"] in BUILT]


def dummy(shape: Any, key: str = "", index: int = 0) -> Any:
    """Return a value of a shape: a type name, a list of one shape twice, or named shapes."""
    if isinstance(shape, dict):
        return {name: dummy(each, name, index) for name, each in shape.items()}
    if isinstance(shape, list):
        return [dummy(shape[1], key, index + i) for i in range(2)]
    plain = {"float": 0.1 + 0.2 * index, "int": 1 + index, "bool": True}
    return plain.get(shape, WORDS.get(key, f"word {index}"))


def write(path: Path, *cases: dict[str, Any]) -> Path:
    data = {"schema": "rmgym.reward_cases/1", "rel_tol": 1e-6, "abs_tol": 1e-8, "cases": cases}
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def cell_case(name: str = "cells", expected: Any = None, **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "method": "GISA",
        "variant": "cell normaliser",
        "inputs": {"a": "1,200", "b": "x"},
        "expected": expected or {"a": "1200", "b": "x", "equal": False},
        **changes,
    }


def test_every_published_case_of_the_built_methods_agrees() -> None:
    report = conformance(shared("reward_cases.json"), methods=BUILT)
    assert report.failed == ()
    assert report.unsupported == ()
    assert report.passed == 20


@pytest.mark.parametrize("variant", kept_aside(), ids=lambda v: f"{v['method']}: {v['variant']}")
def test_adapters_handle_the_shapes_of_the_cases_kept_aside(variant: dict[str, Any]) -> None:
    compute = find_adapter(variant["method"], variant["variant"])
    assert compute is not None
    got = compute(dummy(variant["inputs"]))
    assert isinstance(got, dict)
    assert list(got) == list(variant["expected"])
    for key, shape in variant["expected"].items():
        assert isinstance(got[key], list) is isinstance(shape, list)


def test_a_report_counts_passed_failed_and_unsupported(tmp_path: Path) -> None:
    wrong = cell_case("wrong", {"a": "1200", "b": "y", "equal": False})
    other = cell_case("other", method="Unheard of")
    report = conformance(write(tmp_path / "cases.json", cell_case(), wrong, other))
    assert report.passed == 1
    (failed,) = report.failed
    assert (failed.id, failed.mismatch) == ("wrong", "at value['b']: expected 'y', got 'x'")
    assert failed.got == {"a": "1200", "b": "x", "equal": False}
    assert report.unsupported == ("Unheard of",)


def test_the_table_has_one_line_a_method_and_one_a_failure(tmp_path: Path) -> None:
    wrong = cell_case("wrong", {"a": None})
    lines = str(conformance(write(tmp_path / "cases.json", cell_case(), wrong))).splitlines()
    assert lines == [
        "method  passed  failed  unsupported",
        "GISA         1       1            0",
        "all          1       1            0",
        "FAILED wrong: at value['a']: expected None, got '1200'",
    ]


def test_a_computation_that_raises_is_a_failed_case(tmp_path: Path) -> None:
    report = conformance(write(tmp_path / "cases.json", cell_case(inputs={}), cell_case()))
    assert report.failed[0].mismatch == "raised KeyError: 'a'"
    assert report.passed == 1


def test_an_unknown_variant_of_a_built_method_is_unsupported(tmp_path: Path) -> None:
    report = conformance(write(tmp_path / "cases.json", cell_case(variant="tree")))
    assert report.unsupported == ("GISA",)


def test_a_method_that_the_file_lacks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Gisa"):
        conformance(write(tmp_path / "cases.json", cell_case()), methods=["Gisa"])


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"schema": "other"}',
        '{"schema": "rmgym.reward_cases/1", "cases": []}',
        '{"schema": "rmgym.reward_cases/1", "rel_tol": 0, "abs_tol": 0, "cases": [{"id": "x"}]}',
    ],
)
def test_a_file_that_is_no_file_of_cases_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cases.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"cases\.json"):
        conformance(path)


@pytest.mark.parametrize(
    ("got", "expected", "agree"),
    [
        (1.0 + 1e-7, 1, True),
        (1.0 + 1e-5, 1, False),
        (1e-9, 0.0, True),
        (None, None, True),
        (None, 0.0, False),
        (math.nan, None, False),
        (math.nan, math.nan, False),
        (True, 1, False),
        (1, True, False),
        ("1", 1, False),
        ([1, 2], [1, 2, 3], False),
        ([[1], [2.0]], [[1], [2]], True),
        ((1, 2), [1, 2], True),
        ({"a": 1, "more": 2}, {"a": 1}, True),
        ({"more": 1}, {"a": 1}, False),
        ([], {}, False),
        ({}, [], False),
    ],
)
def test_values_are_compared_within_tolerance_and_by_kind(
    got: object, expected: object, agree: bool
) -> None:
    found = first_mismatch(got, expected, rel_tol=1e-6, abs_tol=1e-8)
    assert (found is None) is agree


def test_the_pattern_with_most_fixed_text_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    find_adapter("GISA", "set")
    monkeypatch.setattr(registry, "_ADAPTERS", {})
    adapter("M")(lambda inputs: "any")
    adapter("M", "range [a, b]*")(lambda inputs: "range")
    adapter("M", "range [a, b] once")(lambda inputs: "once")
    found = [
        find_adapter("M", variant) for variant in ("x", "range [a, b] twice", "range [a, b] once")
    ]
    assert [compute({}) for compute in found if compute] == ["any", "range", "once"]
    assert find_adapter("N", "x") is None


def test_two_adapters_for_one_variant_are_an_error() -> None:
    find_adapter("GISA", "set")
    with pytest.raises(ValueError, match="one adapter"):
        adapter("GISA", "set")(lambda inputs: None)
