from __future__ import annotations

import json
import os
import subprocess
import sys
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rmgym import advantages
from rmgym.credit.benchmark import ORACLE, Effort, measure_credit
from rmgym.credit.episodes import PolicyFactory
from rmgym.credit.report import CreditReport
from tests.credit.climb import ClimbEnv, Gain, Script, Success, Wavering

ROOT = Path(__file__).resolve().parents[2]


def measure(
    make_policy: PolicyFactory = Wavering, outcome: str = "success", **effort: int
) -> CreditReport:
    return measure_credit(
        ClimbEnv(),
        make_policy,
        rewards={"gain": Gain(), "top": Success()},
        estimators={name: advantages.get(name) for name in ("grpo", "turn_gae")},
        effort=Effort(**{"episodes": 40, "group": 4, "replays": 32, **effort}),
        outcome=outcome,
    )


@pytest.fixture(scope="module")
def report() -> CreditReport:
    return measure()


def spearman_by_name(report: CreditReport) -> dict[str, float | None]:
    figures = {row.scheme.name: row.agreement.spearman for row in report.ranked}
    return {name: found.value if found else None for name, found in figures.items()}


def test_schemes_are_ranked_by_their_agreement(report: CreditReport) -> None:
    scores = [row.score for row in report.ranked]
    assert scores == sorted(scores, reverse=True)
    assert report.ranked[0].scheme.name in (ORACLE, "gain")


def test_a_reward_that_tells_good_moves_is_far_above_noise(report: CreditReport) -> None:
    found = spearman_by_name(report)
    assert (found["gain"] or 0) > 0.7
    assert abs(found["random"] or 0) < 4 / sqrt(report.budget.turns - 1)
    assert found["zero"] is None


def test_every_combination_is_ranked_or_left_out_with_a_reason(report: CreditReport) -> None:
    names = [row.scheme.name for row in report.ranked]
    assert {"gain", "gain + outcome", "top"} <= set(names)
    assert {"grpo(outcome)", "grpo(gain + outcome)", "grpo(top)"} <= set(names)
    assert sorted(report.left_out) == [
        "turn_gae(gain + outcome)", "turn_gae(outcome)", "turn_gae(top)"
    ]  # fmt: skip
    assert "values" in report.left_out["turn_gae(outcome)"]


def test_the_budget_is_stated(report: CreditReport) -> None:
    assert report.budget.turns == 80
    assert report.budget.replays == 2 * 80 * 32
    assert report.budget.replayed_turns == 2 * 32 * 40 * (2 + 1)
    assert report.truth.variance_saved > 1.2
    assert report.truth.first_value == pytest.approx(0.36, abs=0.05)


def test_figures_are_plain_json(report: CreditReport) -> None:
    data = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert len(data["turns"]["value"]) == 80
    assert len(data["turns"]["credit"]["gain"]) == 80
    assert data["schemes"][0]["all_turns"]["spearman"]["low"] <= 1


def test_attempts_of_one_task_are_one_cluster(report: CreditReport) -> None:
    tasks = report.truth.tasks.reshape(10, -1)
    assert (tasks == tasks[:, :1]).all()


def test_a_policy_without_chance_has_nothing_to_rank_and_the_note_says_so() -> None:
    found = measure(lambda seed: Script("up", "up"), episodes=4, replays=2)
    assert found.best is None
    assert "take a policy that draws" in found.note
    assert np.isnan(found.truth.variance_saved)
    json.dumps(found.to_json(), allow_nan=False)


def test_an_unknown_outcome_stops_before_anything_is_replayed() -> None:
    with pytest.raises(ValueError, match="return:TERM"):
        measure(outcome="f1", episodes=4)


@pytest.mark.parametrize(
    ("effort", "message"),
    [({"episodes": 10, "group": 4}, "multiple of the group"), ({"replays": 1}, "2 replays")],
)
def test_efforts_that_do_not_fit_are_refused(effort: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Effort(**effort)


SCRIPT = """
import json
from tests.credit.test_benchmark import measure
data = measure(episodes=8, replays=4).to_json()
del data["budget"]["seconds"]
for row in data["schemes"]:
    del row["seconds_per_turn"]
print(json.dumps(data))
"""


def test_figures_do_not_depend_on_the_hash_seed() -> None:
    printed: list[Any] = []
    for hash_seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed.append(json.loads(done.stdout))
    assert printed[0] == printed[1]
