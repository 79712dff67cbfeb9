"""GiGPO: the episode's advantage plus that of the step among equal states of the group."""

from __future__ import annotations

from typing import Literal, TypeAlias

from rmgym.advantages.batch import GroupTurns, TurnAdvantages
from rmgym.advantages.estimator import Estimator, needed
from rmgym.advantages.segments import Floats, Singleton, discounted_sums, spread, standardise

Norm: TypeAlias = Literal["mean", "mean_std"]


def gigpo(
    batch: GroupTurns,
    *,
    gamma: float = 0.95,
    w: float = 1.0,
    norm: Norm = "mean",
    per_step_row: bool = True,
    ddof: int = 1,
    eps: float = 1e-6,
    singleton: Singleton = "raw",
) -> TurnAdvantages:
    """Return A_episode + w * A_step.

    A_episode centres the return within the group; A_step centres the discounted return-to-go among
    the turns of the group that start in the same state. A state met once gives 0.

    Args:
        batch: Groups of trajectories with states.
        gamma: Discount per turn of the step part.
        w: Weight of the step part.
        norm: "mean" centres; "mean_std" also divides by the standard deviation, in both parts.
        per_step_row: Take the episode statistics over turns, as released, so that long episodes
            weigh more; False takes one entry per trajectory.
        ddof: 1 for the sample standard deviation, 0 for the population's.
        eps: Added to the standard deviation.
        singleton: Group whose episode part has one entry: "raw" as released, or "zero".

    Returns:
        Extras `episode_advantage`, `step_advantage`, `step_returns`, one value a turn.
    """
    states = needed(batch.states, "states")
    if norm not in ("mean", "mean_std"):
        raise ValueError(f"expected norm 'mean' or 'mean_std', got {norm!r}")
    divide, count = norm == "mean_std", batch.group_count
    scores = spread(batch.returns, batch.offsets) if per_step_row else batch.returns
    codes = batch.turn_groups if per_step_row else batch.groups
    episode = standardise(
        scores, codes, count, ddof=ddof, eps=eps, divide=divide, singleton=singleton
    )
    if not per_step_row:
        episode = spread(episode, batch.offsets)
    returns = discounted_sums(batch.rewards, batch.offsets, gamma)
    anchors = int(states.max()) + 1
    step = standardise(returns, states, anchors, ddof=ddof, eps=eps, divide=divide)
    total: Floats = episode + w * step
    return batch.advantages(
        total, episode_advantage=episode, step_advantage=step, step_returns=returns
    )


GIGPO = Estimator(
    name="gigpo",
    function=gigpo,
    source="GiGPO (verl-agent, core_gigpo.py)",
    equation="(R - mean) + w (G_t - mean of G over equal states of the group)",
    confidence="source",
    needs=("states",),
    bias_note=(
        "The step part discounts (0.95) and shrinks states that few trajectories meet; episode "
        "statistics over turns weigh long episodes more, so the baseline depends on the own length."
    ),
)
