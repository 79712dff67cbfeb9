"""One self-contained HTML page of trajectories: turns, reward terms as bars, belief curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rmgym.errors import MissingExtraError
from rmgym.rollout.summary import Summary, policy_of, success_of, summarise_by_policy
from rmgym.trajectory import Trajectory, Turn

CURVE_WIDTH = 520
CURVE_HEIGHT = 120
_MARGIN = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One reward term of one turn, drawn from the middle line."""

    name: str
    value: float
    left: float
    """Per cent of the bar's box, from the left."""
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A potential over the turns, as points of an SVG."""

    name: str
    points: tuple[tuple[float, float, float], ...]
    """x, y in pixels, and the value."""
    low: float
    high: float

    @property
    def peak(self) -> int | None:
        """The turn after which the belief rose most, from 1; None if it never rose."""
        values = [value for *_, value in self.points]
        rises = [after - before for before, after in pairwise(values)]
        largest = max(rises, default=0.0)
        return rises.index(largest) + 1 if largest > 0 else None

    @property
    def path(self) -> str:
        """The points as an SVG polyline."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in self.points)


def write_page(
    trajectories: Sequence[Trajectory], path: str | Path, *, title: str = "rmgym trajectories"
) -> Path:
    """Write the page and return where it stands.

    Raises:
        MissingExtraError: If jinja2 is not installed.
    """
    html = render_page(trajectories, title=title)
    target = Path(path)
    target.write_bytes(html.encode("utf-8", "replace"))
    return target


def render_page(trajectories: Sequence[Trajectory], *, title: str = "rmgym trajectories") -> str:
    """Return the page as HTML; scripts, styles and pictures are inside it."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("the HTML page", "cli") from error
    loader = jinja2.PackageLoader("rmgym.cli", "templates")
    jinja = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = jinja.get_template("page.html.jinja")
    summaries = summarise_by_policy(trajectories)
    order = {(row.env_id, row.policy): rank for rank, row in enumerate(summaries)}
    trajectories = sorted(trajectories, key=lambda t: order[t.env_id, policy_of(t)])
    best = max(range(len(trajectories)), key=lambda i: _interest(trajectories[i]), default=0)
    html: str = template.render(
        title=title,
        boards=_boards(summaries),
        summaries=summaries,
        episodes=[_episode(trajectory) for trajectory in trajectories],
        opened=best,
        curve_width=CURVE_WIDTH,
        curve_height=CURVE_HEIGHT,
    )
    return html


def _interest(trajectory: Trajectory) -> tuple[float, int]:
    """Return what decides which episode is open at first: success, then the number of turns."""
    return (success_of(trajectory) or 0.0, len(trajectory.turns))


def _boards(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """Return the leaderboard of each setting: its rows and the names of its terms."""
    ids = dict.fromkeys(summary.env_id for summary in summaries)
    boards = []
    for env_id in ids:
        rows = [summary for summary in summaries if summary.env_id == env_id]
        names = sorted({name for row in rows for name in row.terms})
        boards.append({"env_id": env_id, "rows": rows, "term_names": names})
    return boards


def _episode(trajectory: Trajectory) -> dict[str, Any]:
    scale = max(
        (abs(v) for turn in trajectory.turns for v in turn.reward_terms.values()), default=1.0
    )
    curves = belief_curves(trajectory)
    return {
        "env_id": trajectory.env_id,
        "policy": policy_of(trajectory),
        "seed": trajectory.seed,
        "task_id": trajectory.task_id,
        "episode_return": trajectory.episode_return,
        "terms": trajectory.term_sums,
        "stop_reason": trajectory.stop_reason or "running",
        "metrics": trajectory.metrics,
        "curves": curves,
        "peaks": {curve.peak: curve.name for curve in curves if curve.peak},
        "turns": [
            {
                "observation": turn.observation,
                "text": turn.completion.text,
                "reward": turn.reward,
                "bars": term_bars(turn, scale or 1.0),
            }
            for turn in trajectory.turns
        ],
        "final_observation": trajectory.final_observation,
    }


def term_bars(turn: Turn, scale: float) -> list[Bar]:
    """Return a turn's reward terms as bars; `scale` is the value that fills half the box."""
    bars = []
    for name, value in turn.reward_terms.items():
        width = min(50.0, 50.0 * abs(value) / scale)
        left = 50.0 - width if value < 0 else 50.0
        bars.append(Bar(name=name, value=value, left=left, width=width))
    return bars


def belief_curves(trajectory: Trajectory) -> list[Curve]:
    """Return each potential that a term logged (`<term>/potential`) as a curve over the turns.

    The curve starts at the first turn's baseline (`<term>/baseline`): the bare question.
    """
    names = {
        key.removesuffix("/potential"): None
        for turn in trajectory.turns
        for key in turn.info.get("metrics", {})
        if key.endswith("/potential")
    }
    return [_curve(name, _belief_values(trajectory, name)) for name in names]


def _belief_values(trajectory: Trajectory, name: str) -> list[float]:
    metrics = [turn.info.get("metrics", {}) for turn in trajectory.turns]
    values = [m[f"{name}/potential"] for m in metrics if f"{name}/potential" in m]
    first = next((m[f"{name}/baseline"] for m in metrics if f"{name}/baseline" in m), None)
    return values if first is None else [first, *values]


def _curve(name: str, values: Sequence[float]) -> Curve:
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    step = (CURVE_WIDTH - 2 * _MARGIN) / max(1, len(values) - 1)
    points = tuple(
        (
            _MARGIN + i * step,
            _MARGIN + (CURVE_HEIGHT - 2 * _MARGIN) * (1 - (value - low) / span),
            value,
        )
        for i, value in enumerate(values)
    )
    return Curve(name=name, points=points, low=low, high=high)
