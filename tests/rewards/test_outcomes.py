"""TruthRL, SAR, MemSifter, BLEU, MediX-R1, SATA-BENCH, penalties and outcome stand-ins."""

from __future__ import annotations

import importlib.util
import math
import sys

import pytest

from rmgym.advantages.batch import GroupTurns
from rmgym.advantages.group import grpo
from rmgym.errors import MissingExtraError, RewardError
from rmgym.protocols import RewardTerm
from rmgym.rewards import sata
from rmgym.rewards.bleu import BleuReward, smoothed_bleu
from rmgym.rewards.experimental.execution_margin import ExecutionMargin, execution_margin
from rmgym.rewards.experimental.keyword_explanation import KeywordExplanation
from rmgym.rewards.experimental.page_and_items import PageAndItems, page_and_items
from rmgym.rewards.experimental.statement_truth import StatementTruth, statement_token_rewards
from rmgym.rewards.experimental.tiered_quality import TieredQuality, lexicographic_order
from rmgym.rewards.experimental.verdict_and_tool import VerdictAndTool
from rmgym.rewards.medix import CompositeAnswer, answer_score, composite, says_yes
from rmgym.rewards.memsifter import (
    MarginalUtility,
    fibonacci_tiers,
    gold_dcg,
    marginal_utility,
    parse_ranking,
    tier_weights,
)
from rmgym.rewards.penalties import (
    KeywordRecall,
    LengthPenalty,
    keyword_recall,
    length_penalty,
    overlong_penalty,
)
from rmgym.rewards.sar import SelfAligned, perplexity, self_aligned, with_base
from rmgym.rewards.truthrl import Truthfulness, abstains, ternary, truthfulness
from tests.rewards.episodes import WordScorer, answer, outcome, said, search


@pytest.mark.parametrize(
    ("text", "expected"), [("Ulm", 1.0), ("I do not know.", 0.0), ("", 0.0), ("Bonn", -1.0)]
)
def test_truthrl_of_an_answer(text: str, expected: float) -> None:
    assert outcome(Truthfulness(), [answer(text)]) == expected


def test_no_answer_is_no_hallucination() -> None:
    assert outcome(Truthfulness(), [search("d")]) == 0.0


def test_an_answer_after_a_disclaimer_is_no_abstention() -> None:
    assert not abstains("I don't know, maybe Bonn")


def test_truthrl_advantages_of_a_group() -> None:
    rewards = [ternary(label) for label in ("correct", "abstain", "wrong", "correct")]
    expected = [0.7833, -0.2611, -1.3056, 0.7833]
    batch = GroupTurns.from_lists([[reward] for reward in rewards])
    assert grpo(batch).values == pytest.approx(expected, abs=1e-4)


def test_truthfulness_weights_uncertainty() -> None:
    assert truthfulness(0.5, 0.25, 0.25, (1, 0.5, 1)) == pytest.approx(0.375)


def test_sar_by_hand() -> None:
    assert self_aligned(2.0, 5.0) == pytest.approx(0.6)
    assert self_aligned(9.0, 4.0) == -1.0
    assert with_base(1.0, 0.6) == pytest.approx(1.12)
    assert perplexity([math.log(0.25), math.log(0.25)]) == pytest.approx(4.0)


def test_sar_rewards_a_right_answer_that_the_question_explains() -> None:
    turns = [said("answer", "born Einstein", answer="Ulm")]
    expected = (math.exp(2.0) - math.exp(0.5)) / math.exp(2.0)
    assert outcome(SelfAligned(WordScorer()), turns) == pytest.approx(expected)


def test_sar_of_the_paper_pays_the_question_repeated() -> None:
    turns = [answer("Where was Einstein born?")]
    assert (outcome(SelfAligned(WordScorer(), outcome=None), turns) or 0) > 0
    assert outcome(SelfAligned(WordScorer()), turns) == 0.0


