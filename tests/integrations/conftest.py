"""Trainers that are not importable here are tested in environments of their own.

A test file of a trainer runs in this interpreter where the trainer is installed. Else one test
stands for it: it runs the file in the environment that `RMGYM_VENV_<TRAINER>` names, or skips.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from rmgym.rollout import read_trajectories
from rmgym.trajectory import TrajectoryGroup, group_by_task

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RECORDED = HERE / "recorded.jsonl"


class Trainer(NamedTuple):
    """Which module says that a trainer is there, and which variable names its environment."""

    module: str
    variable: str


TRAINERS = {
    "trl": Trainer("trl", "RMGYM_VENV_TRL"),
    "verl": Trainer("verl", "RMGYM_VENV_VERL"),
    "skyrl": Trainer("skyrl", "RMGYM_VENV_SKYRL"),
    "openrlhf": Trainer("openrlhf", "RMGYM_VENV_OPENRLHF"),
    "verifiers": Trainer("verifiers", "RMGYM_VENV_VERIFIERS"),
    "openenv": Trainer("openenv", "RMGYM_VENV_OPENENV"),
    "rllib": Trainer("ray.rllib", "RMGYM_VENV_RLLIB"),
}


def is_here(trainer: str) -> bool:
    """Return whether a trainer can be imported in this interpreter."""
    module = TRAINERS[trainer].module
    try:
        found = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
    return found and (trainer != "rllib" or importlib.util.find_spec("tree") is not None)


def python_for(trainer: str) -> str:
    """Return the interpreter that has a trainer, or skip the test."""
    if is_here(trainer):
        return sys.executable
    folder = os.environ.get(TRAINERS[trainer].variable)
    if not folder:
        pytest.skip(f"{trainer} is not installed and {TRAINERS[trainer].variable} names no venv")
    return str(Path(folder) / "bin" / "python")


def run_there(trainer: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run Python where a trainer is installed."""
    return subprocess.run(
        [python_for(trainer), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )


class Elsewhere(pytest.File):
    """A test file of a trainer that is not installed here."""

    trainer: str

    def collect(self) -> Iterator[pytest.Item]:
        yield TestsElsewhere.from_parent(self, name=f"{self.trainer}_in_its_environment")


class TestsElsewhere(pytest.Item):
    """Runs the whole file where the trainer is installed."""

    def runtest(self) -> None:
        assert isinstance(self.parent, Elsewhere)
        options = ["-q", "-p", "no:cacheprovider", "-W", "default"]
        done = run_there(self.parent.trainer, ["-m", "pytest", *options, str(self.path)])
        if done.returncode:
            pytest.fail(done.stdout[-6_000:] + done.stderr[-2_000:], pytrace=False)


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Collector | None:
    trainer = module_path.stem.removeprefix("test_").split("_")[0]
    if trainer not in TRAINERS or is_here(trainer):
        return None
    made: Elsewhere = Elsewhere.from_parent(parent, path=module_path)
    made.trainer = trainer
    return made


@pytest.fixture(scope="session")
def groups() -> list[TrajectoryGroup]:
    """The recorded groups: two tasks, four attempts each, byte tokens."""
    return group_by_task(read_trajectories(RECORDED))
