from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from rmgym.errors import RewardError, ScorerError
from rmgym.messages import message
from rmgym.protocols import RewardTerm, Score, Target, TargetLogprobs
from rmgym.rewards.information_gain import (
    ANSWER_LEAD,
    InformationGain,
    TrajectoryScorer,
    answer_target,
    belief,
    beliefs,
    gains,
    potentials,
)
from rmgym.trajectory import Completion, Context, Trajectory, Turn

KEY = "information_gain"


@dataclass
class LengthScorer:
    """Believes by the number of turns so far; keeps what it was asked."""

    by_turns: Sequence[float]
    asked: list[tuple[int, Target]] = field(default_factory=list)
    calls: int = 0

    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        self.calls += 1
        self.asked += [(len(c.turns), t) for c, t in zip(contexts, targets, strict=True)]
        return [TargetLogprobs((1,), (self.by_turns[len(c.turns)],)) for c in contexts]


@dataclass
class OnePassScorer(LengthScorer):
    def potentials(
        self, trajectories: Sequence[Trajectory], targets: Sequence[Target]
    ) -> list[list[TargetLogprobs]]:
        return [
            [TargetLogprobs((1,), (self.by_turns[t],)) for t in range(len(each.turns))]
            for each in trajectories
        ]


def turn(
    index: int, *, ended: bool = False, metrics: Mapping[str, float] | None = None, **task: Any
) -> Turn:
    info = {"task": {"references": ["Paris", "Lutetia"], **task}, "metrics": dict(metrics or {})}
    return Turn(
        observation=(message("user", f"seen {index}"),),
        completion=Completion(text=f"said {index}"),
        terminated=ended,
        info=info,
    )


def after(*turns: Turn) -> Context:
    return Context(turns, (message("user", "answer of the world"),))


def played(term: InformationGain, count: int) -> list[Score | None]:
    """Score an episode turn by turn, writing metrics back as an environment does."""
    turns: list[Turn] = []
    scores: list[Score | None] = []
    for index in range(count):
        turns.append(turn(index, ended=index == count - 1))
        score = term([after(*turns)])[0]
        scores.append(score)
        if score is not None:
            info = {**turns[-1].info, "metrics": dict(score.metrics)}
            turns[-1] = replace(turns[-1], info=info)
    return scores


def values(scores: Sequence[Score | None]) -> list[float | None]:
    return [None if score is None else score.value for score in scores]


def test_belief_is_the_geometric_mean_or_the_mean_log() -> None:
    logprobs = [math.log(0.1), math.log(0.2)]
    assert belief(logprobs, "prob") == pytest.approx(math.sqrt(0.02))
    assert belief(logprobs, "logprob") == pytest.approx(-1.9560115)


@pytest.mark.parametrize("logprobs", [None, [], [math.nan], [-1.0, math.nan], [math.inf]])
def test_a_scorer_that_gives_nothing_finite_gives_no_belief(logprobs: list[float] | None) -> None:
    assert beliefs([logprobs], "prob") == [None]


def test_an_impossible_answer_has_probability_zero_and_no_log() -> None:
    assert belief([-math.inf], "prob") == 0.0
    assert belief([-math.inf], "logprob") is None


def test_a_failure_later_earns_zero_and_keeps_the_baseline() -> None:
    assert gains([0.1, 0.4, None, math.nan, 0.6]) == pytest.approx([0.3, 0.0, 0.0, 0.2])


@pytest.mark.parametrize("first", [None, math.nan, math.inf])
def test_a_failure_on_the_bare_question_leaves_no_gains(first: float | None) -> None:
    assert gains([first, 0.4]) is None


def test_gains_telescope() -> None:
    found = gains([0.1, 0.7, 0.3, None, 0.9])
    assert found is not None
    assert sum(found) == pytest.approx(0.8)


def test_only_the_first_alternative_of_the_first_reference_is_scored() -> None:
    target = answer_target(["Rome<|answer_split|>Roma", "Urbs"])
    assert target == Target("Rome", ANSWER_LEAD)
    assert target.lead.endswith("</think>\n<answer>")
    assert answer_target(['[{"label": "False"}]']).text == "false"


@pytest.mark.parametrize("references", [[], [""], ["<|answer_split|>x"]])
def test_an_empty_reference_is_an_error(references: list[str]) -> None:
    with pytest.raises(RewardError, match="non-empty first reference"):
        answer_target(references)


def test_the_term_emits_gain_potential_and_baseline() -> None:
    scorer = LengthScorer([math.log(0.2), math.log(0.5)])
    score = InformationGain(scorer)([after(turn(0))])[0]
    assert score is not None
    assert score.value == pytest.approx(0.3)
    assert score.metrics == pytest.approx({f"{KEY}/potential": 0.5, f"{KEY}/baseline": 0.2})
    assert scorer.calls == 1
    assert [asked for asked, _ in scorer.asked] == [0, 1]


