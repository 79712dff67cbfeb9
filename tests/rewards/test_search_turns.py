"""Turn rewards of searches and records, and the decision to search."""

from __future__ import annotations

import numpy as np
import pytest

from rmgym.errors import RewardError
from rmgym.rewards.adasearch import (
    SearchDecision,
    aware_f1,
    decision_f1,
    decision_reward,
    needed_decision,
)
from rmgym.rewards.answer_visible import AnswerVisible
from rmgym.rewards.gold_passage import GoldPassageFound
from rmgym.rewards.passed_tests import PassedTestsGain
from rmgym.rewards.record_support import RecordSupport, record_support
from rmgym.rewards.retrieval_utility import PassageUtility, has_answer, passage_utility
from rmgym.rewards.search_needed import NeedlessSearch
from rmgym.rewards.smartsearch import (
    QueryQuality,
    SmartSearchOutcome,
    composite,
    query_labels,
    search_efficiency,
)
from tests.rewards.episodes import Fixed, answer, outcome, per_turn, said, search

END = answer("Ulm")


def test_a_gold_passage_pays_when_it_is_new() -> None:
    turns = [search("a", "g1"), search("g1"), search("g2", "b"), END]
    assert per_turn(GoldPassageFound(), turns) == [1.0, 0.0, 1.0, None]


@pytest.mark.parametrize("term", [GoldPassageFound(), NeedlessSearch()])
def test_a_task_without_gold_passages_is_an_error(term: GoldPassageFound) -> None:
    with pytest.raises(RewardError, match="gold_passages"):
        per_turn(term, [search("a")], {"gold_passages": []})


def test_a_search_without_doc_ids_is_an_error() -> None:
    with pytest.raises(RewardError, match="doc_ids"):
        per_turn(GoldPassageFound(), [said("search")])


def test_the_answer_becomes_visible_once() -> None:
    turns = [search("a"), search("b", shown="Born in Ulm."), search("c", shown="Ulm!"), END]
    assert per_turn(AnswerVisible(), turns) == [0.0, 1.0, 0.0, None]


def test_an_answer_in_the_question_is_not_newly_visible() -> None:
    turns = [search("b", shown="Einstein was born")]
    assert per_turn(AnswerVisible(), turns, {"references": ["Einstein"]}) == [0.0]


@pytest.mark.parametrize(
    ("text", "expected"), [("the U.S. army", True), ("usa", False), ("<b>US</b>", True)]
)
def test_references_are_found_as_whole_words(text: str, expected: bool) -> None:
    assert has_answer(text, ["U.S."]) is expected or has_answer(text, ["US"]) is expected


def test_a_reference_of_articles_is_never_found() -> None:
    assert not has_answer("the a an", ["the"])


def test_needless_searches_cost() -> None:
    turns = [search("a"), search("a"), search("g1", "g2"), search("z"), END]
    assert per_turn(NeedlessSearch(), turns) == [0.0, -1.0, 0.0, -1.0, None]
    assert per_turn(NeedlessSearch(), [search("a")], {"known": True}) == [-1.0]


def test_utility_is_strict_improvement() -> None:
    utility, signed = passage_utility([False, True], {"p": [True, True], "q": [False, False]})
    assert utility == {"p": [1, 0], "q": [0, 0]}
    assert signed == {"p": [1, 0], "q": [0, -1]}


def test_passages_help_only_when_new_and_needed() -> None:
    turns = [
        search("a", correct_with_passages=False),
        search("b", correct_with_passages=True),
        search("b", correct_with_passages=True),
    ]
    assert per_turn(PassageUtility(), turns) == [0.0, 1.0, 0.0]
    assert per_turn(PassageUtility(signed=True), turns, {"known": True}) == [-1.0, 0.0, 0.0]


def test_f1_of_the_decision_in_both_orientations() -> None:
    always = [("search", "search"), ("search", "direct")]
    assert decision_f1(always) == pytest.approx(2 / 3)
    assert decision_f1(always, positive="direct") == 0.0
    assert aware_f1([True, True], [False, True]) == 0.0
    assert aware_f1([False, False, True], [True, False, True]) == 0.5


