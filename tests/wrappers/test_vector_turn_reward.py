from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

import rmgym
from rmgym.protocols import Grant, TermScore
from rmgym.trajectory import Context
from rmgym.vector_infos import split_infos
from rmgym.wrappers import VectorTurnReward
from tests.rollout.guessing import ENV_ID, GuessEnv, Nearness, completion

Maker = Callable[[AutoresetMode], VectorEnv[Any, Any, Any]]


def chat(mode: AutoresetMode) -> VectorEnv[Any, Any, Any]:
    return rmgym.make_vec(ENV_ID, 3, autoreset_mode=mode, max_turns=3)


def sync(mode: AutoresetMode) -> VectorEnv[Any, Any, Any]:
    return SyncVectorEnv([lambda: GuessEnv(max_turns=3)] * 3, autoreset_mode=mode)


class Length:
    """Scores how many turns it sees, and keeps what the batch was."""

    name = "length"
    grant: Grant = "turn"

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        self.batches.append([str(c.last.info["task_id"]) for c in contexts])
        for context in contexts:
            assert len(context.messages) == 2 * len(context.turns) + 1
            assert {turn.info["task_id"] for turn in context.turns} == {
                context.last.info["task_id"]
            }
        return [float(len(c.turns)) for c in contexts]


def guess(*numbers: int) -> list[str]:
    return [f"<guess>{number}</guess>" for number in numbers]


def terms(infos: dict[str, Any]) -> list[dict[str, float] | None]:
    return [info.get("reward_terms") for info in split_infos(infos, 3)]


makers = pytest.mark.parametrize("make", [chat, sync])


# Seeds 0, 1 and 2 hide 8, 4 and 8.
@makers
def test_next_step_the_resetting_step_is_not_rewarded(make: Maker) -> None:
    length = Length()
    env = VectorTurnReward(make(AutoresetMode.NEXT_STEP), [length])
    env.reset(seed=[0, 1, 2])
    _, rewards, terminated, _, infos = env.step(guess(1, 4, 1))
    assert rewards.tolist() == [1.0, 1.0, 1.0]
    assert terminated.tolist() == [False, True, False]
    _, rewards, terminated, _, infos = env.step(guess(1, 4, 1))
    assert rewards.tolist() == [2.0, 0.0, 2.0]
    assert terms(infos) == [{"length": 2.0}, {}, {"length": 2.0}]
    _, rewards, _, truncated, infos = env.step(guess(1, 11, 8))
    assert rewards.tolist() == [3.0, 1.0, 3.0]
    assert truncated.tolist() == [True, False, False]
    assert [len(batch) for batch in length.batches] == [3, 2, 3]
    env.close()


@makers
def test_same_step_the_reward_is_that_of_the_ended_episode(make: Maker) -> None:
    length = Length()
    env = VectorTurnReward(make(AutoresetMode.SAME_STEP), [length])
    env.reset(seed=[0, 1, 2])
    env.step(guess(1, 1, 1))
    observations, rewards, terminated, _, infos = env.step(guess(1, 4, 1))
    assert terminated.tolist() == [False, True, False]
    assert rewards.tolist() == [2.0, 2.0, 2.0]
    own = split_infos(infos, 3)
    assert own[1]["final_info"]["reward_terms"] == {"length": 2.0}
    assert own[1]["final_info"]["stop_reason"] == "hit"
    assert own[1]["final_obs"][0]["content"].startswith("It is larger")
    assert observations[1][0]["content"] == "Guess a number from 0 to 9."
    assert own[1]["reward_terms"] == {}
    assert own[1]["metrics"]["turns"] == 0.0
    assert own[0]["reward_terms"] == {"length": 2.0}
    assert "final_info" not in own[0]
    assert infos["_final_info"].tolist() == [False, True, False]
    _, rewards, *_ = env.step(guess(1, 11, 1))
    assert rewards.tolist() == [3.0, 1.0, 3.0]
    env.close()


