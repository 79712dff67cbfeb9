from __future__ import annotations

import math

import pytest

from rmgym.errors import RewardError
from rmgym.rewards.facts import (
    EventScore,
    event_fact,
    finite,
    finite_all,
    kind_of,
    outcome_value,
    prefixes,
    seen_before,
    task_fact,
    within,
)
from rmgym.trajectory import Completion, Turn
from tests.rewards.episodes import Fixed, answer, context, per_turn, said, search


@pytest.mark.parametrize("value", [math.nan, math.inf, "1", None, [1.0]])
def test_what_is_no_finite_number_is_named(value: object) -> None:
    with pytest.raises(RewardError, match="eta"):
        finite("eta", value)


def test_the_place_of_a_bad_number_is_named() -> None:
    with pytest.raises(RewardError, match=r"process\[1\], got nan"):
        finite_all("process", [0.0, math.nan])


def test_a_number_off_its_range_is_named() -> None:
    with pytest.raises(RewardError, match="cosine from -1 to 1, got 2"):
        within("cosine", 2, -1, 1)


def test_missing_facts_are_named() -> None:
    with pytest.raises(RewardError, match="keywords"):
        task_fact(context([answer("x")]), "keywords")
    with pytest.raises(RewardError, match="relevance"):
        event_fact(context([search("d")]).last, "relevance")
    with pytest.raises(RewardError, match="kind"):
        kind_of(Turn(observation=(), completion=Completion(text="x")))


def test_documents_seen_before_are_those_of_earlier_searches() -> None:
    turns = [search("a"), said("late_search"), search("b"), search("c")]
    assert seen_before(context(turns)) == {"a", "b"}


def test_prefixes_are_what_turn_terms_saw() -> None:
    done = context([search("a", shown="A"), search("b", shown="B")])
    assert [prefix.observation for prefix in prefixes(done)] == [
        done.turns[1].observation,
        done.observation,
    ]


def test_an_event_score_is_read_where_it_applies() -> None:
    term = EventScore("relevance", kinds=("search",))
    assert per_turn(term, [search("d", relevance=0.5), answer("x")]) == [0.5, None]


def test_an_event_score_off_its_range_is_an_error() -> None:
    with pytest.raises(RewardError, match="relevance"):
        per_turn(EventScore("relevance"), [search("d", relevance=7)])


def test_an_outcome_that_does_not_apply_is_an_error() -> None:
    with pytest.raises(RewardError, match="'fixed'"):
        outcome_value(Fixed(None), [context([answer("x")])])
