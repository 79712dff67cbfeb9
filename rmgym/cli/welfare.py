"""Welfare on the command line: effects of treatments on paired seeds, and the plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
from rich.console import Console
from rich.table import Table

from rmgym.agents.catalog import make_policy
from rmgym.cli.runs import LiveProgress
from rmgym.envs.welfare.effects import Effect, paired_effects
from rmgym.envs.welfare.plane import Point, draw_plane, points_of
from rmgym.envs.welfare.treatments import treat
from rmgym.rollout import rollout
from rmgym.rollout.store import read_trajectories
from rmgym.trajectory import Trajectory

WELFARE = "rmgym/Welfare-v0"
PLANE_POLICIES = ("random", "fair", "efficient", "hybrid", "single_best", "greedy", "optimal")
SHOWN_FIGURES = ("return", "swf", "fairness", "roi")
Effects = dict[str, dict[str, list[Effect]]]
"""policy -> treatment -> effects."""


def measure_treatments(
    console: Console,
    env_id: str,
    policies: Sequence[str],
    treatments: Sequence[str],
    *,
    settings: Mapping[str, Any],
    episodes: int,
    seed: int,
) -> Effects:
    """Play every policy with and without each treatment on the same seeds; return the effects."""
    effects: Effects = {}
    with LiveProgress(console) as live:
        for name in policies:
            played = [
                _play(live, env_id, name, treatment, settings, episodes, seed)
                for treatment in (None, *treatments)
            ]
            effects[name] = {
                treatment: paired_effects(played[0], treated)
                for treatment, treated in zip(treatments, played[1:], strict=True)
            }
    return effects


def _play(
    live: LiveProgress,
    env_id: str,
    policy: str,
    treatment: str | None,
    settings: Mapping[str, Any],
    episodes: int,
    seed: int,
) -> list[Trajectory]:
    env = gym.make(env_id, **settings)
    if treatment is not None:
        env = treat(env, treatment)
    label = policy if treatment is None else f"{policy}, {treatment}"
    bar = live.add(f"{env_id} · {label}", episodes)
    result = rollout(
        env,
        make_policy(env_id, policy, env),
        episodes,
        seed=seed,
        progress=lambda ended: live.show(bar, ended),
        policy_name=label,
    )
    env.close()
    if result.failures:
        raise ValueError(
            f"expected {episodes} episodes of {label}, got {len(result.failures)} failures: "
            f"{result.failures[0].message}"
        )
    return list(result)


def effects_table(
    env_id: str, effects: Effects, *, figures: Sequence[str] = SHOWN_FIGURES
) -> Table:
    """Return the differences as a table, a row for each policy and treatment; `*` if clear of 0."""
    title = f"{env_id}: difference with the treatment, paired by seed [95 % interval]"
    table = Table("policy", "treatment", *figures, title=title)
    for policy, by_treatment in effects.items():
        for treatment, found in by_treatment.items():
            by_figure = {effect.figure: effect for effect in found}
            cells = [_cell(by_figure.get(figure)) for figure in figures]
            table.add_row(policy, treatment, *cells)
    return table


def _cell(effect: Effect | None) -> str:
    if effect is None:
        return ""
    found = effect.difference
    mark = "*" if effect.is_clear else ""
    return f"{found.mean:+.3f}{mark} [{found.low:+.3f}, {found.high:+.3f}]"


def effects_as_figures(effects: Effects) -> dict[str, Any]:
    """Return the effects as plain data, for JSON."""
    return {
        policy: {
            treatment: {
                effect.figure: {
                    "without": effect.control,
                    "with": effect.treated,
                    "difference": effect.difference.mean,
                    "low": effect.difference.low,
                    "high": effect.difference.high,
                    "pairs": effect.pairs,
                }
                for effect in found
            }
            for treatment, found in by_treatment.items()
        }
        for policy, by_treatment in effects.items()
    }


def make_plane(
    console: Console,
    *,
    policies: Sequence[str] = PLANE_POLICIES,
    stores: Sequence[Path] = (),
    settings: Mapping[str, Any],
    episodes: int,
    seed: int,
    out: Path,
) -> list[Point]:
    """Play policies, add stored episodes, print and draw the plane."""
    played: list[Trajectory] = []
    with LiveProgress(console) as live:
        for name in policies:
            played += _play(live, WELFARE, name, None, settings, episodes, seed)
    for store in stores:
        played += read_trajectories(store)
    points = points_of(played)
    table = Table("allocator", "fairness", "ROI", "SWF", title="mean [95 % interval]")
    for point in sorted(points, key=lambda point: -point.swf.mean):
        table.add_row(point.name, str(point.fairness), str(point.roi), str(point.swf))
    console.print(table)
    console.print(f"Picture: {draw_plane(points, out)}")
    return points