def test_memsifter_example_of_paper_and_release() -> None:
    tiers, scores = [1, 2, 3, 5, 8, 10], [0.2, 0.5, 0.5, 0.8, 1.0, 0.9]
    assert sum(tier_weights(tiers)) == pytest.approx(1.0)
    assert tier_weights(tiers)[0] == pytest.approx(0.3690702)
    assert marginal_utility(0.1, tiers, scores) == pytest.approx(0.43952, abs=1e-5)
    assert marginal_utility(0.1, tiers, scores, "release") == pytest.approx(0.36571, abs=1e-5)


@pytest.mark.parametrize(
    ("k", "tiers"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (8, [1, 2, 3, 5, 8])]
)
def test_fibonacci_tiers_end_with_k(k: int, tiers: list[int]) -> None:
    assert fibonacci_tiers(k) == tiers


def test_gold_dcg_divides_by_the_number_of_gold_items() -> None:
    expected = (1 / math.log2(3) + 1 / math.log2(4)) / 2
    assert gold_dcg([4, 7, 2], [7, 2]) == pytest.approx(expected)


@pytest.mark.parametrize("ids", ["", "0,1", "0,1,5", "0,1,1", "a", "0,1,2</ranking><ranking>0,1,2"])
def test_a_broken_ranking_is_none(ids: str) -> None:
    assert parse_ranking(f"<ranking>{ids}</ranking>", memories=3) is None
    assert parse_ranking(ids, memories=3) is None


def test_memsifter_of_an_episode() -> None:
    turn = said("answer", "<ranking>1,0</ranking>", baseline_score=0.0, tier_scores=[1.0, 1.0])
    assert outcome(MarginalUtility(), [turn], {"memories": 2}) == pytest.approx(1.0)


def test_bleu_by_hand() -> None:
    references = ["the cat sat on a mat", "a cat was on the mat"]
    precisions = [(5 + 1) / (6 + 1), (5 + 1) / (5 + 1), (3 + 1) / (4 + 1), (1 + 1) / (3 + 1)]
    value = smoothed_bleu("the cat sat on the mat", references)
    assert value == pytest.approx(math.prod(precisions) ** 0.25)


def test_bleu_shorter_than_the_reference() -> None:
    assert smoothed_bleu("a b", ["a b c d e"]) == pytest.approx(math.exp(1 - 5 / 2))


def test_smoothing_pays_words_that_match_nothing_unless_the_term_asks_for_more() -> None:
    task = {"references": ["a b c d e"]}
    published = BleuReward(min_shared_order=0)
    assert outcome(published, [answer("v w x y z")], task) == pytest.approx(360**-0.25)
    assert outcome(BleuReward(), [answer("v w x y z")], task) == 0.0
    assert outcome(BleuReward(), [answer("a b c d e")], task) == 1.0


def test_the_13a_tokeniser_splits_punctuation() -> None:
    if importlib.util.find_spec("sacrebleu") is None:
        pytest.skip("needs sacrebleu: pip install 'rmgym[bleu]'")
    assert smoothed_bleu("Ulm, Germany.", ["Ulm , Germany ."], tokenize="13a") == 1.0


def test_a_missing_sacrebleu_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.tokenizers.tokenizer_13a", None)
    with pytest.raises(MissingExtraError, match="bleu"):
        smoothed_bleu("a", ["a"], tokenize="13a")


def test_medix_composite_by_hand() -> None:
    assert composite(1, 0.8, 1, 1) == pytest.approx(1.0)
    assert composite(0, 0.79, 1, 1) == pytest.approx(0.145)


def test_an_answer_equal_to_gold_needs_no_judge() -> None:
    assert answer_score(" Ulm ", "ulm", modality_ok=0, format_ok=0) == pytest.approx(0.855)


def test_a_bare_option_letter_never_scores() -> None:
    score = answer_score("B", "B", llm_yes=1, cosine=1, modality_ok=1, format_ok=1)
    assert score == pytest.approx(0.145)


@pytest.mark.parametrize(
    ("reply", "strict", "release"),
    [
        ("YES", True, True),
        ("yes, it is", True, True),
        ("NO, not YES", False, True),
        ("", False, False),
    ],
)
def test_what_counts_as_yes(reply: str, strict: bool, release: bool) -> None:
    assert says_yes(reply) is strict
    assert says_yes(reply, "release") is release


