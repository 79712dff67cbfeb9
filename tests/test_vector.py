from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from rmgym.errors import RetrieverError, ScorerError
from rmgym.protocols import Call, Grant
from rmgym.testing import register_test_envs
from rmgym.testing.echo import EchoEnv, Finished
from rmgym.trajectory import Context
from rmgym.vector import ChatVectorEnv, make_vec
from rmgym.vector_infos import merge_infos, split_infos

register_test_envs()

ID = "rmgym-testing/Echo-v0"
MODES = ("sync", "thread", "process")
SEEDS = [5, 6, 7]


class FragileEnv(EchoEnv):
    """Breaks when told so."""

    failing_resets = 0

    def begin_episode(self, options: Any) -> Any:
        opening = super().begin_episode(options)
        if FragileEnv.failing_resets or options.get("fail") == self.np_random_seed:
            FragileEnv.failing_resets = 0
            raise RetrieverError("down")
        return opening

    def respond(self, call: Call) -> Any:
        if call.text == "boom":
            raise RetrieverError("down")
        if call.text == "die":
            os._exit(3)
        if call.text == "lock":
            error = RetrieverError("odd")
            error.lock = threading.Lock()  # type: ignore[attr-defined]  # cannot be pickled
            raise error
        return super().respond(call)


class FragileTerm:
    """Breaks on one text, whatever the batch."""

    name = "fragile"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        if any("score boom" in context.last.completion.text for context in contexts):
            raise ScorerError("down")
        return [0.0 for _ in contexts]


class CountingEnv(EchoEnv):
    """Adds to every step."""

    def step(self, action: str) -> Any:
        observation, _, terminated, truncated, info = super().step(action)
        return observation, 9.0, terminated, truncated, info


def fragile(mode: Any, **arguments: Any) -> ChatVectorEnv:
    def make() -> FragileEnv:
        return FragileEnv(rewards=[FragileTerm(), Finished()])

    return ChatVectorEnv(make, 3, mode=mode, workers=2, **arguments)


def script(turn: int) -> list[str]:
    """Say a word that is right for one of three, nothing, and one last goodbye."""
    return ["<say>amber</say>", "hm \ud800 é", "<leave/>" if turn == 2 else "<say>x</say>"]


def play_alone(turns: int) -> list[list[Any]]:
    """Return, for each environment, what it gave step by step, resetting in the next step."""
    histories = []
    for i, seed in enumerate(SEEDS):
        env, ended = EchoEnv(max_turns=4), False
        history: list[Any] = [env.reset(seed=seed)]
        for turn in range(turns):
            if ended:
                observation, info = env.reset()
                history.append((observation, 0.0, False, False, info))
                ended = False
                continue
            history.append(env.step(script(turn)[i]))
            ended = history[-1][2] or history[-1][3]
        histories.append(history)
    return histories


def play_vector(vector: Any, turns: int) -> list[list[Any]]:
    with contextlib.closing(vector):
        observations, infos = vector.reset(seed=SEEDS)
        histories: list[list[Any]] = [
            [pair] for pair in zip(observations, split_infos(infos, len(SEEDS)), strict=True)
        ]
        for turn in range(turns):
            observations, rewards, terminated, truncated, infos = vector.step(tuple(script(turn)))
            for i, info in enumerate(split_infos(infos, len(SEEDS))):
                ends = (bool(terminated[i]), bool(truncated[i]))
                histories[i].append((observations[i], float(rewards[i]), *ends, info))
    return histories


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_what_single_environments_give(mode: Any) -> None:
    vector = make_vec(ID, 3, mode=mode, workers=2, max_turns=4)
    assert play_vector(vector, 7) == play_alone(7)


def test_spawned_processes_know_ids_that_this_one_registered() -> None:
    vector = make_vec(ID, 3, mode="process", workers=1, context="spawn", max_turns=4)
    assert play_vector(vector, 3) == play_alone(3)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_gymnasiums_own_vectors_give_the_right_strings(mode: str) -> None:
    vector = gym.make_vec(ID, 3, vectorization_mode=mode, max_turns=4)
    assert play_vector(vector, 7) == play_alone(7)


