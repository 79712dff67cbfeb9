"""Stand-ins for estimators whose formula is not public: our rendering, under names of ours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rmgym.advantages.batch import GroupTurns, TurnAdvantages
from rmgym.advantages.estimator import NO_BASELINE, Estimator, needed
from rmgym.advantages.segments import (
    Bools,
    Floats,
    Ints,
    pool_means,
    pool_sums,
    spread,
    standardise,
)


def fork_relative(
    batch: GroupTurns,
    *,
    decay: float = 1.0,
    format_column: str | None = None,
    format_weight: float = 0.1,
    fork_weight: float = 1.0,
    trajectory_weight: float = 1.0,
    eps: float = 1e-6,
) -> TurnAdvantages:
    """Return the advantage of each step among its siblings, plus that of its trajectory.

    After the idea of PORTool; weights and decay are ours. A node's reward is the best outcome that
    can still be reached through it, times decay to the number of steps to that leaf, plus
    `format_weight` times its format reward. Nodes under one fork are compared by sample z-score
    (an only child gets 0), and so are the trajectories of a group by outcome.

    Args:
        batch: Groups of trajectories with outcomes and nodes.
        decay: Factor a step, above 0 and at most 1.
        format_column: Reward term of the step's form; left out when None.
        format_weight: Its weight.
        fork_weight: Weight of the comparison among siblings.
        trajectory_weight: Weight of the comparison among trajectories.
        eps: Added to the standard deviation.

    Returns:
        Extras `step_reward`, `fork_advantage` (one value a turn) and `trajectory_advantage` (M,).
    """
    outcomes, nodes = needed(batch.outcomes, "outcomes"), needed(batch.nodes, "nodes")
    if not 0 < decay <= 1:
        raise ValueError(f"expected a decay above 0 and at most 1, got {decay}")
    count = int(nodes.max()) + 1
    steps_left = np.repeat(batch.lengths, batch.lengths) - batch.positions - 1
    reachable = spread(outcomes, batch.offsets) * decay**steps_left
    best = np.full(count, -np.inf)
    np.maximum.at(best, nodes, reachable)
    if format_column is not None:
        best += format_weight * pool_means(batch.column(format_column), nodes, count)
    parents = np.zeros(count, dtype=np.int64)
    parents[nodes] = batch.parents
    parents += batch.group_count
    present = np.bincount(nodes, minlength=count) > 0
    fork = np.zeros(count)
    forks = count + batch.group_count
    fork[present] = standardise(best[present], parents[present], forks, eps=eps)
    whole = standardise(outcomes, batch.groups, batch.group_count, eps=eps)
    return batch.advantages(
        fork_weight * fork[nodes] + trajectory_weight * spread(whole, batch.offsets),
        step_reward=best[nodes],
        fork_advantage=fork[nodes],
        trajectory_advantage=whole,
    )


def anchor_rank(batch: GroupTurns, *, anchors: Sequence[float] | None = None) -> TurnAdvantages:
    """Return how many places each trajectory stands above its group's anchor, over the group size.

    After the idea of PU-RL distillation: a teacher's answer is the anchor, and the student's
    attempts are ranked against it. Ties share their mean place; the result is in [-1, 1]. Only
    ranks count, so a monotone change of all scores leaves it as it is.

    Args:
        batch: Groups of trajectories with outcomes, the scores to rank by.
        anchors: Score of each group's anchor; the middle place of the group when None.
    """
    scores = needed(batch.outcomes, "outcomes")
    places, count = _mean_places(scores, batch.groups), batch.group_count
    sizes = np.bincount(batch.groups, minlength=count)
    if anchors is None:
        anchor_places = (sizes - 1) / 2
    else:
        bar = np.asarray(anchors, dtype=np.float64)
        if bar.shape != (count,) or not np.isfinite(bar).all():
            raise ValueError(f"anchors: expected {count} finite scores, one a group, got {bar}")
        above = np.sign(scores - bar[batch.groups])
        places += (1 + above) / 2
        anchor_places = pool_sums((1 - above) / 2, batch.groups, count)
    return batch.advantages((places - anchor_places[batch.groups]) / sizes[batch.groups])


def _mean_places(scores: Floats, groups: Ints) -> Floats:
    """Return the place of each score in its group from 0, lowest first, ties at their mean."""
    order = np.lexsort((scores, groups))
    ordered, owners = scores[order], groups[order]
    new: Bools = np.append(True, (np.diff(ordered) != 0) | (np.diff(owners) != 0))
    run = np.cumsum(new) - 1
    starts = np.flatnonzero(np.append(True, np.diff(owners) != 0))
    lengths = np.diff(np.append(starts, len(scores)))
    within = np.arange(len(scores)) - np.repeat(starts, lengths)
    mean_of_run = np.bincount(run, weights=within) / np.bincount(run)
    places = np.empty(len(scores))
    places[order] = mean_of_run[run]
    return places


FORK_RELATIVE = Estimator(
    name="fork_relative",
    function=fork_relative,
    source="rmgym, after PORTool (row 98), whose weights are not public",
    equation="z of the best reachable outcome among siblings + z of the outcome in the group",
    confidence="reconstructed",
    needs=("outcomes", "nodes"),
    bias_note=NO_BASELINE
    + "it sees the best reachable outcome, not the mean, and no turn rewards.",
)
ANCHOR_RANK = Estimator(
    name="anchor_rank",
    function=anchor_rank,
    source="rmgym, after PU-RL distillation (row 73), of which the abstract is public",
    equation="(place among the group and its anchor - place of the anchor) / G",
    confidence="reconstructed",
    needs=("outcomes",),
    bias_note=NO_BASELINE + "ranks forget how far scores lie apart, and see the outcome alone.",
)
