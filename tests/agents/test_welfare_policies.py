from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rmgym.agents.catalog import demo_policy_names, make_policy
from rmgym.agents.welfare import read_standing
from rmgym.rollout import rollout

ID = "rmgym/Welfare-v0"


def figures(name: str, episodes: int = 40, **settings: Any) -> dict[str, float]:
    env = gym.make(ID, **settings)
    played = list(rollout(env, make_policy(ID, name, env), episodes))
    return {
        key: float(np.mean([t.metrics[key] for t in played])) for key in ("swf", "fairness", "roi")
    }


@pytest.fixture(scope="module")
def board() -> dict[str, dict[str, float]]:
    return {name: figures(name) for name in demo_policy_names(ID)}


def test_random_allocation_is_as_fair_as_theory_says(board: dict[str, dict[str, float]]) -> None:
    assert figures("random", 60, max_failures=100)["fairness"] == pytest.approx(0.82, abs=0.015)


def test_fair_allocation_is_fair(board: dict[str, dict[str, float]]) -> None:
    assert board["fair"]["fairness"] >= 0.96
    assert board["fair"]["swf"] > board["random"]["swf"]


def test_the_single_best_is_as_unequal_as_its_counts_must_be(
    board: dict[str, dict[str, float]],
) -> None:
    assert 0.19 <= board["single_best"]["fairness"] <= 0.31
    assert board["single_best"]["swf"] == min(row["swf"] for row in board.values())


def test_whoever_knows_the_outcomes_is_ahead_of_whoever_does_not(
    board: dict[str, dict[str, float]],
) -> None:
    blind = [row["swf"] for name, row in board.items() if name not in ("greedy", "optimal")]
    assert board["greedy"]["swf"] > board["optimal"]["swf"] > max(blind)


def test_the_table_is_read_back_as_it_stands() -> None:
    env: Any = gym.make(ID, members=6, tasks=10).unwrapped
    env.reset(seed=0)
    names = [member.name for member in env.roster.members]
    for place in (2, 2, 4, 0, 2):
        env.step(f"<agent>{names[place]}</agent>")
    state, standing = env.episode.game.state, read_standing(env.context)
    assert standing.names == names
    assert standing.counts == state.counts == [1, 0, 3, 0, 1, 0]
    assert standing.gini == pytest.approx(state.gini)
    assert standing.roi[1] is None
    assert standing.untried == [1, 3, 5]


@pytest.mark.parametrize("name", ["random", "fair", "efficient", "optimal"])
def test_nobody_names_a_member_who_has_left(name: str) -> None:
    env = gym.make(ID, members=6, tasks=20, elimination=True)
    for trajectory in rollout(env, make_policy(ID, name, env), 10):
        assert trajectory.metrics["invalid_turns"] == 0.0
        assert trajectory.stop_reason in ("one_left", "queue_empty", "max_assignments")


@pytest.mark.parametrize("mode", ["budget", "indivisible"])
@pytest.mark.parametrize("action_format", ["tags", "tool_call"])
@pytest.mark.parametrize("name", ["random", "fair", "efficient", "exact"])
def test_divisions_are_played_without_a_wasted_turn(
    mode: Any, action_format: Any, name: str
) -> None:
    if name == "exact" and mode == "indivisible":
        pytest.importorskip("scipy", reason="many items need SciPy")
    env = gym.make(ID, mode=mode, action_format=action_format, recipients=3)
    for trajectory in rollout(env, make_policy(ID, name, env), 3):
        assert trajectory.metrics["invalid_turns"] == 0.0
        assert trajectory.stop_reason == "all_given"


def test_the_exact_division_of_items_is_best_by_nash() -> None:
    pytest.importorskip("scipy", reason="many items need SciPy")
    env = gym.make(ID, mode="indivisible", recipients=3, rounds=6)
    best = list(rollout(env, make_policy(ID, "exact", env), 10))
    for name in ("random", "fair", "efficient"):
        for mine, other in zip(best, rollout(env, make_policy(ID, name, env), 10), strict=True):
            assert mine.metrics["nash"] >= other.metrics["nash"] - 1e-9


def test_random_choices_in_dilemmas_are_random_and_first_is_first() -> None:
    env = gym.make(ID, mode="dilemma")
    drawn = [
        t.metrics["chose_first"]
        for seed in range(100)
        for t in rollout(env, make_policy(ID, "random", env, seed=seed), 2)
    ]
    assert 0.38 < np.mean(drawn) < 0.62
    first = [t.metrics["chose_first"] for t in rollout(env, make_policy(ID, "first", env), 5)]
    assert first == [1.0] * 5


def test_a_policy_that_a_mode_does_not_have_is_named() -> None:
    with pytest.raises(ValueError, match="in 'budget', got 'hybrid'"):
        make_policy(ID, "hybrid", gym.make(ID, mode="budget"))
    with pytest.raises(ValueError, match="mode 'swf', got 'first'"):
        make_policy(ID, "first", gym.make(ID))


def test_seeds_of_a_policy_play_differently() -> None:
    env = gym.make(ID)
    plays = [
        [
            t.turns[0].completion.text
            for t in rollout(env, make_policy(ID, "random", env, seed=s), 8)
        ]
        for s in (0, 0, 1)
    ]
    assert plays[0] == plays[1] != plays[2]
