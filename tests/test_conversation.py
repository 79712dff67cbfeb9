from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from rmgym.composition import Granted
from rmgym.conversation import Conversation, Facts, Opening, Reply, merge_observations, transcript
from rmgym.messages import message

OPENING = Opening(task_id="t", messages=(message("user", "Hi"),), task={"answer": "42"})


def say(record: Conversation, action: str, *heard: str, **ends: Any) -> None:
    reply = Reply(messages=tuple(message("user", text) for text in heard), **ends.pop("reply", {}))
    ends = {"stop": None, "cut": None, "state_hash": None, **ends}
    record.play(action, reply, **ends)
    record.settle(Granted(0.0, {}, {}))


def test_facts_equal_mappings_and_cannot_change() -> None:
    facts = Facts({"a": 1}, b=[2])
    assert facts == {"a": 1, "b": [2]}
    assert not isinstance(facts, dict)
    with pytest.raises(TypeError):
        facts["a"] = 2  # type: ignore[index]  # the point
    assert pickle.loads(pickle.dumps(facts)) == facts == copy.deepcopy(facts)


def test_context_holds_what_was_said_in_order() -> None:
    record = Conversation(OPENING)
    say(record, "one", "two")
    assert [said["content"] for said in record.context.messages] == ["Hi", "one", "two"]


def test_context_hides_the_facts() -> None:
    record = Conversation(OPENING)
    say(record, "one", "two")
    assert record.context.turns[0].info == {}
    assert record.turns[0].info["task"] == {"answer": "42"}


def test_hearing_between_turns_adds_to_the_next_observation() -> None:
    record = Conversation(OPENING)
    say(record, "one", "two")
    record.hear((message("user", "three"),))
    assert [said["content"] for said in record.observation] == ["two", "three"]


def test_digest_tells_apart_content_that_imitates_messages() -> None:
    honest, forged = Conversation(OPENING), Conversation(OPENING)
    say(honest, "a", "b")
    say(forged, "a\nuser\nb")
    assert honest.digest != forged.digest
    for text in ("a\nuser\n1\nb", "auser1b"):
        forged = Conversation(OPENING)
        say(forged, text)
        assert honest.digest != forged.digest


def test_digest_is_that_of_equal_conversations() -> None:
    first, second = Conversation(OPENING), Conversation(OPENING)
    for record in (first, second):
        say(record, "\ud800", "ok")
    assert first.digest == second.digest


def test_characters_are_those_of_the_contents() -> None:
    record = Conversation(OPENING)
    say(record, "three", "four!")
    assert record.characters == 2 + 5 + 5


def test_metrics_count_turns_and_invalid_ones() -> None:
    record = Conversation(OPENING)
    say(record, "a", reply={"event": {"kind": "invalid"}})
    say(record, "b")
    assert record.turns[-1].info["metrics"] == {"turns": 2.0, "invalid_turns": 1.0}
    assert record.opening_info({}, None)["metrics"] == {"turns": 2.0, "invalid_turns": 1.0}


def test_stop_reason_stands_at_the_end_alone() -> None:
    record = Conversation(OPENING)
    say(record, "a")
    say(record, "b", stop="answered")
    assert "stop_reason" not in record.turns[0].info
    assert record.turns[1].info["stop_reason"] == "answered"
    assert record.ended


def test_seat_that_others_end_earns_in_two_parts() -> None:
    record = Conversation(OPENING)
    record.play("a", Reply(event={"kind": "offer"}), stop=None, cut=None, state_hash=None)
    record.settle(Granted(0.25, {"turn": 0.25}, {}))
    record.close(Reply(event={"price": 7}), stop="deal", cut=None, state_hash=None)
    reward, info = record.settle(Granted(1.0, {"outcome": 1.0}, {}))
    assert (reward, info["reward_terms"]) == (1.0, {"outcome": 1.0})
    turn = record.turns[-1]
    assert (turn.reward, turn.reward_terms) == (1.25, {"turn": 0.25, "outcome": 1.0})
    assert turn.info["event"] == {"kind": "offer", "price": 7}
    assert turn.terminated


def test_seat_that_never_spoke_ends_with_a_silent_turn() -> None:
    record = Conversation(OPENING)
    record.close(Reply(), stop="deal", cut=None, state_hash=None)
    assert [turn.completion.text for turn in record.turns] == [""]
    assert record.ended


def test_snapshot_does_not_change_with_the_record() -> None:
    record = Conversation(OPENING)
    say(record, "a", "b")
    state = record.snapshot()
    say(record, "c", "d")
    twin = Conversation.restore(state)
    assert len(twin.turns) == 1
    say(twin, "c", "d")
    assert twin.digest == record.digest


def test_transcript_names_who_spoke() -> None:
    record = Conversation(OPENING)
    say(record, "one", "two")
    assert transcript(record.context) == "[user]\nHi\n\n[assistant]\none\n\n[user]\ntwo"


def test_observations_merge_in_order() -> None:
    one, two = message("user", "1"), message("tool", "2")
    assert merge_observations([(one,), (), (two,)]) == (one, two)
