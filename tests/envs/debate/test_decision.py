from __future__ import annotations

import numpy as np
import pytest

from rmgym.envs.debate.decision import (
    Stance,
    conceded_to,
    decide,
    first_proposer,
    majority,
    voted_out,
    zero_sum,
)
from rmgym.envs.debate.form import Form, form_kindness, read_form
from rmgym.envs.debate.tasks import is_right, number_in

SEATS = ["a", "b", "c", "d"]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def own(answer: str, since: int = 1) -> Stance:
    return Stance(answer, since, own=True)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("18", True),
        ("$18.00", True),
        ("It is 18.", True),
        ("1,8", True),
        ("17", False),
        ("17 or 18", False),
        ("18 of 20", False),
        ("eighteen", False),
        ("", False),
        ("   ", False),
        ("\ud800", False),
        ("-18", False),
        ("9" * 6000, False),
    ],
)
def test_number_is_right_by_value_and_what_cannot_be_read_is_wrong(
    answer: str, right: bool
) -> None:
    assert is_right(answer, ["18"]) is right


def test_no_answer_is_wrong() -> None:
    assert not is_right(None, ["18"])


def test_words_are_compared_after_normalisation() -> None:
    assert is_right("The Salt Road!", ["salt road"])
    assert not is_right("salt", ["salt road"])


def test_negative_zero_is_zero() -> None:
    assert number_in("-0.0") == number_in("0")


def test_majority_counts_all_spellings_of_an_answer_together() -> None:
    stances = {"a": own("7"), "b": own("5.0"), "c": own("it is 5"), "d": own("7.5")}
    assert majority(stances, SEATS, rng()) == "5"


def test_ties_are_drawn_evenly() -> None:
    stances = {"a": own("1"), "b": own("2")}
    drawn = [majority(stances, SEATS, rng(seed)) for seed in range(400)]
    assert 160 < drawn.count("1") < 240


def test_nobody_with_an_answer_means_no_decision_and_no_winner() -> None:
    outcome = decide("majority", {}, SEATS, {}, rng())
    assert (outcome.answer, outcome.winner) == (None, None)
    assert set(zero_sum(outcome.winner, SEATS).values()) == {0.0}


def test_winner_is_who_proposed_first_and_did_not_give_in() -> None:
    stances = {
        "a": Stance("5", 1, own=False),
        "b": own("5", 3),
        "c": own("5", 2),
        "d": own("9", 1),
    }
    assert first_proposer("5", stances, SEATS, rng()) == "c"


def test_seat_that_is_out_neither_decides_nor_wins() -> None:
    stances = {"a": own("1"), "b": own("1"), "c": own("2", 2), "d": own("2", 3)}
    outcome = decide("majority", stances, ["c", "d"], {}, rng())
    assert (outcome.answer, outcome.winner) == ("2", "c")


def test_judge_takes_the_seat_with_the_highest_merit() -> None:
    stances = {"a": own("1"), "b": own("2")}
    outcome = decide("judge", stances, SEATS, {"a": 3.0, "b": 4.0}, rng())
    assert (outcome.answer, outcome.winner) == ("2", "b")


def test_wins_sum_to_zero_for_any_number_of_seats() -> None:
    for n in range(2, 11):
        seats = [str(i) for i in range(n)]
        assert abs(sum(zero_sum("0", seats).values())) < 1e-12


def test_votes_put_out_who_has_most_and_nobody_without_votes() -> None:
    assert voted_out({"a": "c", "b": "c", "c": "a"}, SEATS, rng()) == "c"
    assert voted_out({}, SEATS, rng()) is None


def test_all_others_must_agree_in_the_same_round() -> None:
    gave = Stance("5", 2, own=False)
    assert conceded_to({"a": own("5"), "b": gave, "c": gave, "d": gave}, SEATS, 2) == "a"
    assert conceded_to({"a": own("5"), "b": gave, "c": gave, "d": own("5")}, SEATS, 2) is None
    assert conceded_to({"a": own("6"), "b": gave, "c": gave, "d": gave}, SEATS, 2) is None
    assert conceded_to({"a": own("5"), "b": gave, "c": gave, "d": gave}, SEATS, 3) is None


def test_form_counts_kind_choices_of_winners_and_losers() -> None:
    form = Form("accept", "performance", "self", "praise")
    assert form_kindness(form, won=False) == 1.0
    assert form_kindness(form, won=True) == 0.75


@pytest.mark.parametrize("choices", ["", "accept", "accept, performance, self", "a, b, c, d"])
def test_form_that_is_not_four_choices_is_none(choices: str) -> None:
    assert read_form(choices) is None
