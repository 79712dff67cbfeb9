"""Rewards of judges and rubric writers."""

from __future__ import annotations

import json
import math

import pytest

from rmgym.errors import RewardError
from rmgym.protocols import Score
from rmgym.rewards import cream
from rmgym.rewards.coreact import RubricGenerator, repeated_share, rubric_score
from rmgym.rewards.ranks import average_ranks, kendall, spearman
from rmgym.rewards.reference_judge import swap_score
from rmgym.rewards.rewardanything import ListwiseJudge, format_score, pair_score
from rmgym.rewards.scir import agreeing_pairs
from rmgym.rewards.themis import pairwise_loss, themis_loss
from tests.rewards.episodes import context, outcome, said

REPLY = json.dumps({"scores": {"A": 5, "B": 1}, "best-to-worst": ["A", "B"]})
GOLD = {"gold_scores": {"A": 5, "B": 1}}


def test_a_perfect_rubric() -> None:
    found = rubric_score(
        [1, 2, 3, 4], [4, 7, 8, 10], atomic_criteria=4, criteria=4, weights=[0.25] * 4
    )
    assert found.reward == pytest.approx(1.0)


def test_tied_experts_share_the_mean_rank() -> None:
    found = rubric_score(
        [1, 2, 3, 4], [4, 7, 7, 10], atomic_criteria=3, criteria=4, weights=[0.25] * 4
    )
    assert found.expert_ranking == (1.0, 2.5, 2.5, 4.0)
    assert found.reward == pytest.approx(0.94326, abs=1e-5)


def test_an_undefined_correlation_counts_half() -> None:
    found = rubric_score([1, 1], [1, 2], atomic_criteria=3, criteria=3, weights=[0.9] * 3)
    assert found.reward == pytest.approx(0.575)


def test_under_two_criteria_only_the_format_is_left() -> None:
    found = rubric_score([1, 2], [1, 2], atomic_criteria=1, criteria=1, weights=[1.0])
    assert found.reward == pytest.approx(0.05)


@pytest.mark.parametrize(("weight", "form"), [(1.15, 0.5), (0.85, 0.5), (1.16, 0.0), (0.84, 0.0)])
def test_weights_may_miss_one_by_fifteen_hundredths(weight: float, form: float) -> None:
    found = rubric_score([1, 2], [1, 2], atomic_criteria=0, criteria=2, weights=[weight, -3])
    assert found.format == form


def test_repeated_four_grams() -> None:
    assert repeated_share("a b c d a b c d a b c d") == pytest.approx(5 / 9)
    assert repeated_share("a b c") == 0.0


def test_a_rubric_of_an_episode() -> None:
    turn = said("answer", "some rubric", rubric_ranking=[1, 2], criteria=4, atomic_criteria=4,
                weights=[0.25] * 4)  # fmt: skip
    assert outcome(RubricGenerator(), [turn], {"expert_borda": [1, 2]}) == pytest.approx(1.0)


def test_pair_score_by_hand() -> None:
    gold = {"A": 5.0, "B": 3.0, "C": 1.0}
    assert pair_score({"A": 4, "B": 4, "C": 1}, gold) == pytest.approx(1 - 1.5 / 11)
    assert pair_score({"A": 1, "B": 3, "C": 5}, gold) == 0.0
    assert pair_score({"A": 1}, gold) == 1.0


def test_a_gold_tie_is_never_penalised() -> None:
    gold = {"A": 5.0, "B": 5.0, "C": 1.0}
    assert pair_score({"A": 1, "B": 2, "C": 3}, gold) == pytest.approx(1 / 11)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"<think>{'x' * 60}</think>{REPLY}", 1.0),
        (f"<think>short</think>```json\n{REPLY}\n```", 0.95),
        (REPLY, 0.8),
        (f"here: {REPLY}", 0.75),
        ("<think>", 0.05),
        ('{"scores": {"A": 1}}', 0.2 + 0.1 + 0.1),
        ('{"scores": {"A": 1, "B": 5}, "best-to-worst": ["A", "B"]}', 0.6),
        ("[1, 2]", 0.0),
    ],
)
def test_format_parts(text: str, expected: float) -> None:
    assert format_score(text, ["A", "B"]) == pytest.approx(expected)


def test_a_listwise_reply_earns_accuracy_times_coverage() -> None:
    score = ListwiseJudge()([context([said("answer", REPLY)], {"gold_scores": {"A": 5, "B": 1,
                            "C": 3, "D": 3}})])[0]  # fmt: skip
    assert isinstance(score, Score)
    assert score.value == pytest.approx(0.5)
    assert score.metrics["rewardanything/accuracy"] == 1.0


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "{",
        '{"scores": [1]}',
        '{"scores": {"A": "x", "B": 1}}',
        '{"scores": {"A": 1, "B": true}}',
    ],
)
def test_an_unusable_reply_earns_nothing(reply: str) -> None:
    assert outcome(ListwiseJudge(), [said("answer", reply)], GOLD) == 0.0


def test_cream_by_hand() -> None:
    found = cream.kendall_consistency([1, 2, 3, 4], [2, 1, 3, 4])
    assert found == pytest.approx(5 / 6)
    assert cream.consistency_loss(found, 0.3, 1.2) == pytest.approx(0.45)
    assert cream.spearman_consistency([1, 2, 3, 4], [2, 1, 3, 4]) == pytest.approx(0.9)


def test_top_order_of_paper_and_release_part() -> None:
    before, now = [2, 1, 4, 3], [2, 4, 1, 3]
    assert cream.top_order_consistency(before, now) == 0.0
    assert cream.top_order_consistency(before, now, "release") == 1.0
    assert cream.top_order_consistency([1, 2, 3, 4], [1, 3, 2, 4]) == 1.0


def test_a_constant_ranking_has_no_consistency() -> None:
    with pytest.raises(RewardError, match="undefined"):
        cream.kendall_consistency([1, 1], [1, 2])


def test_scir_drops_disagreement_and_indifference() -> None:
    assert agreeing_pairs([1, -1, 0, -2], [1, 1, 1, -1]) == ([True, False, False, True], 0.5)


def test_themis_by_hand() -> None:
    assert pairwise_loss(1.3, 0.4) == pytest.approx(-math.log(1 / (1 + math.exp(-0.9))))
    assert themis_loss(1.3, 0.4, 2.0) == pytest.approx(2.170576937)
    assert pairwise_loss(-1e4, 0.0) == pytest.approx(1e4)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("A", "A", 1.0), ("A", "B", 0.5), ("B", "B", 0.0), ("tie", "tie", 0.5), ("A", "tie", 0.5)],
)
def test_a_win_must_stand_in_both_orders(first: str, second: str, expected: float) -> None:
    assert swap_score(first, second) == expected


def test_an_unknown_winner_is_an_error() -> None:
    with pytest.raises(RewardError, match="'C'"):
        swap_score("C", "A")


def test_rank_statistics_agree_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats", reason="needs scipy to compare with")
    a, b = [3.0, 1.0, 1.0, 5.0, 2.0], [2.0, 2.0, 1.0, 4.0, 4.0]
    assert average_ranks(a) == list(stats.rankdata(a))
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert kendall(a, b) == pytest.approx(stats.kendalltau(a, b).statistic)
