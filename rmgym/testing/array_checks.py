"""What an environment of numbers must hold: the part of the promises that needs no conversation."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import check_env as gymnasium_check_env

from rmgym.testing.manual import CheckError, check_manual

MAX_STEPS = 10_000


def array_problems(env: gym.Env[Any, Any], episodes: int, seed: int) -> Iterator[str]:
    """Yield what is wrong with an environment whose actions are numbers.

    Gymnasium's own checker, the manual, spaces, rewards that are the sums of their terms, ends,
    and the same trace for the same seed.
    """
    yield from _gymnasium(env)
    try:
        check_manual(type(env.unwrapped))
    except CheckError as error:
        yield from error.problems
    for number in range(seed, seed + episodes):
        first = list(_play(env, number))
        yield from (problem for _, problems in first for problem in problems)
        if [facts for facts, _ in first] != [facts for facts, _ in _play(env, number)]:
            yield f"replay: expected the same trace for seed {number} twice, got another"


def _gymnasium(env: gym.Env[Any, Any]) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            gymnasium_check_env(env.unwrapped)
        except Exception as error:
            yield f"gymnasium: {type(error).__name__}: {error}"


def _play(env: gym.Env[Any, Any], seed: int) -> Iterator[tuple[str, list[str]]]:
    """Yield a digest of each step of a random episode, and what is wrong with it."""
    observation, _ = env.reset(seed=seed)
    env.action_space.seed(seed)
    yield _digest(observation), _in_space(env, observation)
    for _ in range(MAX_STEPS):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        found = _in_space(env, observation) + _reward(float(reward), info)
        if terminated and truncated:
            found.append("expected terminated or truncated, got both")
        yield f"{_digest(observation)} {reward!r} {terminated} {truncated}", found
        if terminated or truncated:
            return
    yield "", [f"budget: expected the end within {MAX_STEPS} steps, got none"]


def _digest(observation: Any) -> str:
    return repr(np.asarray(observation).tolist())


def _in_space(env: gym.Env[Any, Any], observation: Any) -> list[str]:
    inside = env.observation_space.contains(observation)
    return [] if inside else ["expected an observation of the observation space, got another"]


def _reward(reward: float, info: dict[str, Any]) -> list[str]:
    terms = info.get("reward_terms")
    if not isinstance(terms, dict):
        return ["expected info['reward_terms'] to be a dict, got " + type(terms).__name__]
    if not math.isfinite(reward) or abs(sum(terms.values()) - reward) > 1e-9:
        return [f"expected reward terms that sum to the reward {reward}, got {terms}"]
    return []
