"""The bias test: estimators against the exact gradient of a policy that decides when to stop."""

from __future__ import annotations

import numpy as np
import pytest

from rmgym.advantages import get
from rmgym.advantages.bias import (
    NOISY_TURNS,
    OUTCOME_ONLY,
    PAID_TURNS,
    SEARCH,
    SUMMED_REWARD,
    Measurement,
    Scheme,
    StoppingTask,
    measure,
    table,
)

GROUPS = 8_000


@pytest.fixture(scope="module")
def paid() -> dict[str, Measurement]:
    return by_label(PAID_TURNS, measure(PAID_TURNS, SUMMED_REWARD, groups=GROUPS))


@pytest.fixture(scope="module")
def search() -> dict[str, Measurement]:
    return by_label(SEARCH, measure(SEARCH, [*SUMMED_REWARD, *OUTCOME_ONLY], groups=GROUPS))


def by_label(task: StoppingTask, found: list[Measurement]) -> dict[str, Measurement]:
    return {each.scheme.label: each for each in found}


def expected_return(task: StoppingTask, logits: list[float]) -> float:
    """Return the expected return by walking the tree of decisions."""
    total, alive = 0.0, 1.0
    for turn in range(task.horizon):
        go_on = 1 / (1 + np.exp(-logits[turn])) if turn < task.horizon - 1 else 0.0
        total += alive * (task.turn_reward + (1 - go_on) * task.outcomes[turn])
        alive *= go_on
    return total


@pytest.mark.parametrize("task", [PAID_TURNS, SEARCH, StoppingTask(name="", go_on=0.3)])
def test_the_exact_gradient_is_that_of_finite_differences(task: StoppingTask) -> None:
    logits, step = [float(np.log(task.go_on / (1 - task.go_on)))] * (task.horizon - 1), 1e-6
    for decision, exact in enumerate(task.exact_gradient()):
        up, down = list(logits), list(logits)
        up[decision] += step
        down[decision] -= step
        slope = (expected_return(task, up) - expected_return(task, down)) / (2 * step)
        assert slope == pytest.approx(exact, abs=1e-8)


def test_the_exact_value_of_the_start_is_the_expected_return() -> None:
    logits = [float(np.log(1.5))] * 3
    assert SEARCH.exact_values()[0] == pytest.approx(expected_return(SEARCH, logits))


def test_the_figures_of_the_probe_come_out(paid: dict[str, Measurement]) -> None:
    assert PAID_TURNS.exact_gradient().sum() == pytest.approx(0.2362, abs=5e-5)
    expected = {
        "turn_centred": -0.3816,
        "igpo(norm='joint', scale='none')": -0.3241,
        "centred_returns": 0.2361,
        "centred_returns_padded": 0.2348,
        "rloo": 0.2354,
    }
    for label, figure in expected.items():
        assert abs(paid[label].total - figure) < 4 * paid[label].total_error + 2e-3


UNBIASED = ["centred_returns", "centred_returns_padded", "rloo", "turn_gae(lam=0.95)"]


@pytest.mark.parametrize("label", UNBIASED)
def test_centred_returns_are_unbiased(
    label: str, paid: dict[str, Measurement], search: dict[str, Measurement]
) -> None:
    assert paid[label].agrees()
    assert search[label].agrees()


@pytest.mark.parametrize("label", ["dr_grpo", "token_return_minus_position_mean"])
def test_a_mean_with_the_own_return_in_scales_by_seven_eighths(
    label: str, paid: dict[str, Measurement], search: dict[str, Measurement]
) -> None:
    for found in (paid[label], search[label]):
        assert not found.agrees()
        assert found.agrees(7 / 8)


@pytest.mark.parametrize(
    "label", ["turn_centred", "igpo(norm='joint', scale='none')", "igpo(norm='joint')"]
)
def test_centring_rewards_before_the_sum_gives_the_wrong_sign(
    label: str, paid: dict[str, Measurement]
) -> None:
    assert paid[label].verdict == "wrong sign"
    assert paid[label].total < -0.3


def test_centring_gains_by_turn_or_apart_loses_what_a_turn_pays() -> None:
    schemes = [Scheme(name="a2tgpo"), Scheme(name="igpo", params={"norm": "separate"})]
    for found in measure(NOISY_TURNS, schemes, groups=GROUPS):
        assert found.verdict == "no signal"
        assert abs(found.bias) > 0.2


def test_an_empty_bias_note_means_the_right_direction(
    paid: dict[str, Measurement], search: dict[str, Measurement]
) -> None:
    for found in [*paid.values(), *search.values()]:
        if get(found.scheme.name).bias_note == "":
            assert found.scale > 0, found.scheme.label
            assert found.agrees(found.scale), found.scheme.label


def test_an_estimator_off_the_right_direction_says_so(
    paid: dict[str, Measurement], search: dict[str, Measurement]
) -> None:
    for found in [*paid.values(), *search.values()]:
        if found.scale <= 0 or not found.agrees(found.scale):
            assert get(found.scheme.name).bias_note, found.scheme.label


def test_the_default_varies_less_than_the_other_unbiased_group_estimators(
    paid: dict[str, Measurement],
) -> None:
    default = paid["centred_returns"].total_std
    assert default < paid["rloo"].total_std < paid["centred_returns_padded"].total_std


def test_the_table_has_a_line_for_every_scheme(paid: dict[str, Measurement]) -> None:
    text = table(PAID_TURNS, list(paid.values()))
    assert len(text.splitlines()) == 4 + len(SUMMED_REWARD)
    assert "| turn_centred | -0.38" in text
