from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rmgym.composition import RewardComposition
from rmgym.errors import RewardError, ScorerError
from rmgym.protocols import RewardTerm, Score
from rmgym.rewards.combinators import (
    Clip,
    Curriculum,
    Gate,
    GateMode,
    Lexicographic,
    LinearSchedule,
    Product,
    WeightedSum,
    gate,
    normalise_columns,
)
from rmgym.rewards.facts import EventScore
from rmgym.rewards.hindsight import Hindsight
from rmgym.trajectory import Context
from tests.rewards.episodes import Fixed, answer, context, outcome, per_turn, search, total

STEPS = [search("a", process_score=0.5), search("b", process_score=1.0), answer("Ulm")]
STEP = EventScore("process_score", kinds=("search",), name="step")
HALF, TWO = Fixed(0.5, "half"), Fixed(2.0, "two")


class Failing:
    name = "failing"
    grant = "outcome"

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, contexts: object) -> list[float]:
        raise self.error


def test_sum_and_product_by_hand() -> None:
    assert outcome(WeightedSum(((HALF, 2.0), (TWO, -1.0))), STEPS) == -1.0
    assert outcome(Product((HALF, TWO)), STEPS) == 1.0


def test_a_part_that_does_not_apply_is_left_out_of_a_sum_and_stops_a_product() -> None:
    absent = Fixed(None, "absent")
    assert outcome(WeightedSum(((HALF, 1.0), (absent, 1.0))), STEPS) == 0.5
    assert outcome(Product((HALF, absent)), STEPS) is None
    assert outcome(WeightedSum(((absent, 1.0),)), STEPS) is None


def test_turn_and_outcome_parts_mix() -> None:
    mixed = WeightedSum(((STEP, 1.0), (TWO, 1.0)))
    assert mixed.grant == "turn"
    assert per_turn(mixed, STEPS) == [0.5, 1.0, 2.0]
    assert per_turn(Product((STEP, TWO)), STEPS) == [None, None, None]


def test_metrics_of_the_parts_are_kept() -> None:
    class Measured(Fixed):
        def __call__(self, contexts: Any) -> Any:
            return [Score(1.0, {f"{self.name}/x": 3.0}) for _ in contexts]

    score = WeightedSum(((Measured(1.0, "m"), 1.0),))([context(STEPS)])[0]
    assert score.metrics == {"m/x": 3.0}


def test_bounds() -> None:
    assert outcome(Clip(TWO), STEPS) == 1.0
    assert outcome(Clip(Fixed(None)), STEPS) is None
    with pytest.raises(RewardError, match="low"):
        Clip(TWO, low=1.0, high=0.0)


@pytest.mark.parametrize(
    ("tiers", "expected"), [((1, 1, 0.5), 2.5), ((1, 0, 0.9), 1.0), ((0, 1, 1.0), 0.0)]
)
def test_nested_tiers(tiers: tuple[float, ...], expected: float) -> None:
    terms = tuple(Fixed(value, f"t{i}") for i, value in enumerate(tiers))
    assert outcome(Lexicographic(terms), STEPS) == expected


def test_a_gate_that_is_not_zero_or_one_is_named() -> None:
    with pytest.raises(RewardError, match="'half'"):
        outcome(Lexicographic((HALF, Fixed(1.0))), STEPS)


@pytest.mark.parametrize(
    ("mode", "right", "wrong"),
    [
        ("none", [0.5, 1.0, None], [0.5, 1.0, None]),
        ("positive_only", [0.5, 1.0, None], [0.0, 0.0, None]),
        ("renorm", [0.5, 1.0, None], [-0.5, 0.0, None]),
        ("scale", [0.8, 1.6, None], [0.4, 0.8, None]),
    ],
)
def test_gates_on_turns_are_hindsight(
    mode: GateMode, right: list[float | None], wrong: list[float | None]
) -> None:
    for result, expected in ((1.0, right), (0.0, wrong)):
        term = Gate(STEP, Fixed(result, "o"), mode, right=1.6, wrong=0.8)
        assert isinstance(term, Hindsight)
        assert term.per_turn([context(STEPS)])[0] == [
            None if value is None else pytest.approx(value) for value in expected
        ]
        assert total(term, STEPS) == pytest.approx(sum(v for v in expected if v is not None))


def test_a_gate_on_an_outcome_stands_on_the_last_turn() -> None:
    term = Gate(TWO, Fixed(1.0, "o"), "scale", right=3.0)
    assert term.per_turn([context(STEPS)])[0] == [None, None, 6.0]


