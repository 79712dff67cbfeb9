from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from typing import Any

import cloudpickle  # type: ignore[import-untyped]  # it ships no types
import gymnasium as gym
import pytest

from rmgym.conversation import Opening, Reply
from rmgym.errors import RmgymError
from rmgym.protocols import Call
from rmgym.testing import CheckError, ScriptedPolicy, check_env, check_manual, register_test_envs
from rmgym.testing.echo import EchoEnv, EchoGold

register_test_envs()
MANUAL = EchoEnv.__doc__


class RewardIsNotTheSum(EchoEnv):
    __doc__ = MANUAL

    def settle(self, granted: Any) -> Any:
        observation, reward, terminated, truncated, info = super().settle(granted)
        return observation, reward + 0.5, terminated, truncated, info


class MetricIsAnInteger(EchoEnv):
    __doc__ = MANUAL

    def respond(self, call: Call) -> Reply:
        return super().respond(call)._replace(metrics={"echoed": 1})


class LosesStopReason(EchoEnv):
    __doc__ = MANUAL

    def settle(self, granted: Any) -> Any:
        step = super().settle(granted)
        step[4].pop("stop_reason", None)
        return step


class LosesKeys(EchoEnv):
    __doc__ = MANUAL

    def reset(self, **arguments: Any) -> Any:
        observation, info = super().reset(**arguments)
        return observation, {"task_id": info["task_id"]}


class TaskIsTorn(EchoEnv):
    __doc__ = MANUAL

    def settle(self, granted: Any) -> Any:
        step = super().settle(granted)
        step[4]["task"] = dict(step[4]["task"])
        return step


class EndsBothWays(EchoEnv):
    __doc__ = MANUAL

    def settle(self, granted: Any) -> Any:
        observation, reward, terminated, truncated, info = super().settle(granted)
        ended = terminated or truncated
        return observation, reward, ended, ended, info


class ObservationIsAList(EchoEnv):
    __doc__ = MANUAL

    def settle(self, granted: Any) -> Any:
        observation, *rest = super().settle(granted)
        return (list(observation), *rest)


class NeverEnds(EchoEnv):
    __doc__ = MANUAL

    def _spent_budget(self, *turn: Any) -> None:
        return None


class DependsOnHashSeed(EchoEnv):
    __doc__ = MANUAL

    def begin_episode(self, options: Any) -> Opening:
        opening = super().begin_episode(options)
        return replace(opening, task={"words": list({"amber", "birch", "cedar", "delta", "ember"})})


class IgnoresTheSeed(EchoEnv):
    __doc__ = MANUAL
    count = itertools.count()

    def begin_episode(self, options: Any) -> Opening:
        return replace(super().begin_episode(options), task={"number": next(self.count)})


class KeepsThePast(EchoEnv):
    __doc__ = MANUAL

    last_word = ""

    def begin_episode(self, options: Any) -> Opening:
        opening = replace(super().begin_episode(options), task={"last": self.last_word})
        self.last_word = self.episode.word
        return opening


class FallsOverSurrogates(EchoEnv):
    __doc__ = MANUAL

    def parse_action(self, text: str) -> Call:
        text.encode()
        return super().parse_action(text)


class ForgetsToSave(EchoEnv):
    __doc__ = MANUAL
    turn = 0

    def begin_episode(self, options: Any) -> Opening:
        self.turn = 0
        return super().begin_episode(options)

    def respond(self, call: Call) -> Reply:
        self.turn += 1
        return super().respond(call)._replace(metrics={"calls": float(self.turn)})


class StateCannotBePickled(EchoEnv):
    __doc__ = MANUAL

    def get_state(self) -> Any:
        return (super().get_state(), lambda: None)

    def set_state(self, state: Any) -> None:
        super().set_state(state[0] if isinstance(state, tuple) else state)


class ForksToItself(EchoEnv):
    __doc__ = MANUAL

    def fork(self, **arguments: Any) -> Any:
        return self


class ForksWithAnotherStream(EchoEnv):
    __doc__ = MANUAL

    def fork(self, *, seed: int | None = None, same_stream: bool = False) -> Any:
        return super().fork(seed=seed)


class NamesStatesAnew(EchoEnv):
    __doc__ = MANUAL
    names = itertools.count()

    def state_key(self) -> str:
        return str(next(self.names))


