from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement, product
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rmgym.agents.catalog import demo_policy_names, make_policy
from rmgym.envs.welfare.allocation import Allocation, Rules
from rmgym.envs.welfare.case import Case, Roster
from rmgym.envs.welfare.members import choose_members
from rmgym.envs.welfare.optimum import exact_optimum, play_plan
from rmgym.rewards.welfare import gini
from rmgym.rollout import rollout

pytest.importorskip("scipy", reason="the exact optimum needs SciPy")
ID = "rmgym/Welfare-v0"


def ways(case: Case, task: int, most: int) -> Iterator[list[int]]:
    """Yield who may get a task, in turn: failures and then a success, or all failures."""
    able = [i for i, right in enumerate(case.solved[task]) if right]
    unable = [i for i, right in enumerate(case.solved[task]) if not right]
    for failures in range(most):
        for failed in combinations_with_replacement(unable, failures):
            yield from ([*failed, winner] for winner in able)
    yield from (list(failed) for failed in combinations_with_replacement(unable, most))


def best_by_playing_all(case: Case, rules: Rules) -> float:
    """Return the greatest SWF over all that can be played, the cut at the bound included."""
    best = 0.0
    every = [list(ways(case, task, rules.max_failures)) for task in range(case.tasks)]
    for plan in product(*every):
        flow = Allocation(case, rules)
        for member in (member for part in plan for member in part):
            if not flow.ended:
                flow.assign(member)
        best = max(best, flow.swf)
    return best


def best_by_counting_all(case: Case, most: int) -> float:
    """Return the greatest SWF over all that can be played where no bound is reached."""
    counts, cost = np.zeros((1, case.members), dtype=np.int8), np.zeros(1)
    solved = np.zeros(1)
    for task in range(case.tasks):
        every = list(ways(case, task, most))
        given = np.array([np.bincount(way, minlength=case.members) for way in every], dtype=np.int8)
        paid = np.array([sum(case.cost[task][i] for i in way) for way in every])
        won = np.array([case.solved[task][way[-1]] for way in every], dtype=float)
        counts = (counts[:, None] + given[None]).reshape(-1, case.members)
        cost, solved = (cost[:, None] + paid).ravel(), (solved[:, None] + won).ravel()
    return float(((1 - gini(counts)) * 100 * solved / cost).max())


def test_the_optimum_is_that_of_brute_force_on_30_small_worlds() -> None:
    roster, rules = Roster(choose_members(6), 3), Rules(max_failures=3)
    for flow in range(30):
        case = roster.case(flow)
        found, tried = exact_optimum(case, rules).swf, best_by_counting_all(case, 3)
        assert found == pytest.approx(tried, rel=1e-6), flow


def test_the_optimum_is_that_of_brute_force_where_the_bound_on_assignments_is_reached() -> None:
    roster, rules = Roster(choose_members(3), 4), Rules(max_failures=3, max_assignments=5)
    for flow in range(8):
        case = roster.case(flow)
        found, tried = exact_optimum(case, rules).swf, best_by_playing_all(case, rules)
        assert found == pytest.approx(tried, rel=1e-6), flow


@pytest.mark.slow
def test_the_optimum_is_never_below_any_policy_on_200_worlds() -> None:
    env = gym.make(ID, members=4, tasks=5, max_assignments=12)
    world: Any = env.unwrapped
    most: dict[int, float] = {}
    for name in demo_policy_names(ID):
        for trajectory in rollout(env, make_policy(ID, name, env), 200):
            flow = trajectory.turns[-1].info["task"]["flow"]
            most[flow] = max(most.get(flow, 0.0), trajectory.metrics["swf"])
    assert len(most) == 200
    for flow, best_played in most.items():
        assert world.exact_plan(flow).swf >= best_played - 1e-9


def test_failing_on_purpose_is_found_where_it_pays() -> None:
    # One task, two members: the able one costs 10, the other fails for 0.1. Alone, the able one
    # leaves fairness 1/2; after a cheap failure the shares are equal: 1 * 100/10.1 against 5.
    case = Case(flow=0, kinds=(0,), difficulties=(8,), solved=((True, False),), cost=((10.0, 0.1),))
    plan = exact_optimum(case, Rules())
    assert plan.members == (1, 0)
    assert plan.swf == pytest.approx(100 / 10.1)


def test_skipping_is_found_where_a_task_costs_too_much() -> None:
    solved = ((True, False), (True, True))
    case = Case(
        flow=0, kinds=(0, 0), difficulties=(8, 8), solved=solved, cost=((50.0, 0.1), (1.0, 1.0))
    )
    plan = exact_optimum(case, Rules(max_failures=2))
    assert plan.members == (1, 1, 0)
    assert plan.swf == pytest.approx((1 - 1 / 6) * 100 / 1.2)


def test_a_world_in_which_nobody_can_do_anything_is_worth_0() -> None:
    case = Case(flow=0, kinds=(0,), difficulties=(8,), solved=((False, False),), cost=((1.0, 1.0),))
    assert exact_optimum(case, Rules()).swf == 0.0


def test_elimination_is_refused() -> None:
    case = Roster(choose_members(3), 2).case(0)
    with pytest.raises(ValueError, match="without elimination"):
        exact_optimum(case, Rules(elimination=True))


@pytest.mark.slow
def test_the_full_size_is_solved_and_the_plan_plays_to_its_worth() -> None:
    env = gym.make(ID)
    world: Any = env.unwrapped
    (played,) = rollout(env, make_policy(ID, "exact", env), 1, seed=4)
    flow = played.turns[-1].info["task"]["flow"]
    plan = world.exact_plan(flow)
    assert played.metrics["swf"] == pytest.approx(plan.swf)
    again = play_plan(world.case(flow), world.settings.rules, list(plan.members))
    assert again == plan
    assert np.isclose(plan.swf, plan.fairness * plan.roi)