def test_a_gate_on_a_hindsight_term_keeps_its_turns() -> None:
    inner = Gate(STEP, Fixed(1.0, "o"), "none", name="inner")
    term = Gate(inner, Fixed(0.0, "o"), "scale", wrong=0.5)
    assert term.per_turn([context(STEPS)])[0] == [0.25, 0.5, None]


def test_a_negative_score_passes_a_positive_only_gate() -> None:
    assert gate(-0.5, 0.0, "positive_only") == -0.5


def test_an_unknown_mode_is_an_error() -> None:
    with pytest.raises(RewardError, match="scale"):
        gate(1.0, 1.0, "sometimes")  # type: ignore[arg-type]  # what is tested


def test_a_curriculum_follows_the_training_step() -> None:
    term = Curriculum(((HALF, LinearSchedule(1.0, 0.5, 10)), (TWO, lambda step: step / 10)))
    assert [outcome(term.at(step), STEPS) for step in (0, 5, 10, 99)] == pytest.approx(
        [0.5, 1.375, 2.25, 0.25 + 19.8]
    )
    assert term.at(10).weights() == {"half": 0.5, "two": 1.0}


BUILD: list[Callable[[RewardTerm], RewardTerm]] = [
    lambda part: WeightedSum(((part, 1.0),)),
    lambda part: Product((part,)),
    lambda part: Clip(part),
    lambda part: Lexicographic((part, Fixed(1.0))),
    lambda part: Gate(part, Fixed(1.0, "o")),
    lambda part: Gate(Fixed(1.0), part),
    lambda part: Curriculum(((part, lambda step: 1.0),)),
]


@pytest.mark.parametrize("build", BUILD)
def test_a_failing_part_is_an_error_with_its_name(
    build: Callable[[RewardTerm], RewardTerm],
) -> None:
    with pytest.raises(RewardError, match="'failing' failed: ZeroDivisionError"):
        outcome(build(Failing(ZeroDivisionError("x"))), STEPS)  # type: ignore[arg-type]  # fake
    with pytest.raises(RewardError, match="'rotten'"):
        outcome(build(Fixed(math.nan, "rotten")), STEPS)


def test_a_broken_backend_stays_a_backend_error_with_a_note() -> None:
    with pytest.raises(ScorerError) as caught:
        outcome(Clip(Failing(ScorerError("down"))), STEPS)  # type: ignore[arg-type]  # fake
    assert caught.value.__notes__ == ["raised by the reward term 'failing'"]


def test_a_part_with_too_few_scores_is_named() -> None:
    class Short(Fixed):
        def __call__(self, contexts: object) -> list[float | None]:
            return []

    with pytest.raises(RewardError, match="'short': expected 1 scores, got 0"):
        outcome(Clip(Short(1.0, "short")), STEPS)


@pytest.mark.parametrize("parts", [(), ((HALF, 1.0), (HALF, 2.0))])
def test_parts_need_distinct_names(parts: Any) -> None:
    with pytest.raises(RewardError, match="distinct"):
        WeightedSum(parts)


def test_combinators_compose_with_the_environments_composition() -> None:
    composed = RewardComposition([(WeightedSum(((STEP, 1.0), (TWO, 0.5))), 2.0)])
    granted = composed.score([context(STEPS[:1], ended=False), context(STEPS)])
    assert [g.reward for g in granted] == [1.0, 2.0]


def test_columns_are_normalised_one_by_one() -> None:
    found = normalise_columns({"a": [1.0, 0.0], "b": [100.0, 300.0]})
    assert found["a"] == pytest.approx([0.7071058, -0.7071058], rel=1e-5)
    assert found["b"] == pytest.approx([-0.7071068, 0.7071068], rel=1e-5)
    assert np.array_equal(normalise_columns({"a": [3.0]})["a"], [0.0])


def test_a_bad_column_is_named() -> None:
    with pytest.raises(RewardError, match="'b'"):
        normalise_columns({"a": [1.0, 0.0], "b": [math.inf, 0.0]})
    with pytest.raises(RewardError, match="length"):
        normalise_columns({"a": [1.0], "b": [1.0, 2.0]})


def test_terms_are_pure_functions_of_the_contexts() -> None:
    batch: list[Context] = [context(STEPS), context(STEPS[:2])]
    term = Gate(STEP, HALF, "renorm")
    assert term(batch) == term(batch) == [*term(batch[:1]), *term(batch[1:])]
