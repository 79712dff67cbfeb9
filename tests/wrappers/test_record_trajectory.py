from __future__ import annotations

import copy
import pickle
from typing import Any

import gymnasium as gym
import pytest

import rmgym
from rmgym.errors import RetrieverError
from rmgym.rollout import rollout
from rmgym.wrappers import RecordTrajectory, TurnReward
from tests.rollout.guessing import ENV_ID, Bisect, GuessEnv, Nearness, completion


def play(env: RecordTrajectory, *guesses: int, seed: int = 0) -> None:
    env.reset(seed=seed)
    for guess in guesses:
        env.step(completion(guess))


def test_a_finished_episode_is_recorded_as_a_rollout_records_it() -> None:
    env = RecordTrajectory(gym.make(ENV_ID))
    play(env, 4, 7, 8)
    [trajectory] = env.trajectories
    [expected] = rollout(ENV_ID, Bisect(), 1)
    assert trajectory.turns == expected.turns
    assert trajectory.final_observation == expected.final_observation
    assert (trajectory.env_id, trajectory.task_id, trajectory.seed) == (ENV_ID, "guess-8", 0)
    assert trajectory.metadata == {"episode": 0}


def test_text_is_recorded_without_ids() -> None:
    env = RecordTrajectory(GuessEnv())
    env.reset(seed=1)
    observation, reward, terminated, truncated, info = env.step("<guess>4</guess>")
    assert (reward, terminated, truncated) == (1.1, True, False)
    assert info["reward_terms"] == {"hits": 1.0, "nearness": 0.1}
    assert env.trajectories[0].turns[0].completion.text == "<guess>4</guess>"
    assert env.trajectories[0].turns[0].completion.completion_ids == ()
    assert env.trajectories[0].final_observation == observation


def test_an_episode_left_before_its_end_is_not_recorded() -> None:
    env = RecordTrajectory(GuessEnv())
    play(env, 4, 7)
    play(env, 4, seed=1)
    [trajectory] = env.trajectories
    assert (trajectory.seed, len(trajectory.turns)) == (1, 1)
    assert trajectory.metadata["episode"] == 1


def test_a_truncated_episode_is_recorded() -> None:
    env = RecordTrajectory(GuessEnv(max_turns=2))
    play(env, 1, 1)
    assert env.trajectories[0].stop_reason == "max_turns"
    assert env.trajectories[0].turns[-1].truncated


def test_only_the_newest_episodes_are_kept() -> None:
    env = RecordTrajectory(GuessEnv(), keep=2)
    for _ in range(3):
        play(env, 4, seed=1)
    assert [t.metadata["episode"] for t in env.trajectories] == [1, 2]
    with pytest.raises(ValueError, match="keep of at least 1"):
        RecordTrajectory(GuessEnv(), keep=0)


def test_an_episode_without_a_seed_has_none() -> None:
    env = RecordTrajectory(GuessEnv(max_turns=1))
    env.reset()
    env.step("")
    assert env.trajectories[0].seed is None


def test_a_turn_that_raised_is_not_recorded() -> None:
    env = RecordTrajectory(GuessEnv(broken=8))
    env.reset(seed=0)
    env.step("<guess>4</guess>")
    with pytest.raises(RetrieverError):
        env.step("<guess>5</guess>")
    env.step("<guess>8</guess>")
    assert [t.completion.text for t in env.trajectories[0].turns] == [
        "<guess>4</guess>",
        "<guess>8</guess>",
    ]


def test_changing_the_returned_info_does_not_change_the_record() -> None:
    env = RecordTrajectory(GuessEnv())
    env.reset(seed=1)
    *_, info = env.step("<guess>4</guess>")
    info["task_id"] = "changed"
    assert env.trajectories[0].turns[0].info["task_id"] == "guess-4"


def test_a_fork_in_mid_episode_records_on_its_own() -> None:
    env = RecordTrajectory(TurnReward(gym.make(ENV_ID), [Nearness()]))
    play(env, 4, seed=1)
    env.reset(seed=0)
    env.step(completion(4))
    twin: Any = rmgym.fork(env)
    twin.step(completion(8))
    env.step(completion(7))
    env.step(completion(8))
    assert [[t.completion.text[7] for t in e.turns] for e in env.trajectories] == [
        ["4"],
        ["4", "7", "8"],
    ]
    assert [[t.completion.text[7] for t in e.turns] for e in twin.trajectories] == [
        ["4"],
        ["4", "8"],
    ]
    assert [turn.reward for turn in twin.trajectories[1].turns] == [1 / 5, 1.0]
    assert [turn.reward for turn in env.trajectories[1].turns] == [1 / 5, 1 / 2, 1.0]


def test_a_copy_keeps_the_bound_on_what_is_kept() -> None:
    assert copy.copy(RecordTrajectory(GuessEnv(), keep=3)).trajectories.maxlen == 3


def test_an_environment_without_tasks_is_refused() -> None:
    env = RecordTrajectory(gym.make("CartPole-v1"))
    with pytest.raises(ValueError, match=r"expected info\['task_id'\] from reset, got the keys"):
        env.reset()
    env.close()


def test_the_wrapper_stands_in_the_spec_and_can_be_made_from_it() -> None:
    spec = RecordTrajectory(gym.make(ENV_ID), keep=5).spec
    assert spec is not None
    again = gym.make(spec)
    assert isinstance(again, RecordTrajectory)
    assert again.trajectories.maxlen == 5


def test_a_recording_environment_can_be_pickled_between_episodes() -> None:
    env = RecordTrajectory(GuessEnv())
    play(env, 4, seed=1)
    assert pickle.loads(pickle.dumps(env)).trajectories == env.trajectories