def test_make_vec_of_gymnasium_gives_ours() -> None:
    vector = gym.make_vec(ID, 2, mode="thread", max_turns=4)
    assert isinstance(vector.unwrapped, ChatVectorEnv)
    vector.close()


def test_seat_of_an_arena_can_be_vectorised() -> None:
    vector = make_vec("rmgym-testing/Negotiation-v0", 2, mode="sync")
    observations, _ = vector.reset(seed=0)
    alone = gym.make("rmgym-testing/Negotiation-v0")
    assert observations[1] == alone.reset(seed=1)[0]
    _, rewards, *_ = vector.step(["<accept/>"] * 2)
    assert rewards[1] == alone.step("<accept/>")[1]


def test_environment_with_a_step_of_its_own_keeps_it() -> None:
    vector = ChatVectorEnv(CountingEnv, 2)
    vector.reset(seed=0)
    assert vector.step(["", ""])[1].tolist() == [9.0, 9.0]


def test_next_step_autoreset_ignores_the_action() -> None:
    vector = make_vec(ID, 2, max_turns=3)
    vector.reset(seed=0)
    vector.step(["<leave/>", "x"])
    observations, rewards, terminated, _, infos = vector.step(["<leave/>", "x"])
    assert "Say 3 words" in observations[0][0]["content"]
    assert (rewards[0], terminated[0]) == (0.0, False)
    assert infos["metrics"]["turns"].tolist() == [0.0, 2.0]


