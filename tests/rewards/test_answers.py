from __future__ import annotations

from typing import Any

import pytest

from rmgym.errors import RewardError
from rmgym.protocols import RewardTerm
from rmgym.rewards.answers import (
    ExactMatch,
    IgpoOutcome,
    SubExactMatch,
    TokenF1,
    best_over_references,
    exact_match,
    extract_answer,
    igpo_alternatives,
    igpo_outcome,
    igpo_word_set_f1,
    normalize_answer,
    sub_exact_match,
    tags_balanced,
    token_f1,
)
from rmgym.trajectory import Completion, Context, Turn


def answered(answer: str | None, references: Any, text: str | None = None) -> Context:
    said = f"<think>t</think><answer>{answer}</answer>" if text is None else text
    kind = "search" if answer is None else "answer"
    info = {"task": {"references": references}, "event": {"kind": kind, "answer": answer}}
    turn = Turn(observation=(), completion=Completion(text=said), terminated=True, info=info)
    return Context((turn,), ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  U.S. Senate!", "us senate"),
        ("An apple a day", "apple day"),
        ("theatre", "theatre"),
        ("Café—bar", "café—bar"),
        ("\ud800 x", "\ud800 x"),
        ("...", ""),
    ],
)
def test_normalisation_drops_case_ascii_punctuation_and_articles(text: str, expected: str) -> None:
    assert normalize_answer(text) == expected


@pytest.mark.parametrize(
    ("answer", "reference"), [("the", "A"), ("", "?"), ("", "The The"), ("", "")]
)
def test_an_empty_answer_never_equals_a_reference_that_normalises_to_nothing(
    answer: str, reference: str
) -> None:
    assert not exact_match(answer, reference)
    assert token_f1(answer, reference) == 0.0
    assert not sub_exact_match(answer, reference)


@pytest.mark.parametrize("reference", ["A", "?", "The The"])
def test_a_reference_that_normalises_to_nothing_equals_itself(reference: str) -> None:
    assert exact_match(reference, reference)


def test_token_f1_counts_repeated_tokens() -> None:
    # 2 common of 3 said and 2 wanted: p = 2/3, r = 1
    assert token_f1("paris paris france", "paris france") == pytest.approx(0.8)
    assert token_f1("york york", "new york") == pytest.approx(0.5)


def test_igpo_f1_counts_repeated_words_once_and_keeps_articles() -> None:
    assert igpo_word_set_f1("york york", "new york") == pytest.approx(2 / 3)
    assert igpo_word_set_f1("the cat", "a cat") == pytest.approx(0.5)


def test_igpo_f1_turns_punctuation_into_blanks() -> None:
    assert igpo_word_set_f1("Jean-Luc", "jean luc") == 1.0
    assert exact_match("Jean-Luc", "jeanluc")


def test_best_over_references_takes_the_maximum() -> None:
    assert best_over_references(token_f1, "new york city", ["boston", "new york"]) == pytest.approx(
        0.8
    )


def test_answer_split_opens_alternatives_and_labels_collapse() -> None:
    assert igpo_alternatives(["Rome<|answer_split|>Roma", "Urbs"]) == ["Rome", "Roma", "Urbs"]
    assert igpo_alternatives(['[{"label": "TRUE"}, {"label": "true"}]']) == ["true"]
    assert igpo_alternatives(['[{"label": "True"}, {"label": "False"}]']) == ["false"]


@pytest.mark.parametrize("reference", ["[1, 2]", "[not json", "[]", "[sic]"])
def test_brackets_without_labels_are_an_ordinary_reference(reference: str) -> None:
    assert igpo_alternatives([reference]) == [reference]


@pytest.mark.parametrize(
    ("text", "balanced"),
    [
        ("<think>a</think><answer>b</answer>", True),
        ("<THINK>a</think>", True),
        ("<think>a", False),
        ("</think>a<think>", False),
        ("<think>a</think></think><think>", False),
        ("<code>x</code><tool_call>{}</tool_call>", True),
        ("<search>free", True),
    ],
)
def test_tags_must_open_and_close_in_pairs(text: str, balanced: bool) -> None:
    assert tags_balanced(text) is balanced


def test_extract_answer_takes_the_last_or_the_first_block() -> None:
    text = "<answer> a\nb </answer> <answer>c</answer>"
    assert extract_answer(text) == "c"
    assert extract_answer(text, "first") == "a\nb"
    assert extract_answer("<answer>open") is None


def test_igpo_outcome_scores_the_first_block_only() -> None:
    text = "<answer>rome</answer><answer>paris</answer>"
    assert igpo_outcome(text, ["paris"]) == 0.0


def test_igpo_outcome_floor_is_zero_in_validation() -> None:
    assert igpo_outcome("<think>x<answer>paris</answer>", ["paris"]) == -2.0
    assert igpo_outcome("<think>x<answer>paris</answer>", ["paris"], floor=0.0) == 0.0


@pytest.mark.parametrize(
    ("term", "expected"),
    [(ExactMatch(), 0.0), (TokenF1(), 2 / 3), (SubExactMatch(), 1.0), (IgpoOutcome(), 2 / 3)],
)
def test_terms_score_the_answer_against_the_best_reference(
    term: RewardTerm, expected: float
) -> None:
    contexts = [
        answered("in Paris", ["London", "paris"]),
        answered("in Paris", ["London", "paris"]),
    ]
    assert list(term(contexts)) == pytest.approx([expected, expected])
    assert isinstance(term, RewardTerm)
    assert term.grant == "outcome"


@pytest.mark.parametrize("term", [ExactMatch(), TokenF1(), SubExactMatch()])
def test_an_episode_without_an_answer_scores_zero(term: RewardTerm) -> None:
    assert list(term([answered(None, ["paris"])])) == [0.0]


def test_igpo_pays_the_floor_without_an_answer_or_with_broken_tags() -> None:
    broken = answered("paris", ["paris"], text="<think>t<answer>paris</answer>")
    assert IgpoOutcome()([answered(None, ["paris"]), broken]) == [-2.0, -2.0]
    assert IgpoOutcome(floor=0.0)([broken]) == [0.0]


def test_the_text_of_a_search_turn_that_holds_an_answer_tag_earns_nothing() -> None:
    text = "<search>q</search><answer>paris</answer>"
    assert ExactMatch()([answered(None, ["paris"], text=text)]) == [0.0]


def test_a_list_of_candidates_games_subem_but_not_em_or_f1() -> None:
    stuffed = answered("london paris rome berlin madrid", ["paris"])
    assert SubExactMatch()([stuffed]) == [1.0]
    assert ExactMatch()([stuffed]) == [0.0]
    assert TokenF1()([stuffed]) == [pytest.approx(1 / 3)]


@pytest.mark.parametrize("references", [None, [], "paris"])
def test_missing_references_are_an_error_not_a_zero(references: Any) -> None:
    with pytest.raises(RewardError, match="references"):
        ExactMatch()([answered("paris", references)])


def test_a_missing_event_is_an_error_not_a_zero() -> None:
    turn = Turn(observation=(), completion=Completion(text="x"), info={"task": {}})
    with pytest.raises(RewardError, match="event"):
        ExactMatch()([Context((turn,), ())])
