"""The examples run, with tiny budgets; learning itself is measured, not tested."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def needs(*packages: str) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def test_ppo_trains_on_the_native_vector_and_is_placed(tmp_path: Path) -> None:
    needs("stable_baselines3", "torch", "matplotlib")
    picture = tmp_path / "plane.png"
    size = ["--steps", "20000", "--episodes", "4", "--members", "6", "--tasks", "8"]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "welfare_ppo.py"), *size, "--out", str(picture)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().split("\n")[-1].startswith("PPO reaches SWF ")
    assert picture.stat().st_size > 10_000


def test_the_notebook_runs_from_top_to_bottom() -> None:
    needs("nbclient", "nbformat", "ipykernel", "matplotlib")
    import nbclient
    import nbformat

    notebook = nbformat.read(EXAMPLES / "welfare_plane.ipynb", as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = "EPISODES, STEPS, MEMBERS, TASKS = 3, 5_000, 6, 8"
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3")
    client.execute(cwd=str(EXAMPLES))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