def test_an_unknown_decision_is_named() -> None:
    with pytest.raises(RewardError, match="maybe"):
        decision_reward("maybe", "search")


def test_the_pseudo_label_comes_from_the_solve_rate() -> None:
    assert needed_decision(0.4, 0.5) == "search"
    assert needed_decision(0.5, 0.5) == "direct"


def test_searching_is_right_where_the_answer_is_not_known() -> None:
    term, by_rate = SearchDecision(), SearchDecision(threshold=0.5)
    assert outcome(term, [search("a"), END]) == 1.0
    assert outcome(term, [END]) == 0.0
    assert outcome(by_rate, [END], {"closed_book_solve_rate": 0.9}) == 1.0


def test_query_labels_need_novelty_and_usefulness() -> None:
    assert query_labels([0, 2, 3, 0], [True, True, True, False], 2) == [1, 1, 0, 0]


def test_overlap_is_counted_over_all_earlier_turns() -> None:
    turns = [search("a", "b", useful=True), search("b", "c", useful=True),
             search("a", "c", useful=True), END]  # fmt: skip
    assert per_turn(QueryQuality(max_seen=1), turns) == [1.0, 1.0, 0.0, None]


@pytest.mark.parametrize(
    ("right", "labels", "expected"),
    [(1, [1, 1, 0, 0], 0.8), (0, [1, 1, 0, 0], 0.2), (1, [0] * 9, 0.5), (0, [1] * 9, 0.5)],
)
def test_smartsearch_composite(right: int, labels: list[int], expected: float) -> None:
    value = composite(right, labels, gamma=0.1, phi_min=0.5, phi_max=0.5)
    assert value == pytest.approx(expected)


def test_smartsearch_of_an_episode() -> None:
    term = SmartSearchOutcome(
        QueryQuality(0), gamma=0.1, phi_min=0.5, phi_max=0.5,
        format_weight=0.2, format_term=Fixed(1.0, "format"),
    )  # fmt: skip
    turns = [search("a", useful=True), search("a", useful=True), END]
    assert outcome(term, turns) == pytest.approx(0.9 + 0.2)


def test_a_format_weight_needs_its_term() -> None:
    with pytest.raises(RewardError, match="format_term"):
        SmartSearchOutcome(QueryQuality(0), gamma=0.1, phi_min=0, phi_max=0, format_weight=0.2)


def test_search_efficiency_of_two_questions() -> None:
    assert search_efficiency([1.0, 0.5], [2, 1]) == pytest.approx(0.5)


def test_support_is_the_share_of_sentences_found() -> None:
    documents = ["Einstein was born in Ulm. He died in Princeton."]
    assert record_support("He died in Princeton. He was tall.", documents) == 0.5
    assert record_support(" ... ", documents) is None


def test_a_record_is_held_against_earlier_searches() -> None:
    turns = [search("d", shown="Born in Ulm."), said("record", record="Born in Ulm. In May."), END]
    assert per_turn(RecordSupport(), turns) == [None, -0.5, None]


def test_passed_tests_telescope() -> None:
    turns = [said("run", tests_passed=p, tests_total=4) for p in (1, 3, 2)]
    assert per_turn(PassedTestsGain(), [*turns, said("think")]) == [0.25, 0.5, -0.25, None]


def test_impossible_test_counts_are_an_error() -> None:
    with pytest.raises(RewardError, match="tests_passed"):
        per_turn(PassedTestsGain(), [said("run", tests_passed=5, tests_total=4)])


def test_gains_in_passed_tests_telescope_on_random_trajectories() -> None:
    rng = np.random.default_rng(0)
    for _ in range(1000):
        passed = rng.integers(0, 8, size=rng.integers(1, 6)).tolist()
        turns = [said("run", tests_passed=p, tests_total=7) for p in passed]
        earned = [gain for gain in per_turn(PassedTestsGain(), turns) if gain is not None]
        assert sum(earned) == pytest.approx(passed[-1] / 7, abs=1e-9)
