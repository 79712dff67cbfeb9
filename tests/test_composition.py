from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from rmgym.composition import RewardComposition, WeightedTerm
from rmgym.errors import JudgeError, RewardError
from rmgym.protocols import Grant, Score
from rmgym.trajectory import Completion, Context, Turn


class Term:
    def __init__(self, name: str, score: Callable[[str], Any], grant: Grant = "turn") -> None:
        self.name = name
        self.grant = grant
        self.score = score
        self.batches: list[int] = []

    def __call__(self, contexts: Sequence[Context]) -> list[Any]:
        self.batches.append(len(contexts))
        return [self.score(context.last.completion.text) for context in contexts]


def context(text: str, *, ended: bool = False) -> Context:
    turn = Turn(observation=(), completion=Completion(text=text), terminated=ended)
    return Context((turn,), ())


def test_terms_are_weighted_and_summed() -> None:
    length, one = Term("length", len), Term("one", lambda text: 1)
    composition = RewardComposition([(length, 0.5), WeightedTerm(one, -2.0)])
    (granted,) = composition.score([context("abc")])
    assert granted.terms == {"length": 1.5, "one": -2.0}
    assert granted.reward == -0.5


def test_each_term_is_called_once_for_the_batch() -> None:
    turn, outcome = Term("turn", len), Term("outcome", len, "outcome")
    granted = RewardComposition([turn, outcome]).score(
        [context("a"), context("bb", ended=True), context("ccc")]
    )
    assert turn.batches == [3]
    assert outcome.batches == [1]
    assert [g.terms for g in granted] == [
        {"turn": 1.0},
        {"turn": 2.0, "outcome": 2.0},
        {"turn": 3.0},
    ]


def test_outcome_only_leaves_turn_terms_out() -> None:
    turn, outcome = Term("turn", len), Term("outcome", len, "outcome")
    (granted,) = RewardComposition([turn, outcome]).score(
        [context("ab", ended=True)], outcome_only=True
    )
    assert granted.terms == {"outcome": 2.0}


def test_no_term_is_called_for_no_contexts() -> None:
    term = Term("turn", len)
    assert RewardComposition([term]).score([]) == []
    assert term.batches == []


def test_term_that_does_not_apply_is_absent() -> None:
    composition = RewardComposition(
        [Term("none", lambda text: None), Term("score", lambda text: Score(None, {"seen": 2.0}))]
    )
    (granted,) = composition.score([context("a")])
    assert granted.terms == {}
    assert granted.metrics == {"seen": 2.0}


def test_reward_is_a_float_without_any_term() -> None:
    (granted,) = RewardComposition([]).score([context("a")])
    assert isinstance(granted.reward, float)


def test_numpy_scores_become_floats() -> None:
    (granted,) = RewardComposition([Term("x", lambda text: np.float32(0.5))]).score([context("")])
    assert type(granted.terms["x"]) is float


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 10**400, "text", [1.0]])
def test_score_that_is_no_finite_number_is_an_error(bad: object) -> None:
    with pytest.raises(RewardError, match=r"'x'.*finite number"):
        RewardComposition([Term("x", lambda text: bad)]).score([context("")])


def test_failing_term_is_named() -> None:
    def fail(text: str) -> float:
        raise KeyError("gone")

    with pytest.raises(RewardError, match="'x' failed: KeyError"):
        RewardComposition([Term("x", fail)]).score([context("")])


def test_broken_backend_keeps_its_error_and_names_the_term() -> None:
    def fail(text: str) -> float:
        raise JudgeError("down")

    with pytest.raises(JudgeError, match="down") as caught:
        RewardComposition([Term("x", fail)]).score([context("")])
    assert caught.value.__notes__ == ["raised by the reward term 'x'"]


@pytest.mark.parametrize("answer", [[], [1.0, 2.0]])
def test_wrong_number_of_scores_is_an_error(answer: list[float]) -> None:
    class Wrong(Term):
        def __call__(self, contexts: Sequence[Context]) -> list[Any]:
            return answer

    with pytest.raises(RewardError, match="expected 1 scores"):
        RewardComposition([Wrong("x", len)]).score([context("")])


def test_single_number_in_place_of_a_batch_is_an_error() -> None:
    class Wrong(Term):
        def __call__(self, contexts: Sequence[Context]) -> Any:
            return 1.0

    with pytest.raises(RewardError, match="sequence of scores"):
        RewardComposition([Wrong("x", len)]).score([context("")])


def test_doubled_name_is_an_error() -> None:
    with pytest.raises(RewardError, match="distinct names"):
        RewardComposition([Term("x", len), Term("x", len)])


def test_weight_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(RewardError, match="finite weight"):
        RewardComposition([(Term("x", len), float("inf"))])


def test_unknown_grant_is_an_error() -> None:
    with pytest.raises(RewardError, match='grant "turn" or "outcome"'):
        RewardComposition([Term("x", len, "episode")])  # type: ignore[arg-type]  # the point


def test_what_is_no_term_is_an_error() -> None:
    with pytest.raises(RewardError, match="expected a reward term"):
        RewardComposition([len])  # type: ignore[list-item]  # the point
