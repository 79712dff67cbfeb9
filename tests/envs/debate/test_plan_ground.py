from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rmgym.agents.debate_critics import CarefulPlanner, HastyPlanner, LiteralGrounder
from rmgym.envs.debate.plan_ground import PlanGround, plan_ground_seat
from rmgym.envs.debate.plans import literal_success, plan_tasks, read_plan
from rmgym.envs.debate.seat import play_arena
from rmgym.rollout import rollout
from rmgym.testing import audit, check_env, malformed_actions
from rmgym.testing.manual import check_manual


def started(**arguments: Any) -> PlanGround:
    arena = PlanGround(**arguments)
    arena.reset(seed=0)
    return arena


def plan_for(arena: PlanGround) -> str:
    return CarefulPlanner().plan(arena.task.question)


def test_manual_is_complete() -> None:
    check_manual(PlanGround)


def test_careful_planner_and_literal_grounder_always_succeed() -> None:
    arena = PlanGround()
    players = {"planner": CarefulPlanner(), "grounder": LiteralGrounder()}
    for seed in range(100):
        infos = play_arena(arena, players, seed)
        assert infos["planner"]["metrics"]["success"] == 1.0
        assert infos["grounder"]["metrics"]["plans"] == 1.0


def test_hasty_planner_succeeds_with_its_second_plan() -> None:
    arena = PlanGround()
    infos = play_arena(arena, {"planner": HastyPlanner(), "grounder": LiteralGrounder()}, 0)
    gains = [t.reward_terms["plan_gain"] for t in arena.records["planner"].turns]
    assert infos["planner"]["metrics"]["plans"] == 2.0
    # The first plan finds both prices, a third; the second one does all.
    assert gains == pytest.approx([0.2 / 3, 0.2 * 2 / 3])
    assert infos["planner"]["metrics"]["success"] == 1.0


def test_grounder_does_not_see_the_question() -> None:
    arena = started()
    shown = "".join(said["content"] for said in arena.context("grounder").messages)
    assert arena.task.question not in shown
    assert not any(item in shown for item in arena.task.needed)


def test_probe_of_ones_own_measures_the_plan() -> None:
    arena = started(probe=lambda task, plan: 0.5 if "soup" in plan else 0.0, plan_weight=1.0)
    _, rewards, *_ = arena.step({"planner": "<plan>soup</plan>"})
    assert rewards["planner"] == 0.5


def test_plan_that_only_repeats_the_example_gains_nothing() -> None:
    arena = started()
    example = "1. look up spoon\n2. work out 3 * [1]\n3. answer [2]"
    assert literal_success(arena.task, example) == 0.0


def test_literal_success_by_hand() -> None:
    task = plan_tasks(1)[0]
    first, second = task.needed
    assert literal_success(task, f"1. look up {first}") == pytest.approx(1 / 6)
    assert literal_success(task, f"1. look up {first}\n2. look up {second}") == pytest.approx(1 / 3)
    assert literal_success(task, f"1. answer {task.answer}") == pytest.approx(1 / 3)
    assert literal_success(task, "1. work out [7] + 1\n2. work out (") == 0.0


def test_long_plans_are_cut_and_other_lines_left_out() -> None:
    text = "\n".join(f"{n}. look up rug" for n in range(1, 40))
    assert len(read_plan(text)) == 12
    assert read_plan("think\nlook up rug\n1) look up rug")[0].text == "rug"


def test_planner_may_not_call_and_grounder_may_not_plan() -> None:
    arena = started()
    *_, infos = arena.step({"planner": "<lookup>rug</lookup>"})
    assert infos["planner"]["event"]["kind"] == "invalid"
    *_, infos = arena.step({"grounder": "<plan>1. answer 4</plan>"})
    assert infos["grounder"]["event"]["kind"] == "invalid"


def test_spent_calls_truncate_and_count_as_wrong() -> None:
    arena = started(plans=1, calls_per_plan=2)
    arena.step({"planner": plan_for(arena)})
    arena.step({"grounder": "<lookup>rug</lookup>"})
    _, _, terminated, truncated, infos = arena.step({"grounder": ""})
    assert not any(terminated.values())
    assert all(truncated.values())
    assert infos["planner"]["metrics"]["success"] == 0.0


@pytest.mark.parametrize("seat", ["planner", "grounder"])
def test_either_seat_is_an_environment_where_idlers_earn_nothing(seat: Any) -> None:
    env = plan_ground_seat(seat=seat)
    check_env(env, subprocesses=False, episodes=2)
    report = audit(env, episodes=10)
    assert not report.violations, str(report)


def test_grounder_seat_succeeds_beside_a_careful_planner() -> None:
    result = rollout(plan_ground_seat(seat="grounder"), LiteralGrounder(), 20)
    assert all(t.metrics["success"] == 1.0 for t in result)


def test_pettingzoos_api_and_seed_tests() -> None:
    pytest.importorskip("pettingzoo")
    from pettingzoo.test import parallel_api_test, parallel_seed_test

    parallel_api_test(PlanGround(), num_cycles=100)
    parallel_seed_test(PlanGround, num_cycles=50)


def test_malformed_actions_are_ordinary_turns() -> None:
    arena = started()
    for action in malformed_actions(np.random.default_rng(0), 600, tools=arena.tool_list):
        arena.step(dict.fromkeys(arena.agents, action))
        if not arena.agents:
            arena.reset()
