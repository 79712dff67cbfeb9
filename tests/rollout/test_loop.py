from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import rmgym
from rmgym.errors import RewardError
from rmgym.protocols import Grant, TermScore
from rmgym.rollout import EpisodeFailure, Rollout, codec, rollout
from rmgym.trajectory import Completion, Context, Trajectory
from rmgym.vector import VectorMode
from rmgym.wrappers import RecordTrajectory, TurnReward, VectorTurnReward
from tests.rollout.guessing import ENV_ID, LONE, Bisect, Fussy, GuessEnv, Nearness, completion

# Seeds 0 to 5 hide the numbers 8, 4, 8, 8, 7 and 6, as `numpy.random.default_rng(seed)` draws them.
NUMBERS = [8, 4, 8, 8, 7, 6]


def lines(played: Sequence[Trajectory]) -> list[str]:
    records = [codec.encode_trajectory(trajectory) for trajectory in played]
    for record in records:
        del record["metadata"]["seconds"]
    return [codec.dumps(record) for record in records]


@pytest.fixture(scope="module")
def expected() -> list[str]:
    return lines(rollout(GuessEnv(), Bisect(), 6, policy_name="p"))


def test_an_episode_is_recorded_turn_by_turn() -> None:
    [trajectory] = rollout(ENV_ID, Bisect(), 1)
    assert [turn.completion for turn in trajectory.turns] == [completion(g) for g in (4, 7, 8)]
    assert [turn.reward for turn in trajectory.turns] == [0.1 * (1 / 5), 0.1 * (1 / 2), 1 + 0.1]
    assert trajectory.turns[-1].reward_terms == {"hits": 1.0, "nearness": 0.1}
    assert [turn.terminated for turn in trajectory.turns] == [False, False, True]
    assert trajectory.stop_reason == "hit"
    assert (trajectory.env_id, trajectory.seed, trajectory.task_id) == (ENV_ID, 0, "guess-8")
    assert trajectory.final_observation[0]["content"].startswith("It is larger")
    assert trajectory.turns[0].info["task"]["names"] == ("tuple", LONE)
    assert trajectory.metadata["policy"] == "Bisect"
    assert trajectory.metadata["episode"] == 0
    assert trajectory.metadata["seconds"] > 0


def test_episodes_come_in_the_order_of_their_seeds() -> None:
    played = rollout(ENV_ID, Bisect(), 6, num_envs=3)
    assert [t.task_id for t in played] == [f"guess-{number}" for number in NUMBERS]
    assert [t.seed for t in played] == [0, 1, 2, 3, 4, 5]
    assert played[1:3] == (played[1], played[2])
    assert rollout(ENV_ID, Bisect(), 1, seed=3)[0].task_id == "guess-8"


@pytest.mark.parametrize(
    ("mode", "num_envs"), [("sync", 1), ("sync", 4), ("thread", 4), ("process", 4)]
)
def test_every_vector_gives_the_same_trajectories(
    mode: Any, num_envs: int, expected: list[str]
) -> None:
    played = rollout(ENV_ID, Bisect(), 6, num_envs=num_envs, mode=mode, policy_name="p")
    assert lines(played) == [line.replace('"GuessEnv"', f'"{ENV_ID}"') for line in expected]


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_gymnasiums_own_vectors_give_the_same_trajectories(mode: str, expected: list[str]) -> None:
    vector = gym.make_vec(
        ENV_ID, 4, vectorization_mode=mode, vector_kwargs={"autoreset_mode": AutoresetMode.DISABLED}
    )
    played = rollout(vector, Bisect(), 6, policy_name="p")
    again = rollout(vector, Bisect(), 6, policy_name="p")
    vector.close()
    assert lines(played) == [line.replace('"GuessEnv"', f'"{ENV_ID}"') for line in expected]
    assert lines(again) == lines(played)


def test_a_vector_that_resets_by_itself_is_refused_with_the_cure() -> None:
    vector = SyncVectorEnv([GuessEnv, GuessEnv])
    with pytest.raises(ValueError, match=r"DISABLED, got AutoresetMode.NEXT_STEP.*vector_kwargs"):
        rollout(vector, Bisect(), 2)


def test_the_policy_gets_all_live_conversations_as_one_batch_without_hidden_facts() -> None:
    policy = Bisect()
    rollout(ENV_ID, policy, 6, num_envs=3)
    # The episodes take 3, 1, 3, 3, 2 and 4 turns; the slots play 012, 032, 032, 435, 45, 5 and 5.
    assert policy.batches == [3, 3, 3, 3, 2, 1, 1]
    assert not policy.saw_info


def test_a_broken_backend_ends_its_own_episode_alone() -> None:
    plans: list[tuple[int, VectorMode]] = [(1, "sync"), (3, "sync"), (3, "thread"), (3, "process")]
    for num_envs, mode in plans:
        vector = rmgym.make_vec(ENV_ID, num_envs, mode=mode, isolate_errors=True, broken=7)
        played = rollout(vector, Bisect(), 6)
        vector.close()
        assert [t.seed for t in played] == [0, 1, 2, 3, 5]
        assert played.failures == (
            EpisodeFailure(
                env_id=ENV_ID,
                policy="Bisect",
                seed=4,
                episode=4,
                error="RetrieverError",
                message="down",
                turns_played=1,
            ),
        )


def test_a_failed_episode_leaves_no_trace_in_the_others(expected: list[str]) -> None:
    played = rollout(GuessEnv(broken=7), Bisect(), 6, policy_name="p")
    assert lines(played) == [expected[i] for i in (0, 1, 2, 3, 5)]


