from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.vector import SyncVectorEnv

import rmgym
from rmgym.errors import JudgeError, RewardError
from rmgym.protocols import Grant, Score, TermScore
from rmgym.trajectory import Context
from rmgym.wrappers import RecordTrajectory, TurnReward, VectorTurnReward, turn_reward
from tests.rollout.guessing import ENV_ID, Bisect, Fussy, GuessEnv, Nearness, completion


class Recorder:
    """Keeps the contexts that it is given; scores the number of turns so far."""

    name = "recorder"
    grant: Grant = "turn"

    def __init__(self) -> None:
        self.contexts: list[Context] = []

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        self.contexts.extend(contexts)
        return [Score(float(len(c.turns)), {"seen": float(len(c.messages))}) for c in contexts]


class AtEnd:
    name = "at_end"
    grant: Grant = "outcome"

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        return [2.0 for _ in contexts]


def test_the_reward_is_replaced_by_the_weighted_terms() -> None:
    env = TurnReward(gym.make(ENV_ID), [(Recorder(), 0.5), AtEnd()])
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step("<guess>4</guess>")
    assert (reward, terminated) == (0.5, False)
    assert info["reward_terms"] == {"recorder": 0.5}
    _, reward, terminated, _, info = env.step("<guess>8</guess>")
    assert (reward, terminated) == (3.0, True)
    assert info["reward_terms"] == {"recorder": 1.0, "at_end": 2.0}


def test_terms_bring_their_metrics_beside_those_of_the_environment() -> None:
    env = TurnReward(GuessEnv(), [Recorder()])
    env.reset(seed=0)
    *_, info = env.step("<guess>4</guess>")
    assert info["metrics"]["seen"] == 3.0
    assert info["metrics"]["turns"] == 1.0


def test_a_term_sees_the_whole_conversation_with_the_hidden_facts() -> None:
    recorder = Recorder()
    env = TurnReward(GuessEnv(), [recorder])
    opening, _ = env.reset(seed=0)
    env.step(completion(4))
    answer, *_ = env.step(completion(7))
    context = recorder.contexts[1]
    assert context.task["number"] == 8
    assert context.turns[0].observation == opening
    assert context.observation == answer
    assert context.last.completion == completion(7)
    assert context.last.reward == 0.1 * 0.5
    assert [turn.reward for turn in context.turns[:-1]] == [1.0]
    assert len(context.messages) == 5


def test_the_episode_before_is_forgotten_at_reset() -> None:
    recorder = Recorder()
    env = TurnReward(GuessEnv(), [recorder])
    for _ in range(2):
        env.reset(seed=0)
        env.step("<guess>4</guess>")
    assert [len(c.turns) for c in recorder.contexts] == [1, 1]


def test_added_terms_stand_beside_the_environments_own() -> None:
    env = TurnReward(GuessEnv(), [(Recorder(), 0.5), AtEnd()], add=True)
    env.reset(seed=1)
    _, reward, *_, info = env.step("<guess>4</guess>")
    assert info["reward_terms"] == {"hits": 1.0, "nearness": 0.1, "recorder": 0.5, "at_end": 2.0}
    assert reward == pytest.approx(3.6, abs=1e-9)


def test_an_environment_without_terms_adds_its_reward_as_one() -> None:
    class Plain(GuessEnv):
        def step(self, action: str) -> Any:
            observation, reward, terminated, truncated, info = super().step(action)
            del info["reward_terms"]
            return observation, reward, terminated, truncated, info

    env = TurnReward(Plain(), [AtEnd()], add=True)
    env.reset(seed=1)
    _, reward, *_, info = env.step("<guess>4</guess>")
    assert info["reward_terms"] == {"environment": 1.1, "at_end": 2.0}
    assert reward == 3.1


def test_an_added_term_may_not_have_the_name_of_an_own_one() -> None:
    env = TurnReward(GuessEnv(), [Nearness()], add=True)
    env.reset(seed=0)
    with pytest.raises(RewardError, match=r"got \['nearness'\]; rename"):
        env.step("<guess>4</guess>")


def test_own_terms_that_do_not_sum_to_the_reward_are_refused_when_added_to() -> None:
    scaled = gym.wrappers.TransformReward(GuessEnv(), lambda reward: 2 * float(reward))
    env = TurnReward(scaled, [AtEnd()], add=True)
    env.reset(seed=0)
    with pytest.raises(RewardError, match="changed the reward: put it outside"):
        env.step("<guess>4</guess>")
    env = TurnReward(scaled, [AtEnd()])
    env.reset(seed=0)
    assert env.step("<guess>4</guess>")[1] == 0.0


