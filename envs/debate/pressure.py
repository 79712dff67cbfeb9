"""How pressure tells: accuracy and over-competition against the second lambda, by judge.

    python -m rmgym.envs.debate.pressure --out pressure.png

plays scripted debaters (`contender` unless told otherwise: a made-up model of pressure, which says
nothing about any language model) under every judge and pressure, on the same seeds, prints a table
and draws the picture. `pressure_points` takes any policies.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any, TypeAlias

from rmgym.envs.debate.arena import DebateArena
from rmgym.envs.debate.judges import JudgeKind
from rmgym.envs.debate.seat import DEBATE_ID, play_arena, seat_players
from rmgym.errors import MissingExtraError
from rmgym.protocols import Policy

ARMS: tuple[JudgeKind, ...] = ("none", "fair", "biased", "peer")
PRESSURES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
COLOURS = {"none": "#6b6b6b", "fair": "#3b6fb6", "biased": "#b0413e", "peer": "#d98032"}
Players: TypeAlias = Callable[[DebateArena], dict[str, Policy]]


@dataclass(frozen=True, slots=True)
class PressurePoint:
    """What one judge and one pressure gave."""

    judge: str
    pressure: float
    accuracy: float
    accuracy_error: float
    """Standard error over the debates."""
    over_competition: float
    """Mean over seats and debates, 0 to 4."""
    over_competition_error: float


def pressure_points(
    players: Players,
    *,
    judges: Sequence[JudgeKind] = ARMS,
    pressures: Sequence[float] = PRESSURES,
    episodes: int = 100,
    agents: int = 4,
    rounds: int = 6,
    seed: int = 0,
) -> list[PressurePoint]:
    """Play every judge under every pressure, all on the same seeds.

    Args:
        players: Makes who plays each seat of an arena.
        judges: The arms.
        pressures: The second lambda.
        episodes: Debates a point, at least 2.
        agents: Seats.
        rounds: Rounds of a debate.
        seed: Seed of the first debate.

    Raises:
        ValueError: If there are fewer than 2 episodes.
    """
    if episodes < 2:
        raise ValueError(f"expected at least 2 episodes a point, got {episodes}")
    points = []
    for judge in judges:
        for pressure in pressures:
            arena = DebateArena(
                agents=agents,
                rounds=rounds,
                judge=judge,
                pressure=pressure,
                framing="survival" if pressure else "none",
            )
            points.append(_point(arena, players(arena), judge, pressure, episodes, seed))
    return points


def _point(
    arena: DebateArena,
    players: dict[str, Policy],
    judge: str,
    pressure: float,
    episodes: int,
    seed: int,
) -> PressurePoint:
    right, rude = [], []
    for episode in range(episodes):
        infos = play_arena(arena, players, seed + episode)
        metrics = [info["metrics"] for info in infos.values()]
        right.append(metrics[0]["accuracy"])
        rude.append(sum(each["over_competition"] for each in metrics) / len(metrics))
    return PressurePoint(judge, pressure, *_mean_and_error(right), *_mean_and_error(rude))


def _mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, sqrt(variance / len(values))


def draw_pressure(points: Sequence[PressurePoint], path: Path, *, title: str = "") -> Path:
    """Write the picture; its format is that of the path's ending.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("the picture of pressure", "plots") from None
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for judge in dict.fromkeys(point.judge for point in points):
        own = [point for point in points if point.judge == judge]
        places = [point.pressure for point in own]
        style: dict[str, Any] = {
            "color": COLOURS.get(judge),
            "label": judge,
            "marker": "o",
            "capsize": 3,
        }
        style["linestyle"] = "--" if judge == "peer" else "-"
        left.errorbar(
            places, [p.accuracy for p in own], [1.96 * p.accuracy_error for p in own], **style
        )
        right.errorbar(
            places,
            [p.over_competition for p in own],
            [1.96 * p.over_competition_error for p in own],
            **style,
        )
    for axes, label in ((left, "accuracy of the decision"), (right, "over-competition, 0 to 4")):
        axes.set_xlabel(r"pressure $\lambda_2$ (weight of winning)")
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    left.set_ylim(0, 1)
    right.set_ylim(bottom=0)
    left.legend(title="judge")
    figure.suptitle(title or "Pressure in a debate, by judge; bars are 95 % intervals", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path


def table(points: Sequence[PressurePoint]) -> str:
    """Return the points as text, one line each."""
    lines = [f"{'judge':<8} {'lambda2':>7} {'accuracy':>14} {'over-competition':>18}"]
    for p in points:
        lines.append(
            f"{p.judge:<8} {p.pressure:>7g} {p.accuracy:>7.3f} ±{p.accuracy_error:.3f} "
            f"{p.over_competition:>11.3f} ±{p.over_competition_error:.3f}"
        )
    return "\n".join(lines)


def scripted(arena: DebateArena, *, names: Sequence[str]) -> dict[str, Policy]:
    """Return scripted debaters for an arena, the names repeated over its seats."""
    seats = arena.possible_agents
    chosen = [names[i % len(names)] for i in range(len(seats))]
    return seat_players(arena, DEBATE_ID, seats, chosen)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, print the table and write the picture."""
    parser = argparse.ArgumentParser(prog="python -m rmgym.envs.debate.pressure")
    parser.add_argument("--out", type=Path, default=Path("pressure.png"))
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--players", nargs="+", default=["contender"], help="scripted debaters")
    chosen = parser.parse_args(arguments)
    points = pressure_points(
        partial(scripted, names=chosen.players),
        episodes=chosen.episodes,
        agents=chosen.agents,
        rounds=chosen.rounds,
        seed=chosen.seed,
    )
    title = (
        f"Scripted debaters ({', '.join(chosen.players)}), {chosen.agents} agents, "
        f"{chosen.rounds} rounds, {chosen.episodes} debates a point; bars are 95 % intervals"
    )
    picture = draw_pressure(points, chosen.out, title=title)
    print(table(points))
    print(f"Picture: {picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