@pytest.mark.parametrize("num_envs", [1, 3])
def test_an_episode_that_cannot_begin_is_a_failure(num_envs: int) -> None:
    vector = rmgym.make_vec(ENV_ID, num_envs, isolate_errors=True, broken_opening=7)
    played = rollout(vector, Bisect(), 6)
    assert [t.seed for t in played] == [0, 1, 2, 3, 5]
    assert [(f.seed, f.message, f.turns_played) for f in played.failures] == [
        (4, "no opening for 7", 0)
    ]


def test_a_policy_that_breaks_on_one_conversation_fails_that_episode_alone() -> None:
    played = rollout(ENV_ID, Bisect(broken=5), 6, num_envs=3)
    assert [t.seed for t in played] == [0, 1, 2, 3, 4]
    [failure] = played.failures
    assert (failure.seed, failure.error, failure.turns_played) == (5, "PolicyError", 2)


def test_a_judge_that_breaks_fails_that_episode_alone() -> None:
    played = rollout(TurnReward(GuessEnv(), [Fussy("5")]), Bisect(), 6)
    assert [t.seed for t in played] == [0, 1, 2, 3, 4]
    [failure] = played.failures
    assert (failure.error, failure.turns_played) == ("JudgeError", 2)
    assert failure.message == "read '5'\nraised by the reward term 'fussy'"


def test_a_vector_without_isolation_raises_with_the_cure() -> None:
    vector = rmgym.make_vec(ENV_ID, 2, broken=8)
    with pytest.raises(rmgym.errors.RetrieverError) as caught:
        rollout(vector, Bisect(), 2)
    assert "isolate_errors=True" in "".join(caught.value.__notes__)


class Broken:
    name = "broken"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        return [float("nan") for _ in contexts]


def test_a_reward_term_that_is_wrong_is_raised_and_no_failure() -> None:
    with pytest.raises(RewardError, match="finite"):
        rollout(TurnReward(GuessEnv(), [Broken()]), Bisect(), 1)


def test_wrappers_in_a_rollout_see_the_sampled_ids() -> None:
    env = RecordTrajectory(TurnReward(GuessEnv(), [Nearness()]))
    played = rollout(env, Bisect(), 2)
    assert [t.turns for t in env.trajectories] == [t.turns for t in played]
    assert played[0].turns[0].completion.completion_ids == (14, 99)
    assert [turn.reward for turn in played[0].turns] == [1 / 5, 1 / 2, 1.0]


def test_a_rewarded_vector_plays_the_same_as_rewarded_environments() -> None:
    single = rollout(TurnReward(GuessEnv(), [Nearness()]), Bisect(), 6, policy_name="p")
    vector = VectorTurnReward(
        rmgym.make_vec(ENV_ID, 3, autoreset_mode=AutoresetMode.DISABLED), [Nearness()]
    )
    played = rollout(vector, Bisect(), 6, policy_name="p")
    assert lines(played) == [line.replace('"GuessEnv"', f'"{ENV_ID}"') for line in lines(single)]


def test_progress_is_told_of_each_end_once() -> None:
    ended: list[Trajectory | EpisodeFailure] = []
    played = rollout(GuessEnv(broken=7), Bisect(), 6, progress=ended.append)
    assert [e.seed for e in ended] == [0, 1, 2, 3, 4, 5]
    assert [e for e in ended if isinstance(e, EpisodeFailure)] == list(played.failures)


def test_no_episodes_is_an_empty_rollout() -> None:
    assert list(rollout(ENV_ID, Bisect(), 0)) == []
    assert repr(Rollout(())) == "Rollout(0 episodes, 0 failures)"


class Short:
    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        return []


class Texts:
    def act(self, contexts: Sequence[Context]) -> list[Any]:
        return ["<guess>1</guess>" for _ in contexts]


def test_a_policy_that_answers_wrongly_is_told_so() -> None:
    with pytest.raises(ValueError, match=r"Short.act, got 0 for 1 contexts"):
        rollout(ENV_ID, Short(), 1)
    with pytest.raises(TypeError, match=r"got str; wrap text as Completion"):
        rollout(ENV_ID, Texts(), 1)


def test_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 0, got -1"):
        rollout(ENV_ID, Bisect(), -1)
    with pytest.raises(ValueError, match="with an id alone"):
        rollout(GuessEnv(), Bisect(), 1, num_envs=2)
    with pytest.raises(TypeError, match="expected an environment id"):
        rollout(object(), Bisect(), 1)  # type: ignore[arg-type]  # what the test is about


def test_an_environment_without_tasks_is_refused() -> None:
    class Taskless(GuessEnv):
        def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
            observation, info = super().reset(**kwargs)
            return observation, {k: v for k, v in info.items() if k != "task_id"}

    with pytest.raises(ValueError, match=r"expected info\['task_id'\]"):
        rollout(Taskless(), Bisect(), 1)


def test_the_name_in_rmgym_can_be_called_whatever_was_imported_before() -> None:
    code = (
        "import rmgym, rmgym.rollout.store\n"
        "from rmgym import rollout\n"
        "from tests.rollout.guessing import ENV_ID, Bisect\n"
        "print(len(rollout(ENV_ID, Bisect(), 2)), len(rmgym.rollout(ENV_ID, Bisect(), 3)))"
    )
    root = __file__.rsplit("/tests/", 1)[0]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout == "2 3\n"
