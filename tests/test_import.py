from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest

import rmgym
import rmgym.testing

HEAVY = ("bm25s", "numba", "pandas", "pettingzoo", "pyarrow", "rich", "torch", "transformers")


def loaded_by(statement: str) -> list[str]:
    program = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    modules: list[str] = json.loads(done.stdout)
    return modules


@pytest.mark.parametrize("statement", ["import rmgym", "import rmgym.testing"])
def test_import_is_light(statement: str) -> None:
    modules = loaded_by(statement)
    assert [name for name in modules if name.split(".")[0] in HEAVY] == []
    assert [name for name in modules if name.startswith(("rmgym.envs.", "rmgym.agents."))] == []


def test_import_makes_nothing_top_level_of_envs_and_agents() -> None:
    assert {"envs", "agents"}.isdisjoint(loaded_by("import rmgym"))


@pytest.mark.parametrize("name", ["rmgym", "rmgym.testing"])
def test_all_is_sorted_and_there(name: str) -> None:
    package = importlib.import_module(name)
    names = list(package.__all__)
    capital_first = sorted(names, key=lambda each: (not each[0].isupper(), each))
    assert names == capital_first
    for each in names:
        assert getattr(package, each) is not None


@pytest.mark.parametrize("package", [rmgym, rmgym.testing])
def test_unknown_name_is_an_attribute_error(package: object) -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        package.nonsense  # type: ignore[attr-defined]  # noqa: B018  # the point


def test_function_and_module_of_one_name_give_the_function() -> None:
    importlib.import_module("rmgym.testing.audit")
    importlib.import_module("rmgym.testing.conformance")
    assert callable(rmgym.testing.audit)
    assert callable(rmgym.testing.conformance)
