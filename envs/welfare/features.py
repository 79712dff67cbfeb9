"""What the array face observes: the layout of its vectors, and one of them at a time."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmgym.envs.welfare.allocation import Allocation
from rmgym.envs.welfare.case import Roster
from rmgym.envs.welfare.division import Division, DivisionRules, DivisionState

Vector: TypeAlias = NDArray[np.float32]

MEMBER_FEATURES = 7
"""Of each member: assignments, success rate, mean cost, whether it failed the current task, whether
it is still there, mean public score, public MATH score; feature by feature."""
GLOBALS = 8
"""Progress, assignments, failures of the task, research, mathematics, difficulty, fairness, ROI."""
_MATH = 2
_SCALE = {"budget": 5.0, "indivisible": 100.0}


def flow_width(members: int) -> int:
    """Return the length of the observation of a flow."""
    return MEMBER_FEATURES * members + GLOBALS


def member_constants(roster: Roster) -> Vector:
    """Return the features of members that never change: (2, members)."""
    scores = [(member.mean_score, member.scores[_MATH]) for member in roster.members]
    return np.array(scores, dtype=np.float32).T / np.float32(100.0)


def flow_features(state: Allocation, constants: Vector) -> Vector:
    """Return the observation of a flow: numbers from 0 to 1."""
    rules, case = state.rules, state.case
    counts = [max(count, 1) for count in state.counts]
    means = [cost / count for cost, count in zip(state.costs, counts, strict=True)]
    task = min(state.task, case.tasks - 1)
    kind, roi = case.kinds[task], state.roi
    values = [
        *(count / rules.max_assignments for count in state.counts),
        *(won / count for won, count in zip(state.solved, counts, strict=True)),
        *(mean / (1.0 + mean) for mean in means),
        *state.failed,
        *state.alive,
    ]
    overall = [
        state.task / case.tasks,
        state.assignments / rules.max_assignments,
        state.failures / rules.max_failures,
        kind == 0,
        kind == 1,
        (case.difficulties[task] - 8) / 3.0,
        1.0 - state.gini,
        roi / (100.0 + roi),
    ]
    n, changing = len(counts), MEMBER_FEATURES - len(constants)
    features = np.empty(flow_width(n), dtype=np.float32)
    features[: changing * n] = values
    features[changing * n : -GLOBALS] = constants.ravel()
    features[-GLOBALS:] = overall
    return features


def division_width(rules: DivisionRules) -> int:
    """Return the length of the observation of a division."""
    return 2 * rules.recipients + 1


def division_features(
    kind: Division,
    worth: NDArray[np.float64],
    utilities: NDArray[np.float64],
    progress: NDArray[np.float64],
) -> Vector:
    """Return observations of divisions, numbers from 0 to 1.

    Args:
        kind: "budget" or "indivisible".
        worth: (..., n): needs of the round, or values of the item; zeros at the end.
        utilities: (..., n): so far.
        progress: (..., 1): share of the rounds or items that are given.
    """
    scale = _SCALE[kind]
    parts = (worth / (scale + worth), utilities / (10.0 * scale + utilities), progress)
    return np.concatenate(parts, axis=-1).astype(np.float32)


def division_state_features(kind: Division, state: DivisionState) -> Vector:
    """Return the observation of one division."""
    nothing = (0.0,) * len(state.utilities)
    worth = nothing if state.ended else state.worth[state.round]
    progress = np.array([state.round / len(state.worth)])
    return division_features(kind, np.array(worth), np.array(state.utilities), progress)
