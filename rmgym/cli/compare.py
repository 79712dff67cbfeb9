"""Several policies on the same seeds: figures with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from rmgym.cli.runs import play_into_store
from rmgym.rollout.summary import bootstrap_interval, success_of
from rmgym.trajectory import Trajectory

Figures = dict[str, dict[str, dict[str, float]]]
"""policy -> figure -> mean, low, high."""


def evaluate_policies(
    console: Console,
    env_id: str,
    policies: Sequence[str],
    *,
    settings: Mapping[str, Any],
    episodes: int,
    seed: int,
) -> Figures:
    """Play every policy on the same seeds and return its figures with 95 % intervals."""
    figures: Figures = {}
    for name in policies:
        result = play_into_store(
            console, env_id, name, settings=settings, episodes=episodes, seed=seed, out=None
        )
        if not len(result):
            first = result.failures[0].message if result.failures else "no episode"
            raise ValueError(f"expected episodes of {name}, got only failures: {first}")
        figures[name] = figures_of(list(result))
    return figures


def figures_of(trajectories: Sequence[Trajectory]) -> dict[str, dict[str, float]]:
    """Return the interval of return, success, turns and each reward term."""
    columns: dict[str, list[float]] = {
        "return": [trajectory.episode_return for trajectory in trajectories],
        "turns": [float(len(trajectory.turns)) for trajectory in trajectories],
    }
    successes = [success_of(trajectory) for trajectory in trajectories]
    known = [success for success in successes if success is not None]
    if known:
        columns["success"] = known
    names = sorted({name for trajectory in trajectories for name in trajectory.term_sums})
    for name in names:
        columns[name] = [t.term_sums[name] for t in trajectories if name in t.term_sums]
    intervals = {name: bootstrap_interval(values) for name, values in columns.items()}
    return {
        name: {"mean": interval.mean, "low": interval.low, "high": interval.high}
        for name, interval in intervals.items()
    }


def compare_table(env_id: str, figures: Figures) -> Table:
    """Return the figures as a table, one row per policy."""
    names = list(dict.fromkeys(name for row in figures.values() for name in row))
    table = Table("policy", *names, title=f"{env_id}: mean [95 % interval]")
    for policy, row in figures.items():
        cells = [
            f"{row[name]['mean']:.3f} [{row[name]['low']:.3f}, {row[name]['high']:.3f}]"
            if name in row
            else ""
            for name in names
        ]
        table.add_row(policy, *cells)
    return table