def test_next_step_autoreset_of_all_scores_no_empty_batch() -> None:
    vector = make_vec(ID, 2)
    vector.reset(seed=0)
    vector.step(["<leave/>"] * 2)
    assert vector.step(["", ""])[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("mode", MODES)
def test_same_step_autoreset_keeps_the_end(mode: Any) -> None:
    vector = make_vec(ID, 2, mode=mode, workers=2, autoreset_mode="SameStep")
    vector.reset(seed=0)
    observations, _, terminated, _, infos = vector.step(["<leave/>", "x"])
    assert terminated.tolist() == [True, False]
    assert "Say 3 words" in observations[0][0]["content"]
    assert infos["final_obs"][0][0]["content"] == "Goodbye."
    assert infos["final_obs"][1] is None
    assert infos["_final_obs"].tolist() == [True, False]
    assert infos["final_info"]["stop_reason"].tolist() == ["left", None]
    assert infos["_final_info"].tolist() == [True, False]
    assert split_infos(infos["final_info"], 2)[0]["event"] == {"kind": "leave"}
    vector.close()


def test_same_step_autoreset_is_that_of_gymnasium() -> None:
    ours = make_vec(ID, 3, autoreset_mode=AutoresetMode.SAME_STEP, max_turns=2)
    theirs = gym.make_vec(
        ID,
        3,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        max_turns=2,
    )
    ours.reset(seed=0)
    theirs.reset(seed=0)
    for _ in range(4):
        mine, other = ours.step(script(2)), theirs.step(tuple(script(2)))
        assert mine[0] == other[0]
        for a, b in zip(mine[1:4], other[1:4], strict=True):
            assert a.tolist() == b.tolist()
        assert_same(mine[4], other[4])


def test_disabled_autoreset_needs_a_reset_of_the_ended() -> None:
    vector = make_vec(ID, 2, autoreset_mode=AutoresetMode.DISABLED)
    vector.reset(seed=0)
    vector.step(["<leave/>", "x"])
    with pytest.raises(ResetNeeded, match=r"\[0\]"):
        vector.step(["x", "x"])
    mask = np.array([True, False])
    observations, infos = vector.reset(options={"reset_mask": mask})
    assert "Say 3 words" in observations[0][0]["content"]
    assert "could not be read" in observations[1][0]["content"]
    assert infos["_task_id"].tolist() == [True, False]
    vector.step(["x", "x"])


def test_step_before_reset_is_an_error() -> None:
    with pytest.raises(ResetNeeded):
        make_vec(ID, 2).step(["", ""])


def test_some_environments_are_stepped_and_the_others_left() -> None:
    vector = make_vec(ID, 3)
    vector.reset(seed=0)
    outcomes = vector.step_some({2: "<leave/>", 0: "x"})
    assert list(outcomes) == [2, 0]
    assert outcomes[2].info["stop_reason"] == "left"
    assert [len(context.turns) for context in vector.get_attr("context")] == [1, 0, 1]
    observation, _ = vector.reset_some({2: 8})[2]
    assert observation == EchoEnv().reset(seed=8)[0]
    mask = np.array([True, False, False])
    assert vector.reset(options={"reset_mask": mask})[0][2] == observation


def test_id_may_name_the_module_that_registers_it() -> None:
    vector = make_vec(f"rmgym:{ID}", 1)
    assert vector.reset(seed=3)[0][0] == EchoEnv().reset(seed=3)[0]


@pytest.mark.parametrize("mode", MODES)
def test_broken_backend_ends_its_own_episode_alone(mode: Any) -> None:
    vector = fragile(mode, isolate_errors=True)
    vector.reset(seed=SEEDS)
    _, rewards, terminated, truncated, infos = vector.step(
        ["<say>boom</say>", "x", "<say>score boom</say>"]
    )
    assert np.isnan(rewards).tolist() == [True, False, True]
    assert not terminated.any()
    assert truncated.tolist() == [True, False, True]
    assert [type(error) for error in infos["error"]] == [RetrieverError, type(None), ScorerError]
    rewards = vector.step(["x", "x", "x"])[1]
    assert rewards.tolist() == [0.0, 0.0, 0.0]
    vector.close()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("word", ["boom", "score boom"])
def test_broken_backend_is_raised_by_default(mode: Any, word: str) -> None:
    vector = fragile(mode)
    vector.reset(seed=SEEDS)
    with pytest.raises((RetrieverError, ScorerError), match="down"):
        vector.step(["x", f"<say>{word}</say>", "x"])
    vector.close()


@pytest.mark.parametrize("mode", MODES)
def test_episode_that_cannot_begin_is_tried_again_in_the_next_step(mode: Any) -> None:
    vector = fragile(mode, isolate_errors=True)
    _, infos = vector.reset(seed=SEEDS, options={"fail": SEEDS[0]})
    assert [type(error) for error in infos["error"]] == [RetrieverError, type(None), type(None)]
    _, rewards, _, truncated, infos = vector.step(["x", "x", "x"])
    assert rewards.tolist() == [0.0, 0.0, 0.0]
    assert not truncated.any()
    assert infos["metrics"]["turns"].tolist() == [0.0, 1.0, 1.0]
    vector.close()


def test_failed_reset_in_the_same_step_is_tried_again_in_the_next() -> None:
    vector = fragile("sync", isolate_errors=True, autoreset_mode="SameStep")
    vector.reset(seed=SEEDS)
    FragileEnv.failing_resets = 1
    _, _, terminated, _, infos = vector.step(["<leave/>", "x", "x"])
    assert terminated.tolist() == [True, False, False]
    assert isinstance(infos["error"][0], RetrieverError)
    assert infos["final_info"]["stop_reason"][0] == "left"
    observations, rewards, *_ = vector.step(["x", "x", "x"])
    assert "Say 3 words" in observations[0][0]["content"]
    assert rewards.tolist() == [0.0, 0.0, 0.0]


def test_automatic_reset_that_fails_ends_its_own_episode_alone() -> None:
    vector = fragile("sync", isolate_errors=True)
    vector.reset(seed=SEEDS)
    vector.step(["<leave/>", "x", "x"])
    FragileEnv.failing_resets = 1
    _, rewards, _, truncated, infos = vector.step(["x", "x", "x"])
    assert np.isnan(rewards).tolist() == truncated.tolist() == [True, False, False]
    assert isinstance(infos["error"][0], RetrieverError)
    assert vector.step(["x", "x", "x"])[1].tolist() == [0.0, 0.0, 0.0]


def test_dead_worker_is_named_with_its_exit_code() -> None:
    vector = fragile("process")
    vector.reset(seed=SEEDS)
    with pytest.raises(RuntimeError, match=r"worker 0, got its end \(exit code 3\)"):
        vector.step(["<say>die</say>", "x", "x"])
    with pytest.raises(RuntimeError, match="close this vector and make a new one"):
        vector.reset()
    vector.close()


def test_error_that_cannot_be_pickled_arrives_as_one_of_its_family() -> None:
    vector = fragile("process")
    vector.reset(seed=SEEDS)
    with pytest.raises(RetrieverError, match="odd"):
        vector.step(["<say>lock</say>", "x", "x"])
    assert len(vector.reset(seed=0)[0]) == 3
    vector.close()


def test_environment_that_cannot_be_made_is_told() -> None:
    def make() -> EchoEnv:
        return EchoEnv(max_turns=0)

    for mode in ("sync", "process"):
        with pytest.raises(ValueError, match="expected max_turns"):
            ChatVectorEnv(make, 2, mode=mode)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_envs": 0}, "num_envs"),
        ({"mode": "cluster"}, "expected mode"),
    ],
)
def test_bad_argument_is_an_error(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_vec(ID, **arguments)


def test_wrong_number_of_actions_or_seeds_is_an_error() -> None:
    vector = make_vec(ID, 2)
    with pytest.raises(ValueError, match="expected 2 seeds, got 3"):
        vector.reset(seed=[1, 2, 3])
    vector.reset(seed=0)
    with pytest.raises(ValueError, match="expected 2 actions, got 1"):
        vector.step(["x"])


def merged_by_gymnasium(infos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    vector: VectorEnv[Any, Any, Any] = VectorEnv()
    vector.num_envs = len(infos)
    merged: dict[str, Any] = {}
    for i, info in enumerate(infos):
        merged = vector._add_info(merged, info, i)
    return merged


def assert_same(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key in theirs:
            assert_same(ours[key], theirs[key])
    else:
        assert ours.dtype == theirs.dtype
        assert ours.tolist() == theirs.tolist()


numbers = st.floats(allow_nan=False)
nested = st.fixed_dictionaries({}, optional={"gain": numbers, "format": numbers})
infos_of_envs = st.lists(
    st.fixed_dictionaries(
        {"task_id": st.text(), "terms": nested},
        optional={
            "reason": st.text(),
            "count": st.integers(-5, 5),
            "done": st.booleans(),
            "pair": st.tuples(st.integers(), st.text()),
            "deep": st.fixed_dictionaries({"terms": nested}),
        },
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(infos_of_envs)
def test_infos_are_merged_as_gymnasium_merges_them(infos: list[dict[str, Any]]) -> None:
    assert_same(merge_infos(infos), merged_by_gymnasium(infos))


@settings(max_examples=60, deadline=None)
@given(infos_of_envs)
def test_splitting_is_the_inverse_of_merging(infos: list[dict[str, Any]]) -> None:
    assert split_infos(merge_infos(infos), len(infos)) == infos


def test_absent_info_leaves_its_row_unmasked() -> None:
    merged = merge_infos([None, {"a": 1.5}])
    assert merged["a"].tolist() == [0.0, 1.5]
    assert merged["_a"].tolist() == [False, True]
    assert merge_infos([None, {}]) == {}


_MAKERS: dict[str, Callable[[], ChatVectorEnv]] = {
    "sync": lambda: make_vec(ID, 2, render_mode="ansi"),
    "process": lambda: make_vec(ID, 2, mode="process", workers=2, render_mode="ansi"),
}


@pytest.mark.parametrize("mode", sorted(_MAKERS))
def test_vector_renders_and_calls_each_environment(mode: str) -> None:
    vector = _MAKERS[mode]()
    vector.reset(seed=SEEDS[:2])
    assert vector.render_mode == "ansi"
    assert all("[user]" in text for text in vector.render())
    assert len(set(vector.get_attr("state_hash"))) == 2
    vector.close()
