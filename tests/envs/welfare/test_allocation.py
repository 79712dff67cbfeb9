from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rmgym.envs.welfare.allocation import Allocation, Rules
from rmgym.envs.welfare.case import Case, Roster
from rmgym.envs.welfare.members import MEMBERS, Member, choose_members

YES, NO = True, False


def case_of(solved: Any, cost: Any) -> Case:
    tasks = len(solved)
    return Case(
        flow=0,
        kinds=(0,) * tasks,
        difficulties=(8,) * tasks,
        solved=tuple(map(tuple, solved)),
        cost=tuple(map(tuple, cost)),
    )


def test_a_worked_flow_of_three_assignments() -> None:
    case = case_of([[YES, NO], [YES, YES]], [[2.0, 1.0], [3.0, 4.0]])
    flow = Allocation(case, Rules())
    assert flow.assign(1).solved is False
    assert (flow.task, flow.failures, flow.roi) == (0, 1, 0.0)
    assert flow.assign(0).solved is True
    assert flow.gini == 0.0
    assert flow.roi == pytest.approx(100 / 3)
    flow.assign(0)
    assert flow.stopped == "queue_empty"
    assert flow.counts == [2, 1]
    assert flow.gini == pytest.approx(1 / 6)
    assert flow.roi == pytest.approx(200 / 6)
    assert flow.swf == pytest.approx(5 / 6 * 200 / 6)


def test_a_task_is_given_up_after_the_sixth_failure() -> None:
    case = case_of([[NO, NO], [YES, YES]], [[1.0, 1.0], [1.0, 1.0]])
    flow = Allocation(case, Rules())
    outcomes = [flow.assign(i % 2) for i in range(6)]
    assert [outcome.skipped for outcome in outcomes] == [False] * 5 + [True]
    assert (flow.task, flow.failures) == (1, 0)


def test_who_failed_a_task_fails_it_again() -> None:
    roster = Roster(MEMBERS, 50)
    flow = Allocation(roster.case(3), Rules())
    first = flow.case.solved[0].index(False)
    assert [flow.assign(first).solved for _ in range(3)] == [False] * 3


def test_the_hundredth_assignment_cuts_the_flow() -> None:
    case = case_of([[NO, NO]] * 50, [[1.0, 1.0]] * 50)
    flow = Allocation(case, Rules())
    for _ in range(100):
        flow.assign(0)
    assert flow.cut
    assert flow.stopped is None
    assert flow.task == 16


def test_the_last_task_at_the_last_assignment_ends_the_queue() -> None:
    case = case_of([[YES, YES]] * 2, [[1.0, 1.0]] * 2)
    flow = Allocation(case, Rules(max_assignments=2))
    flow.assign(0)
    flow.assign(1)
    assert flow.stopped == "queue_empty"
    assert not flow.cut


def test_one_holder_has_the_largest_gini() -> None:
    case = case_of([[YES] * 4] * 5, [[1.0] * 4] * 5)
    flow = Allocation(case, Rules())
    for _ in range(3):
        flow.assign(2)
    assert flow.gini == pytest.approx(3 / 4)


def test_equal_shares_have_gini_0() -> None:
    case = case_of([[YES] * 4] * 5, [[1.0] * 4] * 5)
    flow = Allocation(case, Rules())
    for member in range(4):
        flow.assign(member)
    assert flow.gini == 0.0


def test_health_follows_the_trace_worked_by_hand() -> None:
    # Three members, 2 health. The chosen gets 3 x those alive before the turn, the others lose 1;
    # below 0 they leave.
    case = case_of([[YES] * 3] * 9, [[1.0] * 3] * 9)
    flow = Allocation(case, Rules(elimination=True, start_health=2))
    trace = []
    for member in (0, 0, 1, 1, 1):
        flow.assign(member)
        trace.append((list(flow.health), list(flow.alive)))
    assert trace == [
        ([9, 1, 1], [YES, YES, YES]),
        ([9, 0, 0], [YES, YES, YES]),
        ([8, 9, -1], [YES, YES, NO]),
        ([7, 6, -1], [YES, YES, NO]),
        ([6, 6, -1], [YES, YES, NO]),
    ]


def test_the_last_one_left_gets_all_that_remains() -> None:
    case = case_of([[YES, YES], [YES, YES], [NO, YES], [YES, NO]], [[1.0, 1.0]] * 4)
    flow = Allocation(case, Rules(elimination=True, start_health=1, max_failures=3))
    flow.assign(0)
    assert flow.health == [6, 0]
    flow.assign(0)
    assert flow.stopped == "one_left"
    assert flow.counts == [6, 0]
    assert flow.total_solved == 3


def test_random_allocation_reaches_the_fairness_of_the_theory() -> None:
    rng = np.random.default_rng(0)
    counts = rng.multinomial(100, [1 / 12] * 12, size=4000)
    from rmgym.rewards.welfare import gini

    assert float((1 - gini(counts)).mean()) == pytest.approx(0.823, abs=0.01)


def test_a_world_depends_on_its_number_alone() -> None:
    roster = Roster(choose_members(6), 20)
    tables = roster.draw([5, 6, 7])
    again = roster.draw([7])
    assert (tables.solved[2] == again.solved[0]).all()
    assert (tables.cost[2] == again.cost[0]).all()
    assert roster.case(7).solved == tuple(map(tuple, again.solved[0].tolist()))


def test_success_falls_with_difficulty_and_rises_with_ability() -> None:
    roster = Roster(MEMBERS, 50)
    assert (np.diff(roster.success, axis=1) < 0).all()
    weakest = roster.abilities[0].argmin()
    assert roster.members[weakest].name == "Qwen1.5B"
    assert (roster.success[0, :, weakest] == roster.success[0].min(axis=1)).all()


def test_the_mean_scores_are_those_of_the_public_table() -> None:
    means = {member.name: round(member.mean_score, 2) for member in MEMBERS}
    assert means["Qwen72B"] == pytest.approx(43.59, abs=0.011)
    assert means["Mistral24B"] == pytest.approx(29.92, abs=0.011)


def test_the_retyped_table_is_that_of_the_source() -> None:
    import json
    from pathlib import Path

    path = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "swf" / "members.json"
    if not path.exists():
        pytest.skip("no shared/data/swf/members.json beside the repository")
    columns = ("IFEval", "BBH", "MATH", "GPQA", "MuSR", "MMLU")
    rows = json.loads(path.read_text())
    assert [(m.name, m.code, m.scores, m.gpu_seconds) for m in MEMBERS] == [
        (
            row["name"],
            row["anonymous_id"],
            tuple(row[column] for column in columns),
            row["gpu_seconds_per_1k_tokens"],
        )
        for row in rows
    ]


@pytest.mark.parametrize("which", [1, 13, (MEMBERS[0],), (MEMBERS[0], MEMBERS[0])])
def test_members_that_do_not_fit_are_refused(which: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        choose_members(which)


def test_members_of_ones_own_are_kept_in_order() -> None:
    own = tuple(
        Member(name=name, code=name * 3, scores=(50.0,) * 6, gpu_seconds=0.1) for name in "XY"
    )
    assert choose_members(own) == own


def test_bounds_must_be_positive() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Rules(max_failures=0)
    with pytest.raises(ValueError, match="at least 1 task"):
        Roster(MEMBERS, 0)
