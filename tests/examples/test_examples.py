"""Every script of examples/ runs to its last line with a budget of seconds."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SCRIPTS: dict[str, tuple[list[str], str]] = {
    "compare_reward_schemes.py": (["--episodes", "6"], r"least agreement: .*, rank correlation .*"),
    "counterfactual_turn_value.py": (
        ["--episodes", "2", "--replays", "2"],
        r"rank correlation (-?\d\.\d{3}|nan)",
    ),
    "debate_judges_own_gym.py": (
        ["--episodes", "10"],
        r"calibration error of the verifier: \d\.\d{3}",
    ),
    "debate_with_your_policy.py": (["--episodes", "4"], r"wins( [+-]\d\.\d{3}){4}"),
}
"""Arguments for a tiny budget, and what the last line looks like."""
NEEDS = {"compare_reward_schemes.py": "matplotlib"}


def run(script: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / script), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_script_has_its_arguments_here() -> None:
    assert sorted(path.name for path in (ROOT / "examples").glob("*.py")) == sorted(SCRIPTS)


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_script_runs_to_its_last_line(script: str, tmp_path: Path) -> None:
    if script in NEEDS:
        pytest.importorskip(NEEDS[script])
    arguments, last_line = SCRIPTS[script]
    done = run(script, arguments, tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(last_line, done.stdout.splitlines()[-1]), done.stdout


def test_comparing_again_reuses_the_store_and_draws_again(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    outputs = []
    for _ in range(2):
        done = run("compare_reward_schemes.py", ["--episodes", "3"], tmp_path)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
        picture = tmp_path / "schemes.png"
        assert picture.read_bytes().startswith(b"\x89PNG")
        picture.unlink()
    assert outputs[0] == outputs[1]
