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
    "serve_with_openenv.py": ([], r"paid 0\.00, terminated True, answer"),
    "train_with_openrlhf.py": ([], r"label: .*'rmgym_turn_rewards': \(\(0\.25, None\), 1\.0\).*"),
    "train_with_skyrl.py": ([], r"different advantages in an episode: up to \d"),
    "train_with_trl.py": (
        ["--steps", "2", "--attempts", "2", "--tokens", "8"],
        r"largest change of a weight: \d\.\de-\d\d|largest change of a weight: 0\.0e\+00",
    ),
    "train_with_verifiers.py": ([], r"advantages: \[.*\]"),
    "train_with_verl.py": (["--episodes", "2"], r"episode 1:(  ?[+-]\d\.\d\d){3}"),
}
"""Arguments for a tiny budget, and what the last line looks like."""
TESTED_ELSEWHERE = {"train_tiny.py", "welfare_ppo.py"}
"""Scripts with tests of their own."""
NEEDS = {"compare_reward_schemes.py": "matplotlib"}
TRAINERS = {
    "serve_with_openenv.py": "openenv",
    "train_with_skyrl.py": "skyrl",
    "train_with_trl.py": "trl",
    "train_with_verifiers.py": "verifiers",
    "train_with_verl.py": "verl",
}
"""Scripts of trainers, which may be installed in the environment that `RMGYM_VENV_...` names."""


def interpreter(script: str) -> str:
    folder = os.environ.get(f"RMGYM_VENV_{TRAINERS.get(script, '').upper()}")
    if script not in TRAINERS or not folder:
        pytest.importorskip(NEEDS.get(script) or TRAINERS.get(script) or "rmgym")
        return sys.executable
    return str(Path(folder) / "bin" / "python")


def run(script: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [interpreter(script), str(ROOT / "examples" / script), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_script_has_its_arguments_here() -> None:
    scripts = {path.name for path in (ROOT / "examples").glob("*.py")}
    assert scripts == SCRIPTS.keys() | TESTED_ELSEWHERE


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_script_runs_to_its_last_line(script: str, tmp_path: Path) -> None:
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
