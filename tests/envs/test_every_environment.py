"""What holds for every registered id; a new environment is tested on the day it is registered."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check_env

from rmgym.agents.catalog import chat_ids, demo_policy_names, make_policy
from rmgym.rollout import rollout
from rmgym.testing import audit, check_env, malformed_actions

IDS = chat_ids()
EPISODES = 12


def first_policy(env_id: str, env: Any) -> Any:
    return make_policy(env_id, demo_policy_names(env_id)[0], env)


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasiums_own_check(env_id: str) -> None:
    with warnings.catch_warnings():
        # Says only that text is no array and that the environment was made without checks.
        warnings.simplefilter("ignore", UserWarning)
        gymnasium_check_env(gym.make(env_id).unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_what_a_conversation_must_hold(env_id: str) -> None:
    env = gym.make(env_id)
    policies = [make_policy(env_id, name, env) for name in demo_policy_names(env_id)]
    check_env(env_id, policies=policies)


@pytest.mark.parametrize("env_id", IDS)
def test_policies_that_deserve_nothing_earn_nothing(env_id: str) -> None:
    report = audit(env_id, episodes=EPISODES)
    assert not report.violations, str(report)


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize("mode", ["sync", "thread", "process"])
def test_a_vector_plays_the_same_episodes_as_the_environment_alone(env_id: str, mode: Any) -> None:
    env = gym.make(env_id)
    policy = first_policy(env_id, env)
    alone = rollout(env, policy, EPISODES)
    together = rollout(env_id, policy, EPISODES, num_envs=4, mode=mode)
    assert [t.turns for t in together] == [t.turns for t in alone]


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasiums_sync_and_async_vectors_play_the_same_episodes(env_id: str) -> None:
    policy = first_policy(env_id, gym.make(env_id))
    played = []
    for mode in ("sync", "async"):
        vector = gym.make_vec(
            env_id,
            num_envs=3,
            vectorization_mode=mode,
            vector_kwargs={"autoreset_mode": gym.vector.AutoresetMode.DISABLED},
        )
        played.append([t.turns for t in rollout(vector, policy, EPISODES)])
        vector.close()
    assert played[0] == played[1]
    assert len(played[0]) == EPISODES


@pytest.mark.parametrize("env_id", IDS)
def test_ten_thousand_malformed_actions_are_ordinary_turns(env_id: str) -> None:
    env = gym.make(env_id).unwrapped
    tools = getattr(env, "tool_list", ())
    env.reset(seed=0)
    for action in malformed_actions(np.random.default_rng(0), 10_000, tools=tools):
        observation, reward, terminated, truncated, info = env.step(action)
        assert abs(sum(info["reward_terms"].values()) - float(reward)) < 1e-9
        assert env.observation_space.contains(observation)
        if terminated or truncated:
            env.reset()
