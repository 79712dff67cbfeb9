from __future__ import annotations

import pytest

from rmgym.errors import RewardError
from rmgym.rewards.experimental.nugget_rollup import NuggetCoverage, nugget_rollup
from rmgym.rewards.search_gen_v import NuggetVerifier, macro_f1, verifier_reward
from tests.rewards.episodes import answer, outcome, said

S, P, N = "support", "partial_support", "not_support"


def test_one_wrong_label_of_four() -> None:
    found = verifier_reward([S, P, N, N], [S, N, N, N])
    assert found.macro_f1 == pytest.approx(0.6)
    assert found.exact == 0.0
    assert found.reward == pytest.approx(0.51)


def test_a_label_absent_from_both_sides_counts_one() -> None:
    assert macro_f1([S, N], [S, S]) == pytest.approx((2 / 3 + 1 + 0) / 3)


@pytest.mark.parametrize("predicted", [None, [], [S], [S, S, S]])
def test_a_wrong_number_of_labels_zeroes_everything(predicted: list[str] | None) -> None:
    assert verifier_reward(predicted, [S, N]).reward == 0.0


def test_repeated_reasoning_costs_nine_tenths() -> None:
    assert verifier_reward([S], [S], reasoning_openings=2).reward == pytest.approx(0.1)


def test_a_stray_gold_label_is_named() -> None:
    with pytest.raises(RewardError, match="maybe"):
        verifier_reward([S], ["maybe"])


def test_nan_format_is_named() -> None:
    with pytest.raises(RewardError, match="reasoning_format, got nan"):
        verifier_reward([S], [S], reasoning_format=float("nan"))


def test_the_term_counts_reasoning_tags() -> None:
    facts = {"labels": [S], "reasoning_format": 1.0, "output_format": 1.0}
    turn = said("answer", "<reasoning>a</reasoning>", **facts)  # type: ignore[arg-type]  # facts
    twice = said("answer", "<reasoning><reasoning>", **facts)  # type: ignore[arg-type]  # facts
    assert outcome(NuggetVerifier(), [turn], {"gold_labels": [S]}) == pytest.approx(1.0)
    assert outcome(NuggetVerifier(), [twice], {"gold_labels": [S]}) == pytest.approx(0.1)


def test_rollup_of_all_and_vital_nuggets() -> None:
    found = nugget_rollup([S, P, N, S], [True, True, False, False])
    assert (found.strict_all, found.lenient_all) == (0.5, 0.625)
    assert (found.strict_vital, found.lenient_vital) == (0.5, 0.75)


def test_without_vital_nuggets_their_share_is_unknown() -> None:
    assert nugget_rollup([S], [False]).strict_vital is None


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (NuggetCoverage(), 0.5),
        (NuggetCoverage(strict=False), 0.75),
        (NuggetCoverage(vital_only=True), 1.0),
    ],
)
def test_coverage_of_an_answer(term: NuggetCoverage, expected: float) -> None:
    task = {"nuggets": [{"vital": True}, {"vital": False}]}
    assert outcome(term, [answer("Ulm", nugget_labels=[S, P])], task) == expected
