"""The same recorded groups come out of every trainer with the same ids, masks and credit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmgym.integrations.credit import Credit
from rmgym.trajectory import TrajectoryGroup

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TRAINERS = ("trl", "verl", "skyrl", "openrlhf", "verifiers", "openenv")
ESTIMATORS = ("igpo", "a2tgpo", "centred_returns")
EXACT = ("verifiers", "openenv")
"""They keep float64; the others' tensors are float32."""


def interpreter(trainer: str) -> str:
    """Return the Python that has a trainer, or skip."""
    folder = os.environ.get(f"RMGYM_VENV_{trainer.upper()}")
    if folder:
        return str(Path(folder) / "bin" / "python")
    pytest.importorskip(trainer)
    return sys.executable


@cache
def out_of(trainer: str) -> list[dict[str, Any]]:
    """Return what comes out of a trainer, for all estimators: it is imported once."""
    done = subprocess.run(
        [interpreter(trainer), str(HERE / "through.py"), trainer, *ESTIMATORS],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CUDA_VISIBLE_DEVICES": "",
            "TRL_EXPERIMENTAL_SILENCE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    marked = (text for text in done.stdout.splitlines() if text.startswith("RESULT "))
    return [json.loads(text.removeprefix("RESULT ")) for text in marked]


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("trainer", TRAINERS)
def test_ids_masks_and_credit_are_the_same(
    trainer: str, estimator: str, groups: list[TrajectoryGroup]
) -> None:
    found = [out for out in out_of(trainer) if out["estimator"] == estimator]
    rows = Credit(estimator=estimator, outcome="em").rows(groups)
    assert len(found) == len(rows) == 8
    for row, out in zip(rows, found, strict=True):
        assert out["ids"] == [*row.prompt_ids, *row.completion_ids]
        assert out["prompt"] == len(row.prompt_ids)
        assert out["mask"] == list(row.loss_mask)
        credit = np.array(row.advantages)[np.array(row.loss_mask) == 1]
        if trainer in EXACT:
            assert out["credit"] == credit.tolist()
        else:
            assert out["credit"] == credit.astype(np.float32).tolist()


def test_the_recorded_groups_hold_what_adapters_trip_over(groups: list[TrajectoryGroup]) -> None:
    rows = Credit(estimator="igpo", outcome="em").rows(groups)
    assert {len(row.turn_spans) for row in rows} == {1, 2, 3}
    returns = [t.episode_return for t in groups[1].trajectories]
    assert len(set(returns)) < len(returns)
    gains = [
        turn.reward_terms.get("gain") for g in groups for t in g.trajectories for turn in t.turns
    ]
    assert None in gains
    assert 0.0 in gains
    assert min(g for g in gains if g is not None) < 0
    ends = {row.completion_ids[end - 1] for row in rows for _, end in row.turn_spans}
    assert len(ends) > 1
