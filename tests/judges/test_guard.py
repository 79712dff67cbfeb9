from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmgym.judges.guard import MASTER_KEYS, guarded, rejection


@pytest.mark.parametrize("key", MASTER_KEYS)
@pytest.mark.parametrize("wrap", ["{}", "  {}\n", "{}.", "**{}**", "\u200b{}", "{0} {0}"])
def test_master_keys_are_turned_away(key: str, wrap: str) -> None:
    assert rejection(wrap.format(key))


@pytest.mark.parametrize(
    "text",
    ["SOLUTION:", "respuesta", "Let\u2019s solve this problem step by step", "Ｓｏｌｕｔｉｏｎ",  # noqa: RUF001
     "Thought process: Let's solve this problem step by step.", "\u89e3\u89e3"],
)  # fmt: skip
def test_variants_and_joined_keys_are_turned_away(text: str) -> None:
    assert rejection(text) == "the answer is a master key"


@pytest.mark.parametrize("text", ["", "   ", "...", "?!", "\u200b\u200d", "\u00a0", "\n\t", "***"])
def test_text_without_letters_or_digits_is_turned_away(text: str) -> None:
    assert rejection(text) == "the answer has no letters or digits"


@pytest.mark.parametrize(
    "text",
    ["Ulm", "4", "東京", "解放", "Ответ", "٤", "Solution 2", "The solution: Ulm", "Resolution"],
)
def test_answers_in_any_script_pass(text: str) -> None:
    assert rejection(text) is None


def test_the_judge_is_not_asked_about_a_master_key() -> None:
    asked: list[str] = []

    def judge(text: str) -> float:
        asked.append(text)
        return 1.0

    assert guarded("Solution", judge) == 0.0
    assert guarded(None, judge) == 0.0
    assert guarded("Ulm", judge) == 1.0
    assert asked == ["Ulm"]


@settings(max_examples=50)
@given(st.lists(st.sampled_from([*MASTER_KEYS, " ", "\n", "...", "!"]), max_size=6))
def test_no_mixture_of_keys_passes(parts: list[str]) -> None:
    assert rejection(" ".join(parts))