@makers
def test_disabled_a_masked_reset_begins_the_named_episodes_alone(make: Maker) -> None:
    env = VectorTurnReward(make(AutoresetMode.DISABLED), [Length()])
    env.reset(seed=[0, 1, 2])
    _, rewards, terminated, _, _ = env.step(guess(1, 4, 1))
    assert terminated.tolist() == [False, True, False]
    env.reset(seed=[None, 5, None], options={"reset_mask": np.array([False, True, False])})
    _, rewards, _, _, infos = env.step(guess(1, 1, 1))
    assert rewards.tolist() == [2.0, 1.0, 2.0]
    assert infos["task_id"].tolist() == ["guess-8", "guess-6", "guess-8"]
    env.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_vector_gives_the_same_figures(mode: AutoresetMode) -> None:
    def play(env: VectorEnv[Any, Any, Any]) -> list[Any]:
        wrapped = VectorTurnReward(env, [(Nearness(), 0.3), (Length(), 0.1)], add=False)
        wrapped.reset(seed=[0, 1, 2])
        found: list[Any] = []
        ended = np.zeros(3, dtype=np.bool_)
        for number in (1, 4, 8, 4, 8, 1, 1):
            if mode == AutoresetMode.DISABLED and ended.any():
                wrapped.reset(seed=[7, 8, 9], options={"reset_mask": ended})
            observations, rewards, terminated, truncated, infos = wrapped.step(guess(*[number] * 3))
            ended = terminated | truncated
            own = split_infos(infos, 3)
            for info, reward in zip(own, rewards, strict=True):
                scored = info.get("final_info", info)["reward_terms"]
                assert abs(sum(scored.values()) - reward) < 1e-9
            tasks = [info["task_id"] for info in own]
            found.append((observations, rewards.tolist(), ended.tolist(), terms(infos), tasks))
        wrapped.close()
        return found

    async_env = gym.make_vec(
        ENV_ID, 3, vectorization_mode="async", vector_kwargs={"autoreset_mode": mode}, max_turns=3
    )
    expected = play(chat(mode))
    # An automatic reset draws on from the environment's own stream, so all three agree.
    assert play(sync(mode)) == expected
    assert play(async_env) == expected


def test_added_terms_and_metrics_stand_beside_the_environments_own() -> None:
    env = VectorTurnReward(chat(AutoresetMode.NEXT_STEP), [Length()], add=True)
    env.reset(seed=[0, 1, 2])
    _, rewards, _, _, infos = env.step(guess(4, 4, 7))
    assert rewards.tolist() == pytest.approx([1.02, 2.1, 1.05])
    assert terms(infos)[1] == {"hits": 1.0, "nearness": 0.1, "length": 1.0}
    assert infos["metrics"]["distance"].tolist() == [4.0, 0.0, 1.0]
    assert infos["reward_terms"]["_hits"].tolist() == [False, True, False]


def test_an_episode_that_a_broken_backend_ended_is_not_scored() -> None:
    length = Length()
    vector = rmgym.make_vec(ENV_ID, 3, isolate_errors=True, broken=4)
    env = VectorTurnReward(vector, [length])
    env.reset(seed=[0, 1, 2])
    env.step(guess(1, 1, 1))
    _, rewards, _, truncated, infos = env.step(guess(2, 2, 2))
    assert np.isnan(rewards).tolist() == [False, True, False]
    assert truncated.tolist() == [False, True, False]
    assert str(infos["error"][1]) == "down"
    assert terms(infos) == [{"length": 2.0}, None, {"length": 2.0}]
    _, rewards, *_ = env.step(guess(2, 2, 2))
    assert rewards.tolist() == [3.0, 0.0, 3.0]
    assert [len(batch) for batch in length.batches] == [3, 2, 2]


def test_when_all_reset_no_term_is_asked() -> None:
    length = Length()
    env = VectorTurnReward(rmgym.make_vec(ENV_ID, 2, max_turns=1), [length])
    env.reset(seed=0)
    env.step(guess(1, 1))
    _, rewards, *_ = env.step(guess(1, 1))
    assert rewards.tolist() == [0.0, 0.0]
    assert len(length.batches) == 1


def test_completions_reach_the_terms_with_their_ids() -> None:
    seen: list[tuple[int, ...]] = []

    class Ids(Length):
        def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
            seen.extend(c.last.completion.completion_ids for c in contexts)
            return super().__call__(contexts)

    inner = VectorTurnReward(chat(AutoresetMode.NEXT_STEP), [Ids()])
    env = VectorTurnReward(inner, [Nearness()])
    env.reset(seed=[0, 1, 2])
    env.step([completion(4)] * 3)
    assert seen == [(14, 99)] * 3


def test_infos_of_the_whole_vector_are_passed_on() -> None:
    class Marked(SyncVectorEnv):
        def step(self, actions: Any) -> Any:
            *rest, infos = super().step(actions)
            return (*rest, {**infos, "clock": 5})

    env = VectorTurnReward(Marked([GuessEnv] * 3), [Length()])
    env.reset(seed=0)
    assert env.step(guess(1, 1, 1))[4]["clock"] == 5


def test_a_vector_that_does_not_say_how_it_resets_is_refused() -> None:
    vector = SyncVectorEnv([GuessEnv])
    del vector.metadata["autoreset_mode"]
    with pytest.raises(ValueError, match=r"expected env\.metadata"):
        VectorTurnReward(vector, [Length()])
