"""Conformance to worked cases: our formulas beside published numbers.

A file of cases (schema `rmgym.reward_cases/1`) holds, for each, a method, a variant, inputs and
the expected values. `conformance` computes every case that has an adapter (see
`rmgym.testing.cases`) and compares, within the file's tolerances.
`print(conformance("reward_cases.json"))` shows one line a method and one for each failure.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from rmgym.errors import DataError
from rmgym.testing.cases.registry import find_adapter

SCHEMA = "rmgym.reward_cases/1"

Status: TypeAlias = Literal["passed", "failed", "unsupported"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What became of one case."""

    id: str
    method: str
    variant: str
    status: Status
    got: object = None
    expected: object = None
    mismatch: str = ""
    """Where got and expected first part, or the error that the computation raised."""


@dataclass(frozen=True, slots=True)
class ConformanceReport:
    """The results of a run, in the order of the file."""

    results: tuple[CaseResult, ...]

    @property
    def passed(self) -> int:
        """How many cases passed."""
        return len(self._with("passed"))

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        """Cases whose values differ, or whose computation raised."""
        return self._with("failed")

    @property
    def skipped(self) -> tuple[CaseResult, ...]:
        """Cases without an adapter."""
        return self._with("unsupported")

    @property
    def unsupported(self) -> tuple[str, ...]:
        """Methods with a case that has no adapter, in order."""
        return tuple(dict.fromkeys(result.method for result in self.skipped))

    def table(self) -> str:
        """Return one line a method with its counts, then one for each failure."""
        methods = list(dict.fromkeys(result.method for result in self.results))
        width = max(map(len, [*methods, "method", "all"]))
        lines = [f"{'method':<{width}}  passed  failed  unsupported"]
        for method in [*methods, "all"]:
            chosen = [r for r in self.results if method in (r.method, "all")]
            counts = [sum(r.status == status for r in chosen) for status in _STATUSES]
            lines.append(f"{method:<{width}}  {counts[0]:>6}  {counts[1]:>6}  {counts[2]:>11}")
        lines.extend(f"FAILED {each.id}: {each.mismatch}" for each in self.failed)
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.table()

    def _with(self, status: Status) -> tuple[CaseResult, ...]:
        return tuple(result for result in self.results if result.status == status)


_STATUSES: tuple[Status, ...] = ("passed", "failed", "unsupported")


def conformance(
    cases_path: str | Path, methods: Collection[str] | None = None
) -> ConformanceReport:
    """Compute the worked cases of a file and compare.

    Args:
        cases_path: A JSON file of cases.
        methods: Only these methods; all when None.

    Raises:
        DataError: If the file is not a file of cases.
        ValueError: If the file has no case of a method asked for.
    """
    data = _read(Path(cases_path))
    known = {case["method"] for case in data["cases"]}
    strangers = sorted(set(methods or ()) - known)
    if strangers:
        raise ValueError(f"expected methods of {sorted(known)}, got {strangers}")
    rel_tol, abs_tol = float(data["rel_tol"]), float(data["abs_tol"])
    return ConformanceReport(
        tuple(
            _run(case, rel_tol, abs_tol)
            for case in data["cases"]
            if methods is None or case["method"] in methods
        )
    )


def first_mismatch(
    got: object, expected: object, *, rel_tol: float, abs_tol: float, where: str = "value"
) -> str | None:
    """Return where two values first part, in words, or None if they agree.

    Numbers agree within the tolerances; None, booleans and strings only with their equals; lists
    must have one length. Every expected key must be there; further keys are let be.

    >>> first_mismatch({"a": [1.0, 2]}, {"a": [1, 3]}, rel_tol=1e-6, abs_tol=1e-8)
    "at value['a'][1]: expected 3, got 2"
    """
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        missing = [key for key in expected if key not in got]
        if missing:
            return f"at {where}: expected keys {list(expected)}, got none of {missing}"
        pairs = [(f"{where}[{key!r}]", got[key], value) for key, value in expected.items()]
    elif (
        isinstance(got, list | tuple)
        and isinstance(expected, list | tuple)
        and len(got) == len(expected)
    ):
        pairs = [(f"{where}[{i}]", *pair) for i, pair in enumerate(zip(got, expected, strict=True))]
    elif _same(got, expected, rel_tol, abs_tol):
        return None
    else:
        return f"at {where}: expected {expected!r}, got {got!r}"
    for place, mine, theirs in pairs:
        found = first_mismatch(mine, theirs, rel_tol=rel_tol, abs_tol=abs_tol, where=place)
        if found:
            return found
    return None


def _same(got: object, expected: object, rel_tol: float, abs_tol: float) -> bool:
    if not isinstance(got, bool) and isinstance(got, int | float):
        if isinstance(expected, bool) or not isinstance(expected, int | float):
            return False
        return math.isclose(got, expected, rel_tol=rel_tol, abs_tol=abs_tol)
    return type(got) is type(expected) and got == expected


def _run(case: Mapping[str, Any], rel_tol: float, abs_tol: float) -> CaseResult:
    method, variant, expected = case["method"], case["variant"], case["expected"]
    compute = find_adapter(method, variant)
    status: Status = "unsupported"
    got: object = None
    mismatch: str | None = ""
    if compute is not None:
        try:
            got = compute(case["inputs"])
            mismatch = first_mismatch(got, expected, rel_tol=rel_tol, abs_tol=abs_tol)
        except Exception as error:  # a broken formula is a failed case, not the end of the run
            mismatch = f"raised {type(error).__name__}: {error}"
        status = "failed" if mismatch else "passed"
    return CaseResult(
        id=case["id"],
        method=method,
        variant=variant,
        status=status,
        got=got,
        expected=expected,
        mismatch=mismatch or "",
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a JSON file of worked cases: {error}") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise DataError(f"{path}: expected schema {SCHEMA!r}, got {found!r}")
    head = [name for name in ("rel_tol", "abs_tol", "cases") if name not in data]
    if head:
        raise DataError(f"{path}: expected rel_tol, abs_tol and cases, got none of {head}")
    fields = ("id", "method", "variant", "inputs", "expected")
    for row, case in enumerate(data["cases"]):
        missing = [name for name in fields if name not in case]
        if missing:
            raise DataError(f"{path}, case {row}: expected {list(fields)}, got none of {missing}")
    return data
