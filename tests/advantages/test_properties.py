"""What every estimator holds to: order of the group, bonuses, finite output, its data sheet."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmgym.advantages import GroupTurns, get, names
from rmgym.advantages.returns import RunningMoments

T = TypeVar("T")
NUMBERS = st.floats(-10, 10, allow_nan=False).map(lambda x: round(x, 3))


class Attempt(NamedTuple):
    """One trajectory with everything that any estimator needs."""

    gains: list[float]
    outcome: float
    group: int
    values: list[float]
    states: list[str]
    steps: list[str]
    rubric: float


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    length = draw(st.integers(1, 5))

    def row(element: st.SearchStrategy[T], size: int = length) -> list[T]:
        return draw(st.lists(element, min_size=size, max_size=size))

    return Attempt(
        gains=row(NUMBERS, length - 1),
        outcome=float(draw(st.integers(0, 1))),
        group=draw(st.integers(0, 2)),
        values=row(NUMBERS),
        states=row(st.sampled_from("abc")),
        steps=row(st.sampled_from("xy")),
        rubric=draw(st.floats(0, 1)),
    )


BATCHES = st.lists(attempts(), min_size=1, max_size=8)


def batch_of(chosen: Sequence[Attempt]) -> GroupTurns:
    return GroupTurns.from_lists(
        [[*each.gains, None] for each in chosen],
        groups=[each.group for each in chosen],
        outcomes=[each.outcome for each in chosen],
        values=[each.values for each in chosen],
        states=[each.states for each in chosen],
        nodes=[list(accumulate(each.steps)) for each in chosen],
        columns={"rubric": [[*(0.0 for _ in each.gains), each.rubric] for each in chosen]},
    )


@pytest.mark.parametrize("name", names())
@settings(max_examples=25, deadline=None)
@given(chosen=BATCHES, seed=st.integers(0, 99))
def test_the_order_of_the_batch_does_not_matter(
    name: str, chosen: list[Attempt], seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(chosen)).tolist()
    straight = get(name)(batch_of(chosen)).per_trajectory()
    shuffled = get(name)(batch_of([chosen[i] for i in order])).per_trajectory()
    for place, original in enumerate(order):
        # An eps of 1e-6 in a divisor makes rounding noise of 1e-15 in equal rewards one of 1e-9.
        assert shuffled[place] == pytest.approx(straight[original], abs=1e-7)


@pytest.mark.parametrize("name", names())
@settings(max_examples=25, deadline=None)
@given(chosen=BATCHES)
def test_finite_rewards_give_finite_advantages(name: str, chosen: list[Attempt]) -> None:
    found = get(name)(batch_of(chosen))
    assert np.isfinite(found.values).all()
    assert all(np.isfinite(extra).all() for extra in found.extras.values())


@pytest.mark.parametrize("name", ["prorl", "centred_returns_padded", "dr_grpo", "turn_centred"])
def test_a_constant_bonus_has_no_effect_on_episodes_of_one_length(name: str) -> None:
    rewards = np.random.default_rng(0).normal(size=(6, 4))
    plain = get(name)(GroupTurns.from_lists(rewards.tolist())).values
    bonus = get(name)(GroupTurns.from_lists((rewards + 0.7).tolist())).values
    assert bonus == pytest.approx(plain, abs=1e-12)


def ragged(bonus: float) -> list[list[float]]:
    rng = np.random.default_rng(1)
    return [(rng.normal(size=n) + bonus).tolist() for n in (3, 1, 5, 2)]


def test_a_constant_bonus_has_no_effect_on_prorl_with_stepwise_centring() -> None:
    found = []
    for bonus in (0.0, 0.7):
        batch = GroupTurns.from_lists(ragged(bonus))
        moments = RunningMoments().updated(batch.turn_rewards)
        found.append(get("prorl")(batch, moments=moments).values)
    assert found[1] == pytest.approx(found[0], abs=1e-12)


def test_a_constant_bonus_has_no_effect_on_a_baseline_of_each_turns_reward() -> None:
    plain, bonus = (get("turn_centred")(GroupTurns.from_lists(ragged(b))).values for b in (0, 0.7))
    assert bonus == pytest.approx(plain, abs=1e-12)


def test_a_constant_bonus_credits_prorl_by_turns_left_where_lengths_differ() -> None:
    plain = get("prorl")(GroupTurns.from_lists(ragged(0.0))).values
    bonus = get("prorl")(GroupTurns.from_lists(ragged(0.7))).values
    ones = get("prorl")(GroupTurns.from_lists([[1.0] * len(row) for row in ragged(0.0)])).values
    assert bonus == pytest.approx(plain + 0.7 * ones, abs=1e-12)
    assert np.abs(ones).max() > 1


@pytest.mark.parametrize("name", ["centred_returns_padded", "rloo", "grpo", "prorl"])
def test_a_bonus_to_every_outcome_has_no_effect(name: str) -> None:
    rows, outcomes = [[0.1, 0.5], [0.2, 0.9]], [0.3, 0.8]
    plain = get(name)(GroupTurns.from_lists(rows, outcomes=outcomes)).values
    bonus = get(name)(GroupTurns.from_lists(rows, outcomes=[o + 5 for o in outcomes])).values
    assert bonus == pytest.approx(plain, abs=1e-9)


@pytest.mark.parametrize("name", ["rloo", "dr_grpo", "grpo", "turn_centred"])
def test_one_group_is_not_touched_by_another(name: str) -> None:
    alone = get(name)(GroupTurns.from_lists([[1.0], [2.0, 0.5]])).values
    both = get(name)(
        GroupTurns.from_lists([[9.0], [1.0], [-4.0], [2.0, 0.5]], groups=["b", "a", "b", "a"])
    ).per_trajectory()
    assert np.concatenate([both[1], both[3]]) == pytest.approx(alone)


@pytest.mark.parametrize("name", names())
def test_every_estimator_tells_its_source_and_equation(name: str) -> None:
    estimator = get(name)
    assert estimator.source
    assert estimator.equation
    assert estimator.name in names()


@pytest.mark.parametrize("name", names())
def test_what_an_estimator_needs_is_asked_for(name: str) -> None:
    bare = GroupTurns.from_lists([[0.1, 0.2], [0.3]])
    needs = get(name).needs
    if not needs:
        assert get(name)(bare).values.shape == (3,)
        return
    with pytest.raises(ValueError, match=f"expected {needs[0]}, got a batch without"):
        get(name)(bare)


@pytest.mark.parametrize("name", ["igpo", "a2tgpo", "turn_centred"])
def test_estimators_biased_by_stopping_say_so(name: str) -> None:
    estimator = get(name)
    assert "decides when to stop" in estimator.bias_note
    docstring = " ".join((estimator.function.__doc__ or "").split())
    assert "Biased when the policy decides when to stop" in docstring


def test_the_default_is_centred_returns() -> None:
    assert get().name == "centred_returns"
    assert get().bias_note == ""


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="did you mean gigpo"):
        get("gigppo")


def test_reconstructed_estimators_carry_names_of_ours() -> None:
    ours = {get(name).name for name in names() if get(name).confidence == "reconstructed"}
    assert ours == {"anchor_rank", "fork_relative"}
