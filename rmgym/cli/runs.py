"""Rollouts under a live display, and the tables that follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from rmgym.agents.catalog import make_policy
from rmgym.rollout import EpisodeFailure, Rollout, TrajectoryStore, rollout
from rmgym.rollout.summary import Summary, summarise_by_policy
from rmgym.trajectory import Trajectory
from rmgym.vector import make_vec


class LiveProgress:
    """A progress bar per policy, with the mean return so far."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._totals: dict[TaskID, tuple[int, float]] = {}

    def __enter__(self) -> LiveProgress:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def add(self, label: str, episodes: int) -> TaskID:
        """Add a bar and return its number."""
        return self._progress.add_task(label, total=episodes, figures="")

    def show(self, bar: TaskID, ended: Trajectory | EpisodeFailure) -> None:
        """Count an episode that ended."""
        if isinstance(ended, EpisodeFailure):
            self._progress.update(bar, advance=1)
            return
        number, total = self._totals.get(bar, (0, 0.0))
        number, total = number + 1, total + ended.episode_return
        self._totals[bar] = (number, total)
        self._progress.update(bar, advance=1, figures=f"return {total / number:+.3f}")

    def fill(self, bar: TaskID, episodes: int) -> None:
        """Mark a bar as done: what a store held already was not played."""
        self._progress.update(bar, completed=episodes)


def play_into_store(
    console: Console,
    env_id: str,
    policy_name: str,
    *,
    settings: Mapping[str, Any],
    episodes: int,
    seed: int,
    out: Path | None,
    num_envs: int = 1,
) -> Rollout:
    """Play episodes of an id, with a bar, into a store that is resumed if it exists."""
    single = gym.make(env_id, **settings)
    policy = make_policy(env_id, policy_name, single)
    with LiveProgress(console) as live:
        bar = live.add(f"{env_id} · {policy_name}", episodes)
        if num_envs == 1:
            env: Any = single
        else:
            env = make_vec(env_id, num_envs, mode="thread", isolate_errors=True, **settings)
        store = TrajectoryStore(out) if out is not None else None
        try:
            result = rollout(
                env,
                policy,
                episodes,
                seed=seed,
                store=store,
                progress=lambda ended: live.show(bar, ended),
                policy_name=policy_name,
            )
        finally:
            if store is not None:
                store.close()
            env.close()
        live.fill(bar, episodes)
    return result


def show_leaderboard(console: Console, trajectories: Sequence[Trajectory]) -> None:
    """Print return, each reward term, success and turns of each policy, a table a setting."""
    summaries = summarise_by_policy(trajectories)
    for env_id in dict.fromkeys(summary.env_id for summary in summaries):
        rows = [summary for summary in summaries if summary.env_id == env_id]
        console.print(_leaderboard(env_id, rows))


def _leaderboard(env_id: str, rows: Sequence[Summary]) -> Table:
    terms = sorted({name for row in rows for name in row.terms})
    heads = ["policy", "episodes", "return", *terms, "success", "turns"]
    table = Table(*heads, title=env_id, title_justify="left")
    for row in rows:
        figures = [f"{row.terms[name]:+.3f}" if name in row.terms else "" for name in terms]
        table.add_row(
            row.policy,
            str(row.episodes),
            f"{row.mean_return:+.3f} ± {row.return_error:.3f}",
            *figures,
            "" if row.success is None else f"{row.success:.3f}",
            f"{row.mean_turns:.2f}",
        )
    return table


def show_metrics(console: Console, trajectories: Sequence[Trajectory]) -> None:
    """Print the mean of every metric at the end of the episodes that have it."""
    for summary in summarise_by_policy(trajectories):
        table = Table("metric", "mean", title=f"{summary.env_id} · {summary.policy}")
        for name, value in summary.metrics.items():
            table.add_row(name, f"{value:.4f}")
        console.print(table)


def show_failures(console: Console, result: Rollout) -> None:
    """Print how many episodes failed of what; they are no trajectories."""
    for message, number in Counter(failure.message for failure in result.failures).items():
        noun = "episode" if number == 1 else "episodes"
        console.print(f"[red]{number} {noun} failed and left out:[/] {escape(message)}")
