"""Figures of many trajectories: means by policy, and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np

from rmgym.trajectory import Trajectory

SUCCESS_METRICS = ("success", "em")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean with the bounds of its bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Figures of one policy in one environment."""

    env_id: str
    policy: str
    episodes: int
    mean_return: float
    return_error: float
    """Standard error of the mean return; 0 for one episode."""
    success: float | None
    """Mean of `metrics["success"]` (or `em`) at the end; an episode that ended without it failed.
    None where no episode has it."""
    mean_turns: float
    terms: dict[str, float] = field(default_factory=dict)
    """Mean per episode of each reward term's sum."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Mean of each metric over the episodes that have it at their end; and `f1_aware`, the F1 of
    deciding not to search (AdaSearch), where the environment counts such decisions."""


def policy_of(trajectory: Trajectory) -> str:
    """Return the name of the policy that played, as the recorder noted it."""
    return str(trajectory.metadata.get("policy", trajectory.agent))


def success_of(trajectory: Trajectory) -> float | None:
    """Return the episode's success, 0 to 1, or None if its metrics name none."""
    metrics = trajectory.metrics
    return next((metrics[name] for name in SUCCESS_METRICS if name in metrics), None)


def summarise(trajectories: Sequence[Trajectory]) -> Summary:
    """Return the figures of trajectories of one policy in one environment.

    Raises:
        ValueError: If there are none.
    """
    if not trajectories:
        raise ValueError("expected at least one trajectory to summarise, got none")
    number = len(trajectories)
    returns = np.array([trajectory.episode_return for trajectory in trajectories])
    successes = [success_of(trajectory) for trajectory in trajectories]
    known = [success for success in successes if success is not None]
    return Summary(
        env_id=trajectories[0].env_id,
        policy=policy_of(trajectories[0]),
        episodes=number,
        mean_return=float(returns.mean()),
        return_error=float(returns.std(ddof=1) / sqrt(number)) if number > 1 else 0.0,
        success=sum(known) / number if known else None,
        mean_turns=sum(len(trajectory.turns) for trajectory in trajectories) / number,
        terms=_sums(trajectories),
        metrics=_final_metrics(trajectories),
    )


def summarise_by_policy(trajectories: Sequence[Trajectory]) -> list[Summary]:
    """Return one summary per environment and policy: by environment, the best return first."""
    groups: dict[tuple[str, str], list[Trajectory]] = {}
    for trajectory in trajectories:
        groups.setdefault((trajectory.env_id, policy_of(trajectory)), []).append(trajectory)
    summaries = [summarise(group) for group in groups.values()]
    return sorted(summaries, key=lambda s: (s.env_id, -s.mean_return, s.policy))


def _sums(trajectories: Sequence[Trajectory]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for trajectory in trajectories:
        for name, value in trajectory.term_sums.items():
            sums[name] = sums.get(name, 0.0) + value
    return {name: value / len(trajectories) for name, value in sorted(sums.items())}


def _final_metrics(trajectories: Sequence[Trajectory]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for trajectory in trajectories:
        for name, value in trajectory.metrics.items():
            values.setdefault(name, []).append(float(value))
    means = {name: sum(found) / len(found) for name, found in values.items()}
    if {"aware_tp", "aware_fp", "aware_fn"} <= means.keys():
        right = 2 * means["aware_tp"]
        wrong = means["aware_fp"] + means["aware_fn"]
        if right + wrong > 0:
            means["f1_aware"] = right / (right + wrong)
    return dict(sorted(means.items()))


def bootstrap_interval(
    values: Sequence[float], *, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> Interval:
    """Return the mean of values with its percentile bootstrap interval.

    Args:
        values: One per episode.
        level: Coverage, between 0 and 1.
        draws: Resamples.
        seed: Of the resampling.

    Raises:
        ValueError: If there are no values.
    """
    if not values:
        raise ValueError("expected at least one value, got none")
    sample = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    means = np.array(
        [sample[rng.integers(len(sample), size=len(sample))].mean() for _ in range(draws)]
    )
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(mean=float(sample.mean()), low=float(low), high=float(high))
