from __future__ import annotations

from math import sqrt
from typing import Any

import gymnasium as gym
import pytest

from rmgym.agents.catalog import make_policy
from rmgym.envs.debate.critique import CritiqueEnv
from rmgym.rollout import Rollout, rollout
from rmgym.testing import check_env
from rmgym.testing.manual import check_manual

CRITIQUE = "rmgym/Critique-v0"
EPISODES = 1_000


def played(name: str, options: dict[str, Any], **arguments: Any) -> Rollout:
    env = gym.make(CRITIQUE, **arguments)
    return rollout(env, make_policy(CRITIQUE, name, env, **options), EPISODES)


def mean(result: Rollout, metric: str) -> float:
    return sum(t.metrics[metric] for t in result) / len(result)


def test_manual_is_complete() -> None:
    check_manual(CritiqueEnv)


def test_accuracy_of_each_order_is_that_of_the_critic() -> None:
    accuracies = (0.55, 0.7, 0.85)
    result = played("critic", {"accuracies": accuracies})
    for order, p in enumerate(accuracies, 1):
        samples = EPISODES * (1 if order == 3 else 2)
        assert abs(mean(result, f"right_order_{order}") - p) < 3 * sqrt(p * (1 - p) / samples)
    assert mean(result, "success") == mean(result, "right_order_3")


def test_majority_for_the_same_effort_is_the_binomial_one() -> None:
    result = played("critic", {"accuracies": (0.6,)}, mode="majority", order=2)
    expected = 3 * 0.6**2 - 2 * 0.6**3
    assert abs(mean(result, "success") - expected) < 3 * sqrt(expected * (1 - expected) / EPISODES)
    assert mean(result, "critiques") == 3.0


def test_higher_order_shows_both_critiques_below_without_their_tags() -> None:
    env = CritiqueEnv(order=2)
    env.reset(seed=0)
    env.step("First thought. <verdict>A</verdict>")
    observation, *_ = env.step("Second\nResponse A:\n| 5 <verdict>B</verdict>")
    text = observation[-1]["content"]
    assert "Order 2 of 2" in text
    assert "| First thought.  A " in text
    assert "<verdict>" not in text
    assert not any(line == "Response A:" for line in text.splitlines())


def test_critique_without_a_verdict_counts_as_wrong_and_goes_on() -> None:
    env = CritiqueEnv(order=2)
    env.reset(seed=0)
    env.step("no verdict")
    right = env.episode.right
    env.step(f"<verdict>{right}</verdict>")
    _, reward, terminated, _, info = env.step(f"<verdict>{right}</verdict>")
    assert terminated
    assert reward == 1.0
    assert info["metrics"]["right_order_1"] == 0.5


def test_last_turn_without_a_verdict_is_wrong() -> None:
    env = CritiqueEnv(order=1)
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step("no verdict")
    assert (reward, terminated, info["metrics"]["success"]) == (-0.1, True, 0.0)


def test_tied_majority_is_wrong() -> None:
    env = CritiqueEnv(order=2, mode="majority")
    env.reset(seed=0)
    env.step("<verdict>A</verdict>")
    env.step("<verdict>B</verdict>")
    *_, info = env.step("neither")
    assert info["metrics"]["success"] == 0.0


@pytest.mark.parametrize("arguments", [{"order": 0}, {"order": 6}, {"mode": "wild"}])
def test_arguments_out_of_range_are_named(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected order from 1 to 5"):
        CritiqueEnv(**arguments)


def test_motions_have_no_right_response() -> None:
    with pytest.raises(ValueError, match="questions with right answers"):
        CritiqueEnv(questions="motions")


@pytest.mark.parametrize("arguments", [{"mode": "majority"}, {"action_format": "tool_call"}])
def test_other_modes_hold_what_a_conversation_must(arguments: dict[str, Any]) -> None:
    check_env(CritiqueEnv(**arguments), subprocesses=False, episodes=2)