def test_medix_of_an_episode() -> None:
    turn = answer("near Ulm", judge_reply="YES", cosine=0.9, modality_ok=1, format_ok=1)
    assert outcome(CompositeAnswer(), [turn]) == pytest.approx(1.0)


def test_sata_accuracy_family() -> None:
    found = sata.sata_accuracy(["AB", "A", "ABC", ""], ["AB", "AC", "BC", "D"])
    assert found.exact_match_code == pytest.approx(1 / 3)
    assert found.exact_match_all_rows == 0.25
    assert found.jaccard == pytest.approx((1 + 0.5 + 2 / 3) / 4)
    assert found.f1_of_means == pytest.approx(2 * (2 / 3) * 0.625 / (2 / 3 + 0.625))


def test_order_matters_in_the_released_exact_match() -> None:
    assert sata.sata_accuracy(["BA"], ["AB"]).exact_match_code == 0.0


def test_label_bias_figures_by_hand() -> None:
    predicted, gold = ["A", "A"], ["A", "B"]
    assert sata.recall_spread(predicted, gold) == pytest.approx(50.0)
    expected = abs(2 / 3 - 0.5) / 0.5
    assert sata.relative_f1_spread(predicted, gold) == pytest.approx(expected)
    divergence = 0.5 * math.log(0.5 / 1.0) + 0.5 * math.log(0.5 / 1e-10)
    assert sata.choice_divergence(predicted, gold) == pytest.approx(divergence)


def test_selection_divergence_by_hand() -> None:
    value = sata.selection_divergence(["A", "AB"], ["A", "B"], options=[2, 2])
    a, b = (1 - 1 / 0.5) * math.log(0.5 / 1), (1 - 0.5 / 0.5) * 0.0
    assert value == pytest.approx(a + b)


def test_unbiased_choices_have_no_divergence() -> None:
    rows = ["AB", "C", "A"]
    assert sata.choice_divergence(rows, rows) == 0.0
    assert sata.selection_divergence(rows, rows, [3, 3, 4]) == 0.0
    assert sata.recall_spread(rows, rows) == 0.0


def test_the_release_cuts_both_label_strings() -> None:
    predicted, gold = ["AB", "AA"], ["AB", ""]
    with pytest.raises(RewardError, match="rows"):
        sata.choice_divergence(predicted, gold)
    assert sata.choice_divergence(["ABAA"], ["AB"], "release") == 0.0


def test_no_choice_at_all_has_the_divergence_of_an_unseen_label() -> None:
    value = sata.choice_divergence(["", ""], ["A", "B"])
    assert value == pytest.approx(math.log(0.5 / 1e-10))


@pytest.mark.parametrize(
    ("text", "expected"), [("C, A", 1.0), ("AC", 1.0), ("a and c", 1.0), ("A", 0.0)]
)
def test_select_all_pays_the_exact_set(text: str, expected: float) -> None:
    assert outcome(sata.SelectAll(), [answer(text)], {"gold_choices": "AC"}) == expected


@pytest.mark.parametrize(
    ("length", "expected"), [(0, 0.0), (80, 0.0), (90, -0.5), (100, -1.0), (500, -1.0)]
)
def test_overlong_penalty(length: int, expected: float) -> None:
    assert overlong_penalty(length, 100, 20) == pytest.approx(expected)


def test_overlong_penalty_without_a_buffer_is_a_step() -> None:
    assert overlong_penalty(100, 100, 0) == 0.0
    assert overlong_penalty(101, 100, 0) == -1.0


def test_length_penalty_with_tolerance_and_both_sides() -> None:
    assert length_penalty(130, 100, tolerance=10) == pytest.approx(-0.2)
    assert length_penalty(50, 100, both_sides=True) == pytest.approx(-0.5)


