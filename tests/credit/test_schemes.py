from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from rmgym import advantages
from rmgym.credit.episodes import record_episode
from rmgym.credit.schemes import baseline_schemes, estimate_credit, score_turns
from rmgym.errors import RewardError
from rmgym.protocols import Grant, Score, Scorer, Target, TargetLogprobs
from rmgym.trajectory import Context, Trajectory, TrajectoryGroup
from tests.credit.climb import ClimbEnv, Gain, Script, Success


def play(*moves: str) -> Trajectory:
    return record_episode(ClimbEnv(), Script(*moves), seed=0).trajectory


UP_DOWN, UP_UP = play("up", "down"), play("up", "up")


class FlatScorer:
    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        return [TargetLogprobs((0,), (-1.0,)) for _ in contexts]


@dataclass(frozen=True)
class Asking:
    """Asks a scorer twice a turn and reads back its own last metric."""

    scorer: Scorer
    name: str = "asking"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        self.scorer.logprobs([*contexts, *contexts], [Target("x")] * 2 * len(contexts))
        return [Score(self._before(context) + 1, {"asking/count": 1.0}) for context in contexts]

    def _before(self, context: Context) -> float:
        if len(context.turns) < 2:
            return 0.0
        return float(context.turns[-2].info["metrics"]["asking/count"])


@dataclass(frozen=True)
class Around:
    inner: Asking
    name: str = "around"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        return self.inner(contexts)


class Late:
    """Pays its turns when the episode is over."""

    name = "late"
    grant: Grant = "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        return [3.0 for _ in contexts]

    def per_turn(self, contexts: Sequence[Context]) -> list[list[float | None]]:
        return [[None, 3.0] for _ in contexts]


def test_turn_rewards_are_weighted_and_in_place() -> None:
    scored = score_turns((Gain(), 0.5), [UP_DOWN, UP_UP])
    assert scored.rows == ((0.5, 0.0), (0.5, 0.5))
    assert scored.scheme("gain").credit.tolist() == [0.5, 0.0, 0.5, 0.5]
    assert scored.scheme("gain").granted == 1.0


def test_outcome_rewards_stand_at_the_last_turn() -> None:
    scheme = score_turns(Success(), [UP_DOWN, UP_UP]).scheme("top")
    assert scheme.credit.tolist() == [0.0, 0.0, 0.0, 1.0]
    assert scheme.granted == 0.5


def test_the_outcome_can_be_paid_on_top() -> None:
    scheme = score_turns(Gain(), [UP_DOWN, UP_UP]).scheme("gain + outcome", [0.0, 1.0])
    assert scheme.credit.tolist() == [1.0, 0.0, 1.0, 2.0]


def test_hindsight_terms_are_asked_for_their_turns() -> None:
    scored = score_turns((Late(), 2.0), [UP_UP])
    assert scored.rows == ((None, 6.0),)
    assert scored.grant == "turn"
    assert scored.scheme("late").credit.tolist() == [0.0, 6.0]


def test_scorer_calls_are_counted_also_within_other_terms() -> None:
    for term in (Asking(FlatScorer()), Around(Asking(FlatScorer()))):
        assert score_turns(term, [UP_DOWN, UP_UP]).scorer_calls == 2.0


def test_a_term_reads_its_own_metrics_and_not_recorded_ones() -> None:
    stained = [
        replace(t, info={**t.info, "metrics": {**t.info["metrics"], "asking/count": 50.0}})
        for t in UP_UP.turns
    ]
    scored = score_turns(Asking(FlatScorer()), [replace(UP_UP, turns=tuple(stained))])
    assert scored.rows == ((1.0, 2.0),)


def test_scoring_leaves_trajectories_as_they_are() -> None:
    before = repr(UP_UP)
    score_turns(Asking(FlatScorer()), [UP_UP])
    assert repr(UP_UP) == before


def test_a_failing_term_is_named() -> None:
    class Broken(Gain):
        name = "broken"

        def __call__(self, contexts: Sequence[Context]) -> list[float]:
            raise KeyError("x")

    with pytest.raises(RewardError, match="'broken' failed"):
        score_turns(Broken(), [UP_UP])


def group() -> list[TrajectoryGroup]:
    return [TrajectoryGroup(task_id=UP_UP.task_id, trajectories=(UP_DOWN, UP_UP))]


def test_an_estimator_over_the_outcome_alone() -> None:
    scheme = estimate_credit("rloo", advantages.get("rloo"), group(), [0.0, 1.0])
    assert scheme.credit.tolist() == [-1.0, -1.0, 1.0, 1.0]


def test_an_estimator_over_a_turn_reward_and_the_outcome() -> None:
    gain = score_turns(Gain(), [UP_DOWN, UP_UP])
    scheme = estimate_credit("rloo", advantages.get("rloo"), group(), [0.0, 1.0], gain)
    # Returns 1 and 3.
    assert scheme.credit.tolist() == [-2.0, -2.0, 2.0, 2.0]


def test_an_outcome_reward_takes_the_place_of_the_outcome() -> None:
    top = score_turns((Success(), 4.0), [UP_DOWN, UP_UP])
    scheme = estimate_credit("rloo", advantages.get("rloo"), group(), [0.0, 1.0], top)
    assert scheme.credit.tolist() == [-4.0, -4.0, 4.0, 4.0]


def test_an_estimator_that_needs_more_says_so() -> None:
    with pytest.raises(ValueError, match="values"):
        estimate_credit("turn_gae", advantages.get("turn_gae"), group(), [0.0, 1.0])


def test_baselines_by_hand() -> None:
    found = {s.name: s.credit for s in baseline_schemes([2, 1], [1.0, 0.5])}
    assert found["zero"].tolist() == [0.0, 0.0, 0.0]
    assert found["outcome at the last turn"].tolist() == [0.0, 1.0, 0.5]
    assert found["outcome spread evenly"].tolist() == [0.5, 0.5, 0.5]
    again = {s.name: s.credit for s in baseline_schemes([2, 1], [1.0, 0.5])}
    assert np.array_equal(found["random"], again["random"])
