"""GroupTurns: what it takes from lists and recorded groups, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from rmgym.advantages import GroupTurns
from rmgym.messages import message
from rmgym.trajectory import Completion, Trajectory, TrajectoryGroup, Turn


def turn(text: str, seen: str = "", state: str | None = None, **terms: float) -> Turn:
    return Turn(
        observation=(message("user", seen),),
        completion=Completion(text=text),
        reward=sum(terms.values()),
        reward_terms=terms,
        info={} if state is None else {"state_hash": state},
    )


def attempt(*turns: Turn, task: str = "q1") -> Trajectory:
    return Trajectory(env_id="Search-v0", task_id=task, turns=turns)


def group(*attempts: Trajectory, task: str = "q1") -> TrajectoryGroup:
    return TrajectoryGroup(task_id=task, trajectories=attempts)


def test_rewards_hold_the_outcome_on_the_last_turn() -> None:
    batch = GroupTurns.from_lists([[0.1, 0.2], [0.3]], outcomes=[1.0, 2.0])
    assert batch.rewards.tolist() == pytest.approx([0.1, 1.2, 2.3])
    assert batch.returns.tolist() == pytest.approx([1.3, 2.3])


def test_none_is_not_granted_and_zero_is() -> None:
    batch = GroupTurns.from_lists([[0.0, None]])
    assert batch.granted.tolist() == [True, False]
    assert batch.turn_rewards.tolist() == [0.0, 0.0]


def test_groups_need_not_lie_together() -> None:
    batch = GroupTurns.from_lists([[1.0], [2.0], [3.0]], groups=["b", "a", "b"])
    assert batch.groups.tolist() == [0, 1, 0]


def test_slots_number_group_and_position_without_gaps() -> None:
    batch = GroupTurns.from_lists([[1.0], [1.0, 1.0], [1.0, 1.0, 1.0]], groups=[0, 1, 0])
    slots, count = batch.slots()
    assert slots.tolist() == [0, 3, 4, 0, 1, 2]
    assert count == 5


def test_equal_states_of_two_groups_stay_apart() -> None:
    batch = GroupTurns.from_lists([[1.0], [1.0]], groups=[0, 1], states=[["s"], ["s"]])
    assert batch.states is not None
    assert batch.states.tolist() == [0, 1]


def test_from_groups_splits_outcome_and_turn_rewards() -> None:
    groups = [
        group(attempt(turn("a", gain=0.2), turn("b", em=1.0)), attempt(turn("c", em=0.0))),
        group(attempt(turn("d", gain=0.1, em=0.5), task="q2"), task="q2"),
    ]
    batch = GroupTurns.from_groups(groups, outcome="em", columns=["gain"])
    assert batch.groups.tolist() == [0, 0, 1]
    assert batch.turn_rewards.tolist() == [0.2, 0.0, 0.0, 0.1]
    assert batch.granted.tolist() == [True, False, False, True]
    assert batch.outcomes is not None
    assert batch.outcomes.tolist() == [1.0, 0.0, 0.5]
    assert batch.column("gain").tolist() == [0.2, 0.0, 0.0, 0.1]


def test_from_groups_takes_named_terms_only() -> None:
    groups = [group(attempt(turn("a", gain=0.2, format=-1.0), turn("b", format=0.5)))]
    batch = GroupTurns.from_groups(groups, terms=["gain"])
    assert batch.turn_rewards.tolist() == [0.2, 0.0]
    assert batch.granted.tolist() == [True, False]


def test_from_groups_shares_nodes_until_the_text_differs() -> None:
    first = attempt(turn("look"), turn("left", "door"), turn("stop", "wall"))
    second = attempt(turn("look"), turn("right", "door"), turn("stop", "wall"))
    batch = GroupTurns.from_groups([group(first, second)])
    assert batch.nodes is not None
    assert batch.nodes.tolist() == [0, 1, 2, 0, 3, 4]
    assert batch.parents.tolist() == [-1, 0, 1, -1, 0, 3]


def test_from_groups_takes_the_state_before_each_turn() -> None:
    first = attempt(turn("a", "q", state="s1"), turn("b", state="s2"))
    second = attempt(turn("c", "q", state="s1"), turn("d", state="s3"))
    batch = GroupTurns.from_groups([group(first, second)])
    assert batch.states is not None
    assert batch.states.tolist() == [0, 1, 0, 1]


def test_from_groups_has_no_states_where_the_environment_names_none() -> None:
    assert GroupTurns.from_groups([group(attempt(turn("a"), turn("b")))]).states is None


def test_an_empty_group_is_an_error_that_names_the_task() -> None:
    with pytest.raises(ValueError, match="task 'q7': expected at least one trajectory"):
        GroupTurns.from_groups([group(attempt(turn("a"))), group(task="q7")])


def test_no_groups_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one trajectory, got none"):
        GroupTurns.from_groups([])


def test_a_trajectory_without_turns_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"at least one turn per trajectory.*\[1\]"):
        GroupTurns.from_lists([[1.0], []])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_reward_that_is_not_finite_is_named(bad: float) -> None:
    with pytest.raises(ValueError, match=r"turn_rewards: .* trajectory 1, turn 2 \(group 1\)"):
        GroupTurns.from_lists([[1.0], [0.0, 0.0, bad]], groups=["x", "y"])


def test_an_outcome_that_is_not_finite_is_named() -> None:
    with pytest.raises(ValueError, match=r"outcomes: .* got nan in trajectory 1 \(group 0\)"):
        GroupTurns.from_lists([[1.0], [1.0]], outcomes=[0.0, float("nan")])


def test_a_column_that_is_not_finite_is_named() -> None:
    with pytest.raises(ValueError, match=r"column 'gain': .* trajectory 0, turn 1"):
        GroupTurns.from_lists([[1.0, 1.0]], columns={"gain": [[0.0, float("nan")]]})


def test_values_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="values: expected one entry per turn"):
        GroupTurns.from_lists([[1.0, 1.0]], values=[[0.5]])


def test_outcomes_of_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"outcomes: expected shape \(2,\), got \(1,\)"):
        GroupTurns.from_lists([[1.0], [1.0]], outcomes=[1.0])


def test_a_node_with_two_parents_is_refused() -> None:
    with pytest.raises(ValueError, match="nodes: expected one parent each"):
        GroupTurns.from_lists([[1.0, 1.0], [1.0, 1.0]], nodes=[["a", "x"], ["b", "x"]])


def test_a_state_of_two_groups_is_refused() -> None:
    with pytest.raises(ValueError, match="states: expected one group each"):
        GroupTurns(
            turn_rewards=np.zeros(2),
            offsets=np.array([0, 1, 2]),
            groups=np.array([0, 1]),
            granted=np.ones(2, dtype=np.bool_),
            states=np.array([0, 0]),
        )


def test_group_numbers_with_a_gap_are_refused() -> None:
    with pytest.raises(ValueError, match="without gaps"):
        GroupTurns(
            turn_rewards=np.zeros(1),
            offsets=np.array([0, 1]),
            groups=np.array([1]),
            granted=np.ones(1, dtype=np.bool_),
        )


def test_an_unknown_column_names_the_known_ones() -> None:
    batch = GroupTurns.from_lists([[1.0]], columns={"gain": [[1.0]]})
    with pytest.raises(ValueError, match=r"column 'gian', got \['gain'\]"):
        batch.column("gian")


def test_an_unknown_term_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"reward terms of \['em'\], got \['f1'\]"):
        GroupTurns.from_groups([group(attempt(turn("a", em=1.0)))], outcome="f1")


def test_an_outcome_absent_at_the_last_turn_is_an_error() -> None:
    groups = [group(attempt(turn("a", em=1.0)), attempt(turn("b", gain=0.1)))]
    with pytest.raises(ValueError, match="expected the outcome 'em' at the last turn"):
        GroupTurns.from_groups(groups, outcome="em")


def test_per_trajectory_splits_values_and_extras() -> None:
    batch = GroupTurns.from_lists([[1.0, 2.0], [3.0]])
    found = batch.advantages(np.array([1.0, 2.0, 3.0]), twice=np.array([2.0, 4.0, 6.0]))
    assert [row.tolist() for row in found.per_trajectory()] == [[1.0, 2.0], [3.0]]
    assert [row.tolist() for row in found.extra("twice")] == [[2.0, 4.0], [6.0]]


def test_an_unknown_extra_is_named() -> None:
    batch = GroupTurns.from_lists([[1.0]])
    with pytest.raises(KeyError, match="clip_scale"):
        batch.advantages(np.ones(1)).extra("clip_scale")
