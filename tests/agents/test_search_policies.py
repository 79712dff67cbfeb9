from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

from rmgym.agents.catalog import make_policy
from rmgym.envs.search.env import SearchEnv
from rmgym.rollout import rollout
from rmgym.rollout.summary import summarise
from rmgym.trajectory import Trajectory

EPISODES = 300
ONE_HOP = 0.92
TWO_HOP = 0.0


@cache
def played(name: str, kind: str | None = None, action_format: str = "tags") -> Sequence[Trajectory]:
    kinds = None if kind is None else [kind]
    env = SearchEnv(kinds=kinds, action_format=action_format)  # type: ignore[arg-type]
    policy = make_policy("rmgym/Search-v0", name, env)
    return list(rollout(env, policy, EPISODES, seed=0))


def mean(trajectories: Sequence[Trajectory], metric: str) -> float:
    return sum(t.metrics.get(metric, 0.0) for t in trajectories) / len(trajectories)


def f1_aware(trajectories: Sequence[Trajectory]) -> float:
    return summarise(trajectories).metrics["f1_aware"]


def test_the_chain_oracle_is_always_right_and_finds_every_gold_passage() -> None:
    trajectories = played("chain_oracle")
    assert mean(trajectories, "em") == 1.0
    assert mean(trajectories, "gold_recall") == 1.0


@pytest.mark.parametrize(("kind", "hops"), [("one_hop", 1), ("two_hop", 2)])
def test_the_chain_oracle_searches_once_a_hop(kind: str, hops: int) -> None:
    assert mean(played("chain_oracle", kind), "searches") == hops


def test_the_chain_oracle_plays_with_tool_calls_too() -> None:
    assert mean(played("chain_oracle", action_format="tool_call"), "em") == 1.0


def test_one_search_answers_one_hop_and_not_two() -> None:
    assert mean(played("single_shot", "one_hop"), "em") == pytest.approx(ONE_HOP, abs=0.02)
    assert mean(played("single_shot", "two_hop"), "em") == pytest.approx(TWO_HOP, abs=0.02)


def test_no_search_answers_what_it_was_told() -> None:
    told = sum(
        turn.info["task"]["known"] for t in played("no_search", "one_hop") for turn in t.turns
    )
    assert mean(played("no_search", "one_hop"), "em") == pytest.approx(told / EPISODES)


def test_always_searching_is_never_aware() -> None:
    assert f1_aware(played("always_search")) == 0.0


def test_searching_only_when_needed_is_always_aware() -> None:
    assert f1_aware(played("aware_oracle")) == 1.0


def test_a_random_title_is_hardly_ever_right() -> None:
    assert mean(played("random_doc"), "em") <= 0.01
