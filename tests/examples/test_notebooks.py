"""Every notebook of examples/ runs from its first cell to its last."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
NEEDS = {
    "1_first_environment.ipynb": "bm25s",
    "2_write_your_own_environment.ipynb": "gymnasium",
    "3_compare_reward_schemes.ipynb": "bm25s",
    "4_train_tiny.ipynb": "torch",
    "5_evaluate_a_served_model.ipynb": "openai",
}


def test_every_notebook_says_here_what_it_needs() -> None:
    assert [path.name for path in NOTEBOOKS] == sorted(NEEDS)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ipykernel", reason="runs notebooks: pip install nbclient ipykernel")
    nbclient = pytest.importorskip("nbclient", reason="pip install nbclient ipykernel")
    nbformat = pytest.importorskip("nbformat", reason="pip install nbclient ipykernel")
    pytest.importorskip(NEEDS[path.name])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(path.parent)}}
    client = nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=folder)
    client.execute()
    errors = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "error"
    ]
    assert not errors
