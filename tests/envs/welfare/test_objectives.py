from __future__ import annotations

from math import log
from typing import Any

import numpy as np
import pytest

import rmgym.rewards
from rmgym.conversation import Facts
from rmgym.errors import RewardError
from rmgym.rewards.welfare import (
    ValueWeights,
    alpha_fair,
    atkinson_index,
    atkinson_welfare,
    gini,
    gini_welfare,
    leximin_key,
    measure_of,
    nash,
    nash_key,
    on_grid,
)
from rmgym.trajectory import Completion, Context, Turn

U = np.array([1.0, 4.0, 4.0])


def test_gini_is_0_for_equal_shares_and_n_minus_1_over_n_for_one_holder() -> None:
    for n in (2, 5, 12):
        assert gini(np.full(n, 3.0)) == 0.0
        assert gini(np.eye(n)[0]) == pytest.approx((n - 1) / n)
    assert gini([1, 3]) == pytest.approx(0.25)
    assert gini(np.zeros(4)) == 0.0


def test_objectives_on_numbers_worked_by_hand() -> None:
    assert nash(U) == pytest.approx(16 ** (1 / 3))
    assert alpha_fair(U, 0.0) == pytest.approx(9.0)
    assert alpha_fair(U, 0.5) == pytest.approx(2 * (1 + 2 + 2))
    assert alpha_fair(U, 1.0, floor=1.0) == pytest.approx(log(2) + 2 * log(5))
    assert alpha_fair(U, 2.0, floor=1.0) == pytest.approx((1 - 1 / 2) + 2 * (1 - 1 / 5))
    assert atkinson_welfare(U, 0.5) == pytest.approx((5 / 3) ** 2)
    assert atkinson_welfare(U, 2.0) == pytest.approx(3 / (1 + 1 / 4 + 1 / 4))
    assert atkinson_index(U, 0.5) == pytest.approx(1 - (25 / 9) / 3)
    # Gini of (1, 4, 4): pairs differ by 3 + 3 + 0, over 3 times 9.
    assert gini_welfare(U) == pytest.approx(3 * (1 - 6 / 27))


def test_who_has_nothing_is_worth_nothing_to_nash_and_to_strong_aversion() -> None:
    poor = np.array([0.0, 9.0])
    assert nash(poor) == 0.0
    assert atkinson_welfare(poor, 1.0) == atkinson_welfare(poor, 3.0) == 0.0
    assert atkinson_welfare(poor, 0.5) == pytest.approx(2.25)


def test_every_objective_is_0_when_nobody_has_anything() -> None:
    for name in ("utilitarian", "egalitarian", "nash", "alpha_fair", "atkinson", "gini_welfare"):
        assert float(measure_of(name)(np.zeros(3))) == 0.0
    assert alpha_fair(np.zeros(3), 2.0, floor=0.5) == 0.0


def test_keys_order_what_the_plain_numbers_tie() -> None:
    assert leximin_key([2.0, 1.0, 5.0]) > leximin_key([9.0, 1.0, 1.0])
    assert nash_key([0.0, 1.0, 1.0]) > nash_key([0.0, 0.0, 50.0])


@pytest.mark.parametrize(("alpha", "floor"), [(1.0, 0.0), (2.0, 0.0), (-1.0, 0.0), (0.5, -1.0)])
def test_parameters_without_a_meaning_are_refused(alpha: float, floor: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        measure_of("alpha_fair", alpha=alpha, floor=floor)


def test_differences_on_the_grid_are_exact() -> None:
    values = [on_grid(float(v)) for v in np.random.default_rng(0).random(500) * 300]
    assert sum(b - a for a, b in zip([0.0, *values], values, strict=False)) == values[-1]


def turn(**event: Any) -> Turn:
    info = {"event": Facts(event)}
    return Turn(observation=(), completion=Completion(text=""), info=info)


def context(*turns: Turn) -> Context:
    return Context(turns, ())


def test_a_gain_is_what_the_turn_adds() -> None:
    first = turn(kind="assign", utilities=(1, 0), swf=3.0, gini=0.5)
    second = turn(kind="assign", utilities=(1, 4), swf=2.5, gini=0.25)
    scores = {
        name: rmgym.rewards.make(name)([context(first), context(first, second)])
        for name in ("utilitarian_gain", "egalitarian_gain", "swf_gain", "gini_drop")
    }
    assert scores["utilitarian_gain"] == [1.0, 4.0]
    assert scores["egalitarian_gain"] == [0.0, 1.0]
    assert scores["swf_gain"] == [3.0, -0.5]
    assert scores["gini_drop"] == [-0.5, 0.25]


def test_the_return_of_a_task_is_absent_where_nothing_was_assigned() -> None:
    term = rmgym.rewards.make("task_roi")
    paid = turn(kind="assign", solved=True, cost=0.5)
    failed = turn(kind="assign", solved=False, cost=0.5)
    assert term([context(paid), context(failed), context(turn(kind="invalid"))]) == [
        200.0,
        0.0,
        None,
    ]


def test_repeating_what_fails_earns_nothing_from_any_gain() -> None:
    stuck = turn(kind="assign", utilities=(2, 1), swf=3.0, gini=0.5)
    for name in ("utilitarian_gain", "nash_gain", "atkinson_gain", "swf_gain"):
        assert rmgym.rewards.make(name)([context(stuck, stuck)]) == [0.0]


@pytest.mark.parametrize("utilities", [(), (-1.0, 2.0), (float("nan"), 1.0)])
def test_utilities_that_are_none_are_an_error(utilities: Any) -> None:
    with pytest.raises(RewardError, match="utilities"):
        rmgym.rewards.make("nash")([context(turn(kind="assign", utilities=utilities))])


def test_a_missing_fact_is_named() -> None:
    with pytest.raises(RewardError, match="swf"):
        rmgym.rewards.make("swf")([context(turn(kind="assign"))])


def test_values_pay_for_the_chosen_and_cost_for_the_rejected() -> None:
    term = ValueWeights({"honesty": 1.0, "loyalty": 0.5})
    told = turn(kind="choose", values=("honesty", "honesty"), values_rejected=("loyalty", "tact"))
    assert term([context(told), context(turn(kind="invalid"))]) == [0.5, None]
