"""The table of policies and what is expected of them, within three standard errors."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest

from rmgym.agents.debate import Conformist, Evidence, Independent, RandomVoter, StubbornTruth
from rmgym.envs.debate.arena import DebateArena
from rmgym.envs.debate.seat import play_arena
from rmgym.protocols import Policy

EPISODES = 2_000


def majority_of_three(p: float) -> float:
    return 3 * p**2 - 2 * p**3


def accuracy(arena: DebateArena, policies: list[Policy], episodes: int = EPISODES) -> float:
    players = dict(zip(arena.possible_agents, policies, strict=True))
    ends = [play_arena(arena, players, seed)["Agent1"] for seed in range(episodes)]
    right: float = sum(end["metrics"]["accuracy"] for end in ends)
    return right / episodes


def three_errors(p: float, episodes: int = EPISODES) -> float:
    return 3 * sqrt(p * (1 - p) / episodes)


@pytest.mark.parametrize("p", [0.4, 0.6, 0.8])
def test_majority_of_three_independent_voters(p: float) -> None:
    arena = DebateArena(agents=3, rounds=1)
    voter = Independent(arena.gold_task, accuracy=p)
    expected = majority_of_three(p)
    assert abs(accuracy(arena, [voter] * 3) - expected) < three_errors(expected)


@pytest.mark.parametrize("p", [0.6])
def test_four_voters_with_a_drawn_tie_equal_three(p: float) -> None:
    arena = DebateArena(agents=4, rounds=1)
    voter = Independent(arena.gold_task, accuracy=p)
    expected = majority_of_three(p)
    assert abs(accuracy(arena, [voter] * 4) - expected) < three_errors(expected)


@pytest.mark.parametrize("p", [0.4, 0.6, 0.8])
def test_conformists_agree_after_round_two_on_the_first_majority(p: float) -> None:
    alone = DebateArena(agents=3, rounds=1)
    together = DebateArena(agents=3, rounds=2)
    right = 0.0
    for seed in range(500):
        first = play_arena(alone, _all(alone, Conformist(alone.gold_task, accuracy=p)), seed)
        both = play_arena(
            together, _all(together, Conformist(together.gold_task, accuracy=p)), seed
        )
        end = both["Agent1"]["metrics"]
        assert end["consensus"] == 1.0
        assert end["accuracy"] == first["Agent1"]["metrics"]["accuracy"]
        right += end["accuracy"]
    expected = majority_of_three(p)
    assert abs(right / 500 - expected) < three_errors(expected, 500)


def _all(arena: DebateArena, policy: Policy) -> dict[str, Policy]:
    return dict.fromkeys(arena.possible_agents, policy)


@pytest.mark.parametrize("p", [0.4, 0.6])
def test_one_stubborn_truth_among_conformists_is_right_only_if_the_first_majority_is(
    p: float,
) -> None:
    arena = DebateArena(agents=5, rounds=3)
    conformist = Conformist(arena.gold_task, accuracy=p)
    policies = [StubbornTruth(arena.gold_task), *[conformist] * 4]
    players = dict(zip(arena.possible_agents, policies, strict=True))
    right = 0.0
    for seed in range(500):
        end = play_arena(arena, players, seed)["Agent1"]["metrics"]
        first = arena.episode.rounds[0].holds
        gold = sum(answer == arena.task.references[0] for answer in first.values())
        assert end["accuracy"] == float(gold >= 3)
        right += end["accuracy"]
    q = 1 - p
    expected = 1 - q**4 - 4 * p * q**3
    assert abs(right / 500 - expected) < three_errors(expected, 500)


@pytest.mark.parametrize("p", [0.4, 0.8])
def test_evidence_is_not_below_independent_voters(p: float) -> None:
    arena = DebateArena(agents=3, rounds=2)
    weighed = accuracy(arena, [Evidence(arena.gold_task, accuracy=p)] * 3)
    assert weighed > majority_of_three(p) - three_errors(majority_of_three(p))


def test_random_winner_has_share_one_in_n_and_mean_win_zero() -> None:
    arena = DebateArena(agents=4, rounds=1, decision="judge", pressure=1.0)
    voter = Independent(arena.gold_task)
    winners = []
    for seed in range(EPISODES):
        play_arena(arena, _all(arena, voter), seed)
        assert arena.episode.outcome is not None
        winners.append(arena.episode.outcome.winner)
    for seat in arena.possible_agents:
        share = winners.count(seat) / EPISODES
        assert abs(share - 0.25) < three_errors(0.25)
        assert abs(share - (1 - share) / 3) < 4 / 3 * three_errors(0.25)


def test_random_votes_put_each_of_four_out_first_with_probability_a_quarter() -> None:
    arena = DebateArena(agents=4, rounds=1, judge="peer")
    voter = RandomVoter(arena.gold_task)
    out: list[Any] = []
    for seed in range(EPISODES):
        play_arena(arena, _all(arena, voter), seed)
        out.append(arena.episode.rounds[0].out)
    for seat in arena.possible_agents:
        assert abs(out.count(seat) / EPISODES - 0.25) < three_errors(0.25)


def test_pressure_is_the_weight_of_the_win_alone() -> None:
    for pressure in (0.0, 0.5, 2.0):
        arena = DebateArena(agents=3, rounds=1, pressure=pressure, announce_prize=False)
        infos = play_arena(arena, _all(arena, Independent(arena.gold_task)), seed=4)
        terms = [arena.records[seat].turns[-1].reward_terms for seat in infos]
        assert sorted(term["win"] for term in terms) == pytest.approx(
            [-pressure / 2, -pressure / 2, pressure]
        )
