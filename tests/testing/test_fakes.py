from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmgym.errors import PolicyError
from rmgym.messages import message
from rmgym.protocols import Policy, Scorer, Target
from rmgym.testing import ByteTokenizer, ScriptedPolicy, UniformEngine, UniformScorer
from rmgym.testing.bytes_tokenizer import BEGIN, END
from rmgym.trajectory import Completion, Context, Turn

START = Context((), (message("user", "Hi"),))
any_text = st.text(st.characters(exclude_categories=()))


def after(context: Context, said: Completion, answer: str) -> Context:
    turn = Turn(observation=context.observation, completion=said)
    return Context((*context.turns, turn), (message("user", answer),))


def test_script_is_played_by_turn_number() -> None:
    policy = ScriptedPolicy(["a", "b"])
    (first,) = policy.act([START])
    second = policy.act([after(START, first, "x"), START])
    assert [said.text for said in second] == ["b", "a"]


def test_script_that_is_too_short_is_an_error() -> None:
    with pytest.raises(PolicyError, match="at most 0 turns, got turn 1"):
        ScriptedPolicy([]).act([START])


def test_fakes_play_their_roles() -> None:
    assert isinstance(ScriptedPolicy([]), Policy)
    assert isinstance(UniformEngine(), Policy)
    assert isinstance(UniformScorer(), Scorer)


@given(any_text)
def test_any_text_survives_the_byte_tokenizer(text: str) -> None:
    tokenizer = ByteTokenizer()
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(st.lists(st.integers(0, 257)))
def test_any_ids_can_be_decoded(ids: list[int]) -> None:
    assert isinstance(ByteTokenizer().decode(ids), str)


def test_message_is_framed() -> None:
    ids = ByteTokenizer().render([message("user", "a")], add_generation_prompt=False)
    assert ids == [BEGIN, *b"user\n", *b"a", END]


def test_rendering_only_appends() -> None:
    tokenizer = ByteTokenizer()
    one, two = message("user", "a"), message("tool", "b")
    first = tokenizer.render([one], add_generation_prompt=False)
    both = tokenizer.render([one, two], add_generation_prompt=True)
    assert both[: len(first)] == first


def test_engine_extends_its_own_ids() -> None:
    engine, context = UniformEngine(seed=1, max_tokens=20), START
    for _ in range(3):
        (said,) = engine.act([context])
        context = after(context, said, "more")
        (following,) = engine.act([context])
        spoken = said.prompt_ids + said.completion_ids
        assert following.prompt_ids[: len(spoken)] == spoken


def test_engine_stops_at_end_or_at_length() -> None:
    turns = [UniformEngine(seed, max_tokens=200).act([START])[0] for seed in range(40)]
    assert {said.finish_reason for said in turns} == {"stop", "length"}
    for said in turns:
        assert (said.completion_ids[-1] == END) == (said.finish_reason == "stop")
        assert said.completion_ids.count(END) <= 1
        assert said.logprobs == (-math.log(257),) * len(said.completion_ids)


def test_engine_gives_the_same_turn_for_the_same_context() -> None:
    assert UniformEngine(3).act([START]) == UniformEngine(3).act([START])
    assert UniformEngine(3).act([START]) != UniformEngine(4).act([START])


def test_engine_needs_room_for_one_token() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        UniformEngine(max_tokens=0)


def test_prompt_of_turns_without_ids_is_their_text() -> None:
    context = after(START, Completion(text="é"), "more")
    expected = ByteTokenizer().render(
        [message("user", "Hi"), message("assistant", "é"), message("user", "more")],
        add_generation_prompt=True,
    )
    assert list(ByteTokenizer().prompt(context)) == expected


def test_every_byte_is_as_likely() -> None:
    (scored,) = UniformScorer().logprobs([START], [Target("é!", lead="ignored")])
    assert scored.token_ids == (195, 169, 33)
    assert scored.logprobs == (-math.log(256),) * 3
