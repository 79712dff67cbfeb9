"""PPR, Delta, R3-RAG: turn rewards known at the end; and Clip beside them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rmgym.errors import RewardError
from rmgym.rewards.facts import EventScore
from rmgym.rewards.hindsight import Hindsight, hindsight_rewards, regrant
from rmgym.rewards.ppr import PrincipleProcess, renorm
from rmgym.rewards.r3rag import ScaledRelevance, step_rewards
from rmgym.rewards.shaping import (
    ClippedProcess,
    DeltaProcess,
    clip_process,
    clip_then_delta,
    delta_process,
    returns_to_go,
)
from tests.rewards.episodes import (
    Fixed,
    answer,
    context,
    outcome,
    per_turn,
    said,
    search,
    trajectory,
)

PROCESS = [search(f"d{i}", process_score=p) for i, p in enumerate((0.9, 0.2, 0.6))]
ENDING = answer("Ulm", process_score=0.7)


def test_renorm_moves_a_wrong_answers_scores_below_zero() -> None:
    assert renorm([0.8, 0.3, 1.0], 0.0) == pytest.approx([-0.2, -0.7, 0.0])


def test_renorm_keeps_a_right_answers_scores() -> None:
    assert renorm([0.8, 0.3, 1.0], 1.0) == pytest.approx([0.8, 0.3, 1.0])


def test_a_process_score_off_its_range_is_named() -> None:
    with pytest.raises(RewardError, match=r"process\[1\]"):
        renorm([0.5, 1.5], 1.0)


def test_ppr_says_which_turn_earned_what_and_pays_the_total() -> None:
    term = PrincipleProcess()
    done = context([*PROCESS, ENDING])
    assert term.per_turn([done])[0] == pytest.approx([0.9, 0.2, 0.6, 0.7])
    assert term([done]) == pytest.approx([2.4])
    wrong = context([*PROCESS, answer("Bonn", process_score=0.7)])
    assert term.per_turn([wrong])[0] == pytest.approx([-0.1, -0.8, -0.4, -0.3])


def test_clip_and_delta_by_hand() -> None:
    assert clip_process([0.9, 0.2, 0.6, 0.7], 0.5) == pytest.approx([0, -0.3, 0, 0])
    assert delta_process([0.9, 0.2, 0.6, 0.7]) == pytest.approx([0.7, -0.4, 0.6, 0.0])
    assert clip_then_delta([0.9, 0.2, 0.6, 0.7], 0.5) == pytest.approx([0.3, -0.3, 0, 0])


@pytest.mark.parametrize(("process", "expected"), [([], []), ([0.4], [0.0])])
def test_delta_of_short_episodes(process: list[float], expected: list[float]) -> None:
    assert delta_process(process) == expected


def test_returns_of_delta_are_the_scores() -> None:
    assert returns_to_go(delta_process([0.9, 0.2, 0.6, 0.7])) == pytest.approx([0.9, 0.2, 0.6, 0])


def test_clip_is_paid_at_each_turn() -> None:
    earned = per_turn(ClippedProcess(eta=0.5), [*PROCESS, ENDING])
    assert earned == pytest.approx([0.0, -0.3, 0.0, 0.0])


def test_delta_skips_turns_without_a_score() -> None:
    searches = EventScore("process_score", kinds=("search",))
    rows = DeltaProcess(searches).per_turn([context([*PROCESS, answer("Ulm")])])
    assert rows[0] == [pytest.approx(0.7), pytest.approx(0.2), 0.0, None]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("correct", [1.28, 0.56, 1.6, 2.0]),
        ("wrong", [0.64, 0.28, 0.8, 0.0]),
        ("no_answer", [0.72, 0.315, 0.9]),
        ("format_failure", [0.8, 0.35, 1.0, -0.9]),
    ],
)
def test_r3rag_scales_steps_by_the_outcome(status: str, expected: list[float]) -> None:
    assert step_rewards([0.8, 0.35, 1.0], status) == pytest.approx(expected)  # type: ignore[arg-type]  # parametrised


def test_r3rag_of_an_episode() -> None:
    turns = [search("a", relevance=0.5), search("a", relevance=0.5), search("b", relevance=1.0)]
    rows = ScaledRelevance().per_turn([context([*turns, answer("Ulm")])])
    assert rows[0] == pytest.approx([0.8, 0.0, 1.6, 2.0])


def test_r3rag_without_an_answer_or_with_a_broken_last_turn() -> None:
    turns = [search("a", relevance=0.5), search("b", relevance=1.0)]
    assert outcome(ScaledRelevance(), turns) == pytest.approx(0.45 + 0.9)
    assert outcome(ScaledRelevance(), [*turns, said("invalid")]) == pytest.approx(1.5 - 0.9)


@pytest.mark.parametrize("term", [PrincipleProcess(), DeltaProcess(), ScaledRelevance()])
def test_hindsight_terms_are_granted_at_the_end(term: Hindsight) -> None:
    assert isinstance(term, Hindsight)
    assert term.grant == "outcome"


def test_regrant_moves_the_total_to_the_turns() -> None:
    played = trajectory([*PROCESS, ENDING])
    last = replace(played.turns[-1], reward=3.4, reward_terms={"em": 1.0, "ppr": 2.4})
    played = replace(played, turns=(*played.turns[:-1], last))
    moved = regrant(played, PrincipleProcess(), weight=2.0)
    assert [turn.reward for turn in moved.turns] == pytest.approx([1.8, 0.4, 1.2, 2.4])
    assert moved.term_sums == pytest.approx({"em": 1.0, "ppr": 4.8})


def test_an_unfinished_trajectory_has_no_hindsight() -> None:
    played = trajectory([*PROCESS, ENDING])
    running = replace(played, turns=played.turns[:-1])
    with pytest.raises(RewardError, match="finished"):
        hindsight_rewards(PrincipleProcess(), running)


def test_a_failing_part_is_named() -> None:
    with pytest.raises(RewardError, match="'broken'"):
        outcome(PrincipleProcess(outcome=Fixed(math.nan, "broken")), [*PROCESS, ENDING])


def test_a_missing_process_score_is_named() -> None:
    with pytest.raises(RewardError, match="process_score"):
        outcome(PrincipleProcess(), [search("d"), ENDING])
