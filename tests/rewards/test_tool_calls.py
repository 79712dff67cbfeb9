"""ToolRL and our stand-in for TTPA."""

from __future__ import annotations

from typing import Any

import pytest

from rmgym.errors import RewardError
from rmgym.protocols import Score
from rmgym.rewards.experimental.tool_call_errors import ToolCallErrors, tool_call_errors
from rmgym.rewards.toolrl import (
    Match,
    ToolCallMatch,
    call_correctness,
    dump_calls,
    format_score,
    length_bonus,
    match_ratio,
    parse_calls,
)
from tests.rewards.episodes import context, per_turn, said

SEARCH = {"name": "search", "parameters": {"query": "a", "k": 3}}
OPEN = {"name": "open", "parameters": {"url": "u"}}
GOLD = [SEARCH, OPEN]
WRONG_K = {"name": "search", "parameters": {"query": "a", "k": 5}}
EXTRA = {"name": "go", "parameters": {}}


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        (GOLD, 3.0),
        ([OPEN, SEARCH], 3.0),
        ([WRONG_K, OPEN], 2.0),
        ([SEARCH], 0.5),
        ([*GOLD, EXTRA], 6 * (2 / 3 + 5) / 6 - 3),
        ([EXTRA], -3.0),
        ([], -3.0),
        (None, -3.0),
        ([{"name": "search"}], -3.0),
    ],
)
def test_correctness_by_hand(predicted: Any, expected: float) -> None:
    assert call_correctness(predicted, GOLD) == pytest.approx(expected)


@pytest.mark.parametrize("gold", [None, []])
@pytest.mark.parametrize("predicted", [None, [], [OPEN]])
def test_where_no_call_is_wanted_correctness_is_zero(predicted: Any, gold: Any) -> None:
    assert call_correctness(predicted, gold) == 0.0


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("graded", 2.0),
        ("strict", 2.0),
        ("whole", 6 * (1 + 1) / 3 - 3),
        ("all_or_nothing", -3.0),
    ],
)
def test_variants_on_one_wrong_value(match: Match, expected: float) -> None:
    assert call_correctness([WRONG_K, OPEN], GOLD, match=match) == pytest.approx(expected)


def test_strict_names_count_only_as_identical_lists() -> None:
    assert call_correctness([OPEN, SEARCH], GOLD, match="strict") == pytest.approx(2.0)


def test_the_range_can_be_plus_minus_one() -> None:
    assert call_correctness(GOLD, GOLD, low=-1, high=1) == 1.0
    assert call_correctness([SEARCH], GOLD, low=-1, high=1) == pytest.approx(0.5 / 3)


def test_each_predicted_call_is_used_once() -> None:
    gold = [OPEN, {"name": "open", "parameters": {"url": "v"}}]
    one = call_correctness([OPEN], gold)
    assert one == pytest.approx(6 * (0.5 + 2) / 5 - 3)


def test_a_broken_gold_call_is_an_error() -> None:
    with pytest.raises(RewardError, match="gold"):
        call_correctness([OPEN], [{"tool": "open"}])


def test_multiset_ratio() -> None:
    assert match_ratio(["a", "a", "b"], ["a", "b", "b"]) == 0.5
    assert match_ratio([], []) == 1.0
    assert match_ratio([], ["a"]) == 0.0


def test_calls_are_read_one_a_line() -> None:
    assert parse_calls(dump_calls(GOLD)) == GOLD


@pytest.mark.parametrize(
    "text", ["", "<tool_call>", "<tool_call>{</tool_call>", "<tool_call>[1]</tool_call>"]
)
def test_unreadable_calls_are_none(text: str) -> None:
    assert parse_calls(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>x</think>\n<tool_call>\ny\n</tool_call>", 1.0),
        ("so <think>x</think><tool_call>y</tool_call>", 0.0),
        ("<tool_call>y</tool_call><think>x</think>", 0.0),
        ("<think>x</think><tool_call>y</tool_call><tool_call>z</tool_call>", 0.0),
        ("<think>x</think><tool_call>y</tool_call><response>z</response>", 0.0),
    ],
)
def test_the_whole_message_must_match(text: str, expected: float) -> None:
    assert format_score(text, calls=True, response=False) == expected


def test_length_bonus_counts_the_words_of_the_thought() -> None:
    assert length_bonus("<think>" + "w " * 256 + "</think> more words") == 0.5
    assert length_bonus("w " * 600) == 0.0


def test_a_message_earns_format_and_correctness() -> None:
    text = f"<think>x</think>\n{dump_calls([WRONG_K, OPEN])}"
    score = ToolCallMatch()([context([said("tool", text, gold_calls=GOLD)])])[0]
    assert isinstance(score, Score)
    assert score.value == pytest.approx(3.0)
    assert score.metrics == {"toolrl/format": 1.0, "toolrl/correctness": pytest.approx(2.0)}


def test_a_message_without_wanted_calls_earns_its_format() -> None:
    text = "<think>x</think><response>done</response>"
    assert per_turn(ToolCallMatch(), [said("answer", text, gold_calls=[])]) == [1.0]


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        ({"name": "f", "parameters": {"a": 1, "b": 2}}, 1.0),
        ({"name": "f", "parameters": {"a": 1, "b": 9}}, 0.5),
        ({"name": "f", "parameters": {"a": 1, "c": 2}}, 1 / 3),
        ({"name": "h", "parameters": {}}, 0.0),
        (None, 0.0),
    ],
)
def test_errors_of_a_call(predicted: Any, expected: float) -> None:
    gold = {"name": "f", "parameters": {"a": 1, "b": 2}}
    assert tool_call_errors(predicted, gold) == pytest.approx(expected)


def test_errors_of_a_message() -> None:
    turn = said("tool", dump_calls([OPEN]), gold_call=OPEN)
    assert per_turn(ToolCallErrors(), [turn]) == [1.0]