class HasNoManual(EchoEnv):
    """Says little."""


BROKEN: list[tuple[type[EchoEnv], str]] = [
    (RewardIsNotTheSum, "episodes: seed 0, turn 1: expected the reward to be the sum"),
    (MetricIsAnInteger, "expected info['metrics']['echoed'] to be a finite float, got 1"),
    (LosesStopReason, "expected stop_reason exactly at the end, got None at the end"),
    (LosesKeys, "episodes: at reset: expected info to hold"),
    (TaskIsTorn, "expected info['task'] to be Facts, got a dict"),
    (EndsBothWays, "expected terminated or truncated, got both"),
    (ObservationIsAList, "expected an observation of the observation space"),
    (NeverEnds, "budget: expected the end within 8 turns of '', got none"),
    (IgnoresTheSeed, "replay: expected the same trace for seed 0"),
    (KeepsThePast, "reset: expected nothing of one episode in the next"),
    (FallsOverSurrogates, "malformed: expected no exception, got UnicodeEncodeError"),
    (ForgetsToSave, "state: expected the same continuation of a kept state"),
    (StateCannotBePickled, "state: expected no exception"),
    (ForksToItself, "fork: expected forks to leave the environment as it was"),
    (ForksWithAnotherStream, "fork: expected a fork with same_stream to go on alike"),
    (NamesStatesAnew, "state: expected state_hash"),
    (HasNoManual, "manual: expected the headings"),
]

SOLVE = ScriptedPolicy(["<say>amber</say>", "<leave/>"])


@pytest.mark.parametrize(("broken", "problem"), BROKEN, ids=[each.__name__ for each, _ in BROKEN])
def test_broken_environment_is_found(broken: type[EchoEnv], problem: str) -> None:
    env = broken(words=8)
    with pytest.raises(CheckError) as caught:
        check_env(env, episodes=4, subprocesses=False, policies=[SOLVE, EchoGold(env)])
    assert any(problem in found for found in caught.value.problems), caught.value


def test_sound_environment_passes() -> None:
    env = EchoEnv(words=8)
    check_env(env, episodes=4, subprocesses=False, policies=[SOLVE, EchoGold(env)])


@pytest.mark.parametrize("id", ["rmgym-testing/Echo-v0", "rmgym-testing/Negotiation-v0"])
def test_registered_environment_passes_in_other_processes(id: str) -> None:
    check_env(id, episodes=2)


def test_dependence_on_the_hash_seed_is_found() -> None:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        with pytest.raises(CheckError, match=r"another process \(PYTHONHASHSEED="):
            check_env(DependsOnHashSeed(), episodes=1)
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_all_problems_are_reported() -> None:
    class Twice(MetricIsAnInteger):
        """Breaks two promises."""

    with pytest.raises(CheckError) as caught:
        check_env(Twice(), episodes=6, subprocesses=False)
    text = "\n".join(caught.value.problems)
    assert "manual:" in text
    assert "finite float" in text
    assert str(caught.value).startswith("Twice: ")


def test_check_error_is_an_assertion_and_ours() -> None:
    assert issubclass(CheckError, AssertionError)
    assert issubclass(CheckError, RmgymError)


def test_environment_that_is_no_conversation_is_told_what_it_lacks() -> None:
    class Silent(gym.Env[Any, Any]):
        pass

    with pytest.raises(CheckError) as caught:
        check_env(Silent(), subprocesses=False)
    assert len(caught.value.problems) > 3


def test_manual_needs_text_under_each_heading() -> None:
    check_manual(EchoEnv)

    class Hollow(EchoEnv):
        __doc__ = (MANUAL or "").replace("None: it stands for nothing.", "")

    with pytest.raises(CheckError, match="expected text under 'References'"):
        check_manual(Hollow)


def test_manual_is_not_inherited() -> None:
    class Heir(EchoEnv):
        pass

    with pytest.raises(CheckError, match="got none; write its manual"):
        check_manual(Heir)


def test_manual_needs_the_headings_in_order() -> None:
    class Shuffled(EchoEnv):
        __doc__ = (MANUAL or "").replace("## Rewards", "## Starting State", 1)

    with pytest.raises(CheckError, match="in this order"):
        check_manual(Shuffled)
