from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.error import ResetNeeded

from rmgym.state import EnvState, fork
from rmgym.testing import register_test_envs
from rmgym.testing.echo import EchoEnv
from rmgym.testing.negotiation import Negotiation, negotiation_seat

register_test_envs()


def in_the_middle(seed: int = 0, words: int = 8) -> EchoEnv:
    env = EchoEnv(words=words, max_turns=30)
    env.reset(seed=seed)
    for _ in range(2):
        env.step(f"<say>{env.episode.word}</say>")
    return env


def finish(env: EchoEnv) -> list[Any]:
    steps: list[Any] = []
    while not steps or not steps[-1][2]:
        steps.append(env.step(f"<say>{env.episode.word}</say>"))
    return steps


def test_restored_state_goes_on_alike() -> None:
    env = in_the_middle()
    state = env.get_state()
    first = finish(env)
    env.set_state(state)
    assert finish(env) == first


def test_pickled_state_goes_on_alike_in_another_environment() -> None:
    env = in_the_middle()
    stored = pickle.dumps(env.get_state())
    other = EchoEnv(words=8, max_turns=30)
    other.set_state(pickle.loads(stored))
    assert finish(other) == finish(env)


def test_pickled_state_goes_on_alike_in_another_process() -> None:
    env = in_the_middle()
    program = (
        "import pickle, sys; from rmgym.testing.echo import EchoEnv; "
        "env = EchoEnv(words=8, max_turns=30); "
        "env.set_state(pickle.load(sys.stdin.buffer)); "
        "env.step(f'<say>{env.episode.word}</say>'); print(env.episode.word, env.state_hash)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(env.get_state()),
        capture_output=True,
        check=True,
    )
    env.step(f"<say>{env.episode.word}</say>")
    assert done.stdout.decode().split() == [env.episode.word, env.state_hash]


def test_state_hash_comes_back_with_the_state() -> None:
    env = in_the_middle()
    name, state = env.state_hash, env.get_state()
    env.step("x")
    assert env.state_hash != name
    env.set_state(state)
    assert env.state_hash == name


def test_fork_leaves_the_original_alone() -> None:
    env, untouched = in_the_middle(), in_the_middle()
    finish(env.fork())
    finish(env.fork(same_stream=True))
    assert finish(env) == finish(untouched)


def test_fork_with_the_same_stream_goes_on_alike() -> None:
    env = in_the_middle()
    twin = env.fork(same_stream=True)
    assert finish(twin) == finish(env)


def test_forks_have_streams_of_their_own() -> None:
    env = in_the_middle()
    words = set()
    for _ in range(5):
        twin = env.fork()
        words.add(tuple(step[0][0]["content"] for step in finish(twin)))
    assert len(words) == 5


def test_forks_of_equal_states_are_equal() -> None:
    assert finish(in_the_middle().fork()) == finish(in_the_middle().fork())


def test_equal_seeds_give_forks_common_random_numbers() -> None:
    first, second = in_the_middle(seed=0), in_the_middle(seed=1)
    drawn = []
    for env in (first, second):
        twin = env.fork(seed=5)
        drawn.append([step[0][0]["content"] for step in finish(twin)])
    assert drawn[0] == drawn[1]


def test_episode_is_copied_not_shared() -> None:
    env = in_the_middle()
    twin = env.fork()
    twin.step("x")
    assert len(env.context.turns) == 2
    assert len(twin.context.turns) == 3


@pytest.mark.parametrize("make", [EchoEnv, Negotiation])
def test_state_before_reset_is_an_error(make: Any) -> None:
    with pytest.raises(ResetNeeded, match="expected reset"):
        make().get_state()
    with pytest.raises(ResetNeeded, match="expected reset"):
        make().fork()


def test_wrappers_are_forked_with_what_they_wrap() -> None:
    env = gym.make("rmgym-testing/Echo-v0")
    env.reset(seed=0)
    twin = fork(env, same_stream=True)
    assert type(twin) is type(env)
    assert twin.unwrapped is not env.unwrapped
    twin.step("<leave/>")
    assert not env.step("x")[2]


def test_environment_that_cannot_fork_is_named() -> None:
    class Plain(gym.Env[Any, Any]):
        pass

    with pytest.raises(TypeError, match="got Plain"):
        fork(Plain())


def test_arena_goes_on_alike_after_pickling() -> None:
    arena = Negotiation()
    arena.reset(seed=0)
    arena.step({"seller": "<offer>80</offer>"})
    state: EnvState = pickle.loads(pickle.dumps(arena.get_state()))
    other = Negotiation()
    other.set_state(state)
    for actions in ({"buyer": "<offer>40</offer>"}, {"seller": "<accept/>"}):
        assert arena.step(actions) == other.step(actions)
    assert other.agents == []


def test_fork_of_a_seat_is_independent() -> None:
    env = negotiation_seat()
    env.reset(seed=0)
    twin = env.fork(same_stream=True)
    assert twin.step("<quit/>")[2]
    assert env.context.turns == ()
    assert not env.step("<offer>10</offer>")[2]