def test_wrapped_twice_the_outer_one_decides() -> None:
    env = TurnReward(TurnReward(GuessEnv(), [Recorder()]), [AtEnd()], add=True)
    env.reset(seed=1)
    _, reward, *_, info = env.step(completion(4))
    assert info["reward_terms"] == {"recorder": 1.0, "at_end": 2.0}
    assert reward == 3.0


def test_terms_sum_to_the_reward_at_every_turn() -> None:
    env = TurnReward(GuessEnv(max_turns=4), [(Nearness(), 0.3), (Recorder(), 0.7)])
    for seed in range(6):
        env.reset(seed=seed)
        ended = False
        while not ended:
            _, reward, terminated, truncated, info = env.step("<guess>3</guess>")
            assert abs(float(reward) - sum(info["reward_terms"].values())) < 1e-9
            ended = terminated or truncated


def test_a_term_that_does_not_apply_is_absent() -> None:
    env = TurnReward(GuessEnv(), [Nearness()])
    env.reset(seed=0)
    _, reward, *_, info = env.step("mumble")
    assert info["reward_terms"] == {}
    assert reward == 0.0
    assert isinstance(reward, float)


def test_a_broken_judge_raises_its_own_error() -> None:
    env = TurnReward(GuessEnv(), [Fussy("5")])
    env.reset(seed=0)
    with pytest.raises(JudgeError):
        env.step("<guess>5</guess>")
    env.reset(seed=0)
    assert env.step("<guess>4</guess>")[1] == 0.25


def test_a_fork_in_mid_episode_is_independent() -> None:
    recorder = Recorder()
    env = TurnReward(gym.make(ENV_ID), [recorder])
    env.reset(seed=0)
    env.step("<guess>1</guess>")
    twin: Any = rmgym.fork(env)
    assert twin.step("<guess>2</guess>")[1] == 2.0
    assert twin.step("<guess>3</guess>")[1] == 3.0
    assert env.step("<guess>5</guess>")[1] == 2.0
    said = [t.completion.text[7] for t in recorder.contexts[-1].turns]
    assert said == ["1", "5"]


def test_a_reset_of_the_original_leaves_a_fork_as_it_is() -> None:
    recorder = Recorder()
    env = TurnReward(GuessEnv(), [recorder])
    env.reset(seed=0)
    env.step("<guess>1</guess>")
    twin: Any = rmgym.fork(env)
    env.reset(seed=1)
    assert twin.step("<guess>2</guess>")[1] == 2.0
    assert recorder.contexts[-1].task["number"] == 8


def test_one_function_wraps_environments_and_vectors() -> None:
    assert isinstance(turn_reward(GuessEnv(), [AtEnd()]), TurnReward)
    assert isinstance(turn_reward(SyncVectorEnv([GuessEnv]), [AtEnd()]), VectorTurnReward)
    with pytest.raises(TypeError, match="use VectorTurnReward"):
        TurnReward(SyncVectorEnv([GuessEnv]), [AtEnd()])  # type: ignore[arg-type]  # on purpose


def test_any_order_of_wrappers_keeps_the_ids() -> None:
    recorder = Recorder()
    inside = RecordTrajectory(TurnReward(GuessEnv(), [recorder]))
    outside = TurnReward(gym.wrappers.TimeLimit(RecordTrajectory(GuessEnv()), 9), [recorder])
    for env in (inside, outside):
        env.reset(seed=1)
        env.step(completion(4))
        assert recorder.contexts[-1].last.completion == completion(4)
    recorded: Any = outside.env.env  # type: ignore[attr-defined]  # the time limit's
    assert recorded.trajectories[0].turns[0].completion == completion(4)
    assert recorded.trajectories[0].turns[0].reward == 1.1


def test_stored_trajectories_score_as_the_running_environment_did() -> None:
    env = TurnReward(GuessEnv(), [Nearness(), AtEnd()])
    [trajectory] = rmgym.rollout(env, Bisect(), 1)
    granted = env.composition.score(trajectory.contexts())
    assert [g.reward for g in granted] == [turn.reward for turn in trajectory.turns]


@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version")
def test_gymnasiums_checker_is_content() -> None:
    from gymnasium.utils.env_checker import check_env

    env = TurnReward(gym.make(ENV_ID, disable_env_checker=True), [AtEnd()])
    check_env(env, skip_render_check=True)
