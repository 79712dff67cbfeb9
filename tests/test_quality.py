"""Style, types and layers hold for the whole tree."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = [
    ("ruff", ["ruff", "check", "."]),
    ("ruff", ["ruff", "format", "--check", "."]),
    ("mypy", ["mypy"]),
    ("importlinter", ["importlinter.cli", "lint"]),
    ("codespell_lib", ["codespell_lib", "rmgym", "envs", "agents", "tests", "examples", "docs"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("package", "command"), TOOLS, ids=[" ".join(c) for _, c in TOOLS])
def test_the_tree_is_clean(package: str, command: list[str]) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'rmgym[dev]'")
    runner = [sys.executable, "-m", *command]
    if package == "importlinter":
        runner = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(runner, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_modules_are_short() -> None:
    sources = [
        path
        for folder in ("rmgym", "envs", "agents")
        for path in (ROOT / folder).rglob("*.py")
        if not any(parent.is_symlink() for parent in path.parents)
    ]
    long = {str(p.relative_to(ROOT)): n for p in sources if (n := _lines(p)) > 400}
    assert not long


def _lines(path: Path) -> int:
    return path.read_text().count("\n")
