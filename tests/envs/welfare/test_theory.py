from __future__ import annotations

from itertools import product
from math import inf

import numpy as np
import pytest

from rmgym.envs.welfare.envy import ef1_holds, envy_of_budget, is_envy_free, most_envy
from rmgym.envs.welfare.theory import (
    divide_budget,
    divide_items,
    divide_rounds,
    water_fill,
)
from rmgym.rewards.welfare import alpha_fair, egalitarian, nash, utilitarian

NEEDS = np.array([1.0, 2.0, 4.0])


def utilities(needs: np.ndarray, amounts: np.ndarray, curvature: float) -> np.ndarray:
    return np.asarray(needs * amounts**curvature)


@pytest.mark.parametrize("curvature", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_the_closed_form_beats_random_divisions(curvature: float, alpha: float) -> None:
    best = divide_budget(NEEDS.tolist(), 10.0, curvature, alpha)
    assert best.sum() == pytest.approx(10.0)
    drawn = 10.0 * np.random.default_rng(0).dirichlet(np.ones(3), size=4000)
    floor = 1e-9 if alpha >= 1 else 0.0
    mine = alpha_fair(utilities(NEEDS, best, curvature), alpha, floor)
    assert mine >= alpha_fair(utilities(NEEDS, drawn, curvature), alpha, floor).max() - 1e-9


def test_nash_of_concave_utilities_is_equal_shares() -> None:
    assert divide_budget(NEEDS.tolist(), 9.0, 0.5, 1.0).tolist() == [3.0, 3.0, 3.0]


def test_alpha_infinity_makes_utilities_equal() -> None:
    amounts = divide_budget(NEEDS.tolist(), 10.0, 0.5, inf)
    gained = utilities(NEEDS, amounts, 0.5)
    assert gained.max() - gained.min() < 1e-12


def test_linear_utilities_without_aversion_give_all_to_the_neediest() -> None:
    assert divide_budget([1.0, 3.0, 3.0], 8.0, 1.0, 0.0).tolist() == [0.0, 4.0, 4.0]


def test_symmetric_recipients_get_the_same_under_every_objective() -> None:
    for alpha in (0.0, 0.5, 1.0, 3.0, inf):
        assert np.allclose(divide_budget([2.0] * 4, 8.0, 0.5, alpha), 2.0)


def test_each_oracle_is_best_on_its_own_objective() -> None:
    gained = {
        name: utilities(NEEDS, divide_budget(NEEDS.tolist(), 10.0, 0.5, alpha), 0.5)
        for name, alpha in (("utilitarian", 0.0), ("nash", 1.0), ("egalitarian", inf))
    }
    for name, measure in (
        ("utilitarian", utilitarian),
        ("nash", nash),
        ("egalitarian", egalitarian),
    ):
        worth = {other: float(measure(u)) for other, u in gained.items()}
        assert max(worth, key=lambda key: worth[key]) == name


def test_water_fills_the_lowest_first() -> None:
    assert water_fill([1.0, 2.0, 9.0], 5.0).tolist() == [3.0, 2.0, 0.0]
    assert water_fill([4.0, 4.0], 0.0).tolist() == [0.0, 0.0]
    assert water_fill([1.0, 5.0], 2.0).tolist() == [2.0, 0.0]


@pytest.mark.parametrize("alpha", [0.5, 1.0, inf])
def test_several_rounds_beat_random_and_round_by_round_divisions(alpha: float) -> None:
    pytest.importorskip("scipy", reason="several budgets need SciPy")
    needs = np.array([[1.0, 2.0, 0.5], [3.0, 0.4, 1.0]])
    best = divide_rounds(needs, 10.0, 0.5, alpha)
    assert np.allclose(best.sum(axis=1), 10.0)

    def worth(amounts: np.ndarray) -> np.ndarray:
        gained = (needs * amounts**0.5).sum(axis=-2)
        return egalitarian(gained) if alpha == inf else alpha_fair(gained, alpha, 1e-12)

    drawn = 10.0 * np.random.default_rng(0).dirichlet(np.ones(3), size=(4000, 2))
    assert worth(best) >= worth(drawn).max() - 1e-6
    apart = np.array([divide_budget(w.tolist(), 10.0, 0.5, alpha) for w in needs])
    assert worth(best) >= worth(apart) - 1e-6


@pytest.mark.parametrize("objective", ["egalitarian", "nash"])
def test_the_programs_for_items_agree_with_trying_all(
    objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("scipy", reason="many items need SciPy")
    from rmgym.envs.welfare import theory

    measure = {"egalitarian": egalitarian, "nash": nash}[objective]
    for seed in range(8):
        values = np.random.default_rng(seed).integers(1, 30, size=(6, 3)).astype(float)
        tried = divide_items(values, objective)
        monkeypatch.setattr(theory, "_BRUTE_FORCE", 1)
        solved = divide_items(values, objective)
        monkeypatch.undo()
        assert measure(np.array(solved.utilities)) == pytest.approx(
            float(measure(np.array(tried.utilities)))
        )


def test_trying_all_breaks_ties_of_the_minimum_by_the_next_smallest() -> None:
    values = np.array([[1.0, 1.0, 0.0], [0.0, 5.0, 9.0], [0.0, 1.0, 2.0]])
    found = divide_items(values, "egalitarian")
    every = []
    for owners in product(range(3), repeat=3):
        gained = [sum(values[j, i] for j in range(3) if owners[j] == i) for i in range(3)]
        every.append(sorted(gained))
    assert sorted(found.utilities) == max(every)


def test_an_objective_without_a_program_is_refused_for_many_items() -> None:
    with pytest.raises(ValueError, match="6\\*\\*12 divisions"):
        divide_items(np.ones((12, 6)), "gini_welfare")


def test_a_utilitarian_gives_each_item_to_who_values_it_most() -> None:
    assert divide_items(np.array([[1.0, 2.0], [5.0, 3.0]]), "utilitarian").owners == (1, 0)


def test_envy_and_ef1_on_cases_worked_by_hand() -> None:
    values = [[4.0, 4.0], [3.0, 3.0], [2.0, 2.0]]
    assert most_envy(values, [0, 1, 1]) == 1.0
    assert not is_envy_free(values, [0, 1, 1])
    assert ef1_holds(values, [0, 1, 1])
    assert most_envy(values, [0, 0, 1]) == 5.0
    assert not ef1_holds(values, [0, 0, 1])
    assert is_envy_free([[1.0, 0.0], [0.0, 1.0]], [0, 1])


def test_equal_shares_of_money_leave_no_envy() -> None:
    assert envy_of_budget([[1.0, 5.0]], [[3.0, 3.0]], 0.5) == 0.0
    assert envy_of_budget([[2.0, 5.0]], [[4.0, 9.0]], 0.5) == pytest.approx(2.0)