def test_the_recorded_potential_is_read_back_and_not_scored_again() -> None:
    scorer = LengthScorer([-1.0, -1.0, math.log(0.9)])
    score = InformationGain(scorer)([after(turn(0, metrics={f"{KEY}/potential": 0.4}), turn(1))])[0]
    assert score is not None
    assert score.value == pytest.approx(0.5)
    assert [asked for asked, _ in scorer.asked] == [2]


def test_the_prefix_before_a_turn_is_scored_when_nothing_is_recorded() -> None:
    scorer = LengthScorer([-9.0, -2.0, -0.5])
    score = InformationGain(scorer, mode="logprob")([after(turn(0), turn(1))])[0]
    assert score is not None
    assert score.value == pytest.approx(1.5)


def test_many_contexts_are_scored_in_one_call() -> None:
    scorer = LengthScorer([-2.0, -1.0, -0.5])
    term = InformationGain(scorer, mode="logprob")
    contexts = [after(turn(0)), after(turn(0), turn(1)), after(turn(0, ended=True))]
    assert values(term(contexts)) == [1.0, 0.5, None]
    assert scorer.calls == 1


def test_the_turn_that_ends_the_episode_has_no_gain_and_costs_nothing() -> None:
    scorer = LengthScorer([-2.0, -1.0])
    cut = replace(turn(0), truncated=True)
    assert InformationGain(scorer)([after(turn(0, ended=True)), after(cut)]) == [None, None]
    assert scorer.calls == 0


def test_the_gains_of_an_episode_telescope() -> None:
    scorer = LengthScorer([-3.0, -2.5, -0.5, -1.0, -9.0])
    scores = played(InformationGain(scorer, mode="logprob"), 4)
    assert values(scores) == pytest.approx([0.5, 2.0, -0.5, None])
    assert [asked for asked, _ in scorer.asked] == [0, 1, 2, 3]


def test_a_failed_turn_earns_zero_and_the_next_one_the_whole_difference() -> None:
    scores = played(InformationGain(LengthScorer([-3.0, math.nan, -1.0, -1.0]), mode="logprob"), 3)
    assert values(scores) == [0.0, 2.0, None]


def test_a_failure_on_the_bare_question_leaves_the_episode_without_gains() -> None:
    scorer = LengthScorer([math.nan, -2.0, -1.0, -0.5])
    scores = played(InformationGain(scorer, mode="logprob"), 3)
    assert values(scores) == [None, None, None]
    first = scores[0]
    assert first is not None
    assert first.metrics == {f"{KEY}/failed": 1.0}


def test_a_scorer_that_returns_too_few_results_is_reported() -> None:
    class Short(LengthScorer):
        def logprobs(
            self, contexts: Sequence[Context], targets: Sequence[Target]
        ) -> list[TargetLogprobs]:
            return super().logprobs(contexts, targets)[1:]

    with pytest.raises(ScorerError, match="one result per scored prefix"):
        InformationGain(Short([-1.0, -1.0]))([after(turn(0))])


def stored(count: int) -> Trajectory:
    turns = tuple(turn(i, ended=i == count - 1) for i in range(count))
    return Trajectory(env_id="Test-v0", task_id="t", turns=turns)


def test_potentials_of_a_stored_trajectory_come_from_one_batch() -> None:
    scorer = LengthScorer([-3.0, math.nan, -1.0])
    found = potentials(stored(3), scorer, mode="logprob")
    assert found == pytest.approx([-3.0, math.nan, -1.0], nan_ok=True)
    assert gains(found) == [0.0, 2.0]
    assert scorer.calls == 1


def test_a_scorer_with_one_pass_is_used() -> None:
    scorer = OnePassScorer([-3.0, -2.0])
    assert isinstance(scorer, TrajectoryScorer)
    assert potentials(stored(2), scorer, mode="logprob") == [-3.0, -2.0]
    assert scorer.calls == 0


def test_references_may_be_given_for_a_trajectory_that_kept_none() -> None:
    bare = Trajectory(
        env_id="Test-v0",
        task_id="t",
        turns=(Turn(observation=(), completion=Completion(text="x")),),
    )
    scorer = LengthScorer([-1.0])
    assert potentials(bare, scorer, mode="logprob", references=["Rome"]) == [-1.0]
    assert scorer.asked[0][1].text == "Rome"
    assert potentials(replace(bare, turns=()), scorer) == []


def test_the_term_is_granted_at_every_turn() -> None:
    term = InformationGain(LengthScorer([]))
    assert isinstance(term, RewardTerm)
    assert (term.name, term.grant) == (KEY, "turn")
