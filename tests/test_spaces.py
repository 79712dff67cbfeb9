from __future__ import annotations

import pickle
from copy import deepcopy
from typing import Any

import gymnasium as gym
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import (
    batch_space,
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)

from rmgym.spaces import MAX_CHARACTERS, UnicodeText, chat_space

HELLO = ({"role": "user", "content": "hello world"},)


@pytest.mark.parametrize("text", ["", " ", "hello world", "é\n\x00", "\ud800", "人"])
def test_text_takes_any_characters(text: str) -> None:
    assert text in UnicodeText()


def test_text_holds_its_bounds() -> None:
    space = UnicodeText(3, min_length=2)
    assert [text in space for text in ("a", "ab", "abc", "abcd")] == [False, True, True, False]
    assert 5 not in space
    assert b"ab" not in space


def test_text_samples_are_seeded_and_legal() -> None:
    first, second = UnicodeText(80, min_length=3, seed=1), UnicodeText(80, min_length=3, seed=1)
    drawn = [first.sample() for _ in range(50)]
    assert drawn == [second.sample() for _ in range(50)]
    assert all(text in first for text in drawn)
    assert len(set(drawn)) > 40


def test_text_of_length_zero_can_be_sampled() -> None:
    assert UnicodeText(0).sample() == ""


def test_text_sample_takes_a_mask() -> None:
    assert len(UnicodeText(80).sample(mask=(7, None))) == 7


def test_spaces_compare_by_their_bounds() -> None:
    assert UnicodeText(5) == UnicodeText(5)
    assert UnicodeText(5) != UnicodeText(6)
    assert UnicodeText(5) != spaces.Text(5)
    assert chat_space(5) == chat_space(5)
    assert chat_space(5) != chat_space(6)


def test_spaces_survive_pickling() -> None:
    for space in (UnicodeText(5), chat_space(5)):
        space.seed(3)
        twin = pickle.loads(pickle.dumps(space))
        assert twin == space
        assert twin.sample() == space.sample()


def test_repr_is_short() -> None:
    assert repr(UnicodeText(7)) == "UnicodeText(7, min_length=0)"
    assert len(repr(chat_space())) < 200


def test_chat_space_takes_tuples_of_messages() -> None:
    space = chat_space()
    assert () in space
    assert HELLO in space
    assert space.sample() in space


@pytest.mark.parametrize(
    "bad",
    [
        [{"role": "user", "content": "a"}],
        ({"role": "user"},),
        ({"role": "user", "content": "a", "name": "b"},),
        ({"role": "user", "content": None},),
        ({"role": "", "content": "a"},),
        ({"role": "u" * 17, "content": "a"},),
        ({"role": "user", "content": "a" * (MAX_CHARACTERS + 1)},),
        ("user",),
        None,
    ],
)
def test_chat_space_refuses_what_is_no_tuple_of_messages(bad: object) -> None:
    assert bad not in chat_space()


def test_text_has_no_flat_form() -> None:
    assert not UnicodeText(5).is_np_flattenable
    assert isinstance(batch_space(UnicodeText(5), 3), spaces.Tuple)


def write(space: gym.Space[Any], index: int, value: Any, shared: Any) -> None:
    write_to_shared_memory(space, index, value, shared)


@pytest.mark.parametrize(
    ("space", "value"), [(chat_space(), HELLO), (UnicodeText(), "a\ud800" * 10_000)]
)
def test_shared_memory_gives_back_what_was_written_last(
    space: gym.Space[Any], value: object
) -> None:
    shared = create_shared_memory(space, n=2)
    view: Any = read_from_shared_memory(space, shared, n=2)
    write(space, 1, "older", shared)
    write(space, 1, value, shared)
    assert deepcopy(view)[1] == value
    assert view[1] == value
    assert len(view) == 2


def test_shared_memory_can_be_sent_to_another_process() -> None:
    shared: Any = create_shared_memory(UnicodeText(), n=1)
    write(UnicodeText(), 0, "there", pickle.loads(pickle.dumps(shared)))
    assert deepcopy(shared) == ("there",)
