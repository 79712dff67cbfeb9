"""ReST-MCTS* values: quality of the steps of a rollout tree, from its leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rmgym.advantages.batch import GroupTurns, TurnAdvantages
from rmgym.advantages.estimator import NO_BASELINE, Estimator, needed
from rmgym.advantages.segments import Bools, Floats, Ints


def rest_mcts(batch: GroupTurns, *, right: float = 0.5) -> TurnAdvantages:
    """Return the ReST-MCTS* value of each turn's node, 0 to 1: a target for a value model.

    v = max(0, v_parent + (1 - v_parent) * r / m) from v = 0 at the root; r = +1 on a path to a
    right leaf, else -1; m = steps to the nearest right leaf, the node itself counted; a wrong
    branch keeps the m of its last good ancestor.

    Args:
        batch: Groups of trajectories with outcomes and nodes.
        right: A trajectory whose outcome exceeds this ends in a right leaf.

    Returns:
        Extra `increment`: value minus the value of the node before.
    """
    outcomes, nodes = needed(batch.outcomes, "outcomes"), needed(batch.nodes, "nodes")
    distances = _steps_to_right(batch, outcomes > right, nodes)
    values, increments = np.zeros_like(distances), np.zeros_like(distances)
    order = np.argsort(-batch.lengths, kind="stable")
    starts, lengths = batch.offsets[:-1][order], batch.lengths[order]
    value, last_m = np.zeros(len(starts)), np.ones(len(starts))
    for step in range(int(lengths[0])):
        live = int(np.searchsorted(-lengths, -step, side="left"))
        at = starts[:live] + step
        good = np.isfinite(distances[at])
        last_m = np.where(good, distances[at], last_m[:live])
        value = value[:live]
        stepped = np.maximum(0.0, value + (1 - value) * np.where(good, 1.0, -1.0) / last_m)
        values[at], increments[at] = stepped, stepped - value
        value = stepped
    return batch.advantages(values, increment=increments)


def rest_values(steps: Sequence[tuple[int, int]]) -> list[float]:
    """Return the values along one path of (r, m) steps.

    >>> rest_values([(1, 2), (1, 1)])
    [0.5, 1.0]
    """
    value, values = 0.0, []
    for sign, m in steps:
        if sign not in (1, -1) or m < 1:
            raise ValueError(f"expected r = +1 or -1 and m >= 1, got r = {sign}, m = {m}")
        value = max(0.0, value + (1 - value) * sign / m)
        values.append(value)
    return values


def rest_weight(value: float, wrong: int, m: int) -> float:
    """Return the paper's weighted reward (1 - v)(1 - 2r) / (m + 1), r = 1 for a wrong step.

    Here m leaves the node itself out, so it is one less than in `rest_values`.
    """
    if wrong not in (0, 1) or m < 0:
        raise ValueError(f"expected r = 0 or 1 and m >= 0, got r = {wrong}, m = {m}")
    return (1 - value) * (1 - 2 * wrong) / (m + 1)


def uct(value: float, visits: int, parent_visits: int, c: float) -> float:
    """Return V + c * sqrt(2 ln N / n), the score by which ReST-MCTS* selects a node.

    Raises:
        ValueError: If the node or its parent was never visited.
    """
    if visits < 1 or parent_visits < 1:
        raise ValueError(f"expected visits, got {visits} and {parent_visits} of the parent")
    return value + c * math.sqrt(2 * math.log(parent_visits) / visits)


def _steps_to_right(
    batch: GroupTurns,
    is_right: Bools,
    nodes: Ints,
) -> Floats:
    """Return, for each turn, the steps to the nearest right leaf, itself counted; inf if none."""
    left = (np.repeat(batch.lengths, batch.lengths) - batch.positions).astype(np.float64)
    left[~np.repeat(is_right, batch.lengths)] = np.inf
    nearest = np.full(int(nodes.max()) + 1, np.inf)
    np.minimum.at(nearest, nodes, left)
    return nearest[nodes]


REST_MCTS = Estimator(
    name="rest_mcts",
    function=rest_mcts,
    source="ReST-MCTS* (MCTS/base.py L108-154)",
    equation="v = max(0, v' + (1 - v') r / m)",
    confidence="source",
    needs=("outcomes", "nodes"),
    bias_note=NO_BASELINE + "values of steps, not centred, which see the outcome alone.",
)