def test_length_of_an_episode_is_what_the_agent_said() -> None:
    turns = [search("d", text="one two", shown="many words of the world " * 9), answer("Ulm")]
    assert outcome(LengthPenalty(target=2), turns) == pytest.approx(-0.5)


def test_keywords_are_whole_words_counted_once() -> None:
    assert keyword_recall("Bornholm, native native", ["born", "native"]) == 0.5


def test_keyword_terms_pay_right_answers_only() -> None:
    right = [said("answer", "born native", answer="Ulm")]
    wrong = [said("answer", "born native", answer="Bonn")]
    task = {"keywords": ["born", "native", "town"]}
    for term, expected in ((KeywordRecall(), 2 / 3), (KeywordExplanation(), 1 + 1 / 3)):
        assert outcome(term, right, task) == pytest.approx(expected)
        assert outcome(term, wrong, task) == 0.0
    assert outcome(KeywordRecall(outcome=None), wrong, task) == pytest.approx(2 / 3)


def test_execution_margin_by_hand() -> None:
    assert execution_margin(True, 0.9, [0.4, 0.6]) == pytest.approx(1.2)


def test_execution_margin_of_an_episode() -> None:
    turn = answer("q", executes_to_gold=True, sim_gold=0.9, sim_negatives=[0.4, 0.6])
    assert outcome(ExecutionMargin(), [turn]) == pytest.approx(1.2)


def test_page_and_items_by_hand() -> None:
    assert page_and_items(0.8, [1, 0, 0.5]) == pytest.approx(0.65)
    assert outcome(PageAndItems(), [said("answer", page=0.8, items=[1, 0, 0.5])]) == 0.65


def test_statements_pay_on_their_last_token() -> None:
    statements = [
        {"last_token": 1, "verdict": "true", "helpful": 1.0},
        {"last_token": 2, "verdict": "false", "helpful": 0.5},
        {"last_token": 2, "verdict": "vague", "helpful": 0.0},
    ]
    assert statement_token_rewards(statements, 3) == pytest.approx([0.0, 1.2, -0.9])


def test_statements_of_an_answer_are_averaged() -> None:
    statements = [
        {"text": "a", "verdict": "true", "helpful": 1.0},
        {"text": "A ", "verdict": "true", "helpful": 1.0},
        {"text": "b", "verdict": "false", "helpful": 1.0},
    ]
    value = outcome(StatementTruth(), [answer("Ulm", statements=statements)])
    assert value == pytest.approx((1.2 - 1.0) / 2)


def test_tiers_are_compared_in_order() -> None:
    items = [
        {"id": "x", "a": 1, "b": 0.2},
        {"id": "y", "a": 0, "b": 0.9},
        {"id": "z", "a": 1, "b": 0.3},
    ]
    assert lexicographic_order(items, ["a", "b"]) == ["z", "x", "y"]


def test_tiered_quality_of_an_episode() -> None:
    turn = said("answer", format=1, feasible=1, accuracy=0.5)
    assert outcome(TieredQuality(), [turn]) == 2.5


@pytest.mark.parametrize(
    ("searches", "verdict", "expected"), [(1, "A", 1.2), (0, "A", 1.0), (1, "B", 0.2), (0, "B", 0)]
)
def test_verdict_and_tool(searches: int, verdict: str, expected: float) -> None:
    turns = [*([search("d")] * searches), said("answer", verdict=verdict)]
    task = {"verdict": "A", "tool_needed": True}
    assert outcome(VerdictAndTool(), turns, task) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("term", "fact"),
    [
        (KeywordRecall(), "keywords"),
        (sata.SelectAll(), "gold_choices"),
        (MarginalUtility(), "memories"),
        (ExecutionMargin(), "executes_to_gold"),
        (StatementTruth(), "statements"),
        (CompositeAnswer(), "modality_ok"),
        (PageAndItems(), "items"),
        (TieredQuality(), "format"),
        (VerdictAndTool(), "verdict"),
    ],
)
def test_a_missing_fact_is_named(term: RewardTerm, fact: str) -> None:
    with pytest.raises(RewardError, match=fact):
        outcome(term, [answer("Ulm")])
