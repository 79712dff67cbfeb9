from __future__ import annotations

import json
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from rmgym.conversation import Facts
from rmgym.errors import DataError
from rmgym.protocols import Hit, Passage, Verdict
from rmgym.rollout import EpisodeFailure, rollout
from rmgym.rollout.codec import (
    decode_failure,
    decode_trajectory,
    dumps,
    encode,
    encode_failure,
    encode_trajectory,
    loads,
)
from rmgym.trajectory import Completion, Trajectory, Turn
from tests.rollout.guessing import LONE, Bisect, GuessEnv


def through(value: Any) -> Any:
    return loads(dumps({"value": encode(value, "x")}))["value"]


def episode(**info: Any) -> Trajectory:
    turn = Turn(observation=(), completion=Completion(text="a"), info=info)
    return Trajectory(env_id="e", seed=1, task_id="t", turns=(turn, turn))


def stored(trajectory: Trajectory) -> Trajectory:
    return decode_trajectory(loads(dumps(encode_trajectory(trajectory))))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        10**40,
        0.1 + 0.2,
        5e-324,
        float("inf"),
        float("-inf"),
        "",
        "\x00\n\u2028\U0001f600",
        LONE,
        "\ud83d\ude00",
        [1, [2, (3, [4])]],
        (),
        ((1,), [()]),
        {"a": {"b": (1, None)}},
        {"$tuple": [1]},
        {"$unknown": 1},
        {1: "one", (2, 3): "pair", "s": None},
        {"\ud83d\ude00": 1},
        Facts(gold=("x", LONE)),
        Hit(passage=Passage(id="1", title="t", text=LONE), score=0.1, rank=2),
        (Verdict(criterion="c", choice="no"),),
    ],
)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    found = through(value)
    assert found == value
    assert type(found) is type(value)
    assert dumps({"v": encode(value, "x")}).isascii()


def test_lines_are_strict_json() -> None:
    def refuse(word: str) -> Any:
        raise AssertionError(word)

    line = dumps({"v": encode([float("nan"), float("inf"), np.float32("nan")], "x")})
    assert json.loads(line, parse_constant=refuse) == {
        "v": [{"$float": "nan"}, {"$float": "inf"}, {"$float": "nan"}]
    }


def test_numpy_values_become_plain_ones() -> None:
    value = {
        "f64": np.float64(0.1),
        "f32": np.float32(0.1),
        "i": np.int8(3),
        "b": np.bool_(True),
        "s": np.str_("x"),
        "a": np.array([[1.5, 2.0]]),
    }
    found = through(value)
    assert found == {
        "f64": 0.1,
        "f32": 0.10000000149011612,
        "i": 3,
        "b": True,
        "s": "x",
        "a": [[1.5, 2.0]],
    }
    assert [type(v) for v in found.values()] == [list, bool, float, float, int, str]


def test_other_mappings_become_dictionaries() -> None:
    assert through(MappingProxyType({"b": 1, "a": 2})) == {"a": 2, "b": 1}


def test_what_is_no_plain_data_is_named() -> None:
    with pytest.raises(DataError, match=r"in info\['event'\]\['found'\]\[1\], got set"):
        encode_trajectory(episode(event=Facts(found=[1, {2}])))


def test_a_whole_episode_comes_back_as_it_was() -> None:
    for trajectory in rollout(GuessEnv(max_turns=3), Bisect(), 6):
        found = stored(trajectory)
        assert found == trajectory
        assert isinstance(found.turns[0].info["task"], Facts)
        assert isinstance(found.turns[0].info["event"], Facts)
        assert found.contexts() == trajectory.contexts()
        assert dumps(encode_trajectory(found)) == dumps(encode_trajectory(trajectory))


def test_the_facts_of_the_task_are_written_once() -> None:
    trajectory = episode(task=Facts(gold="unmistakable"), event=Facts())
    assert dumps(encode_trajectory(trajectory)).count("unmistakable") == 1
    assert stored(trajectory) == trajectory


def test_a_turn_with_facts_of_its_own_keeps_them() -> None:
    first, second = episode(task=Facts(n=1)).turns
    other = replace(second, info={"task": Facts(n=2)})
    without = replace(second, info={})
    trajectory = replace(episode(), turns=(without, first, other))
    assert stored(trajectory) == trajectory


def test_an_exception_in_info_is_not_stored() -> None:
    found = stored(episode(error=RuntimeError("x"), stop_reason="error"))
    assert found.turns[0].info == {"stop_reason": "error"}


def test_no_logprobs_and_empty_logprobs_are_told_apart() -> None:
    for logprobs in (None, ()):
        turn = Turn(observation=(), completion=Completion(text="", logprobs=logprobs))
        trajectory = replace(episode(), turns=(turn,))
        assert stored(trajectory).turns[0].completion.logprobs == logprobs


def test_a_failure_comes_back_as_it_was() -> None:
    failure = EpisodeFailure(
        env_id="e",
        policy=None,
        seed=3,
        episode=3,
        error="JudgeError",
        message=f"{LONE}\ud83d\ude00",
        turns_played=2,
    )
    assert decode_failure(loads(dumps(encode_failure(failure)))) == failure


def test_a_stranger_s_type_is_not_made() -> None:
    with pytest.raises(ValueError, match=r"expected a type of rmgym\.protocols, got 'Mapping'"):
        loads('{"v": {"$record": ["Mapping", {}]}}')
