"""The published worked cases of the estimators."""

from __future__ import annotations

from pathlib import Path

import pytest

from rmgym.testing.conformance import conformance

CASES = Path(__file__).resolve().parents[2].parent / "shared" / "cases" / "reward_cases.json"
METHODS = [
    "C-GRPO",
    "CoVRL",
    "Dr.GRPO",
    "EXSEARCH",
    "GDPO",
    "GRPO",
    "GSPO",
    "GiGPO",
    "PORTool",
    "ProRL",
    "RLOO",
    "ReST-MCTS*",
    "turn-level GAE",
]


@pytest.mark.skipif(not CASES.exists(), reason="the worked cases are not here")
@pytest.mark.parametrize("method", METHODS)
def test_every_worked_case_agrees(method: str) -> None:
    report = conformance(CASES, methods=[method])
    assert report.failed == ()
    assert report.skipped == ()
