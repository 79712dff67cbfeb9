"""The efficiency-fairness plane: who allocates how evenly, at what return on cost.

    rmgym rollout rmgym/Welfare-v0 -p fair -n 50 --out fair.jsonl
    python -m rmgym.envs.welfare.plane fair.jsonl --out plane.png

Every policy of the stores becomes a point; curves join points of equal SWF.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rmgym.errors import MissingExtraError
from rmgym.rollout.store import read_trajectories
from rmgym.rollout.summary import Interval, bootstrap_interval, policy_of
from rmgym.trajectory import Trajectory

_CURVES = (5, 10, 20, 40, 80, 160, 320)
_COLOURS = ("#1f5f8b", "#b3541e", "#2e7d4f", "#7b3f8c", "#8a6d1a", "#a8324a", "#3d3d3d", "#0f7f86")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One allocator on the plane: means over its episodes, with intervals."""

    name: str
    fairness: Interval
    """1 - Gini of the assignments, 0 to 1."""
    roi: Interval
    """Reward points per GPU-second."""
    swf: Interval
    """Mean of the products, which is not the product of the means."""
    highlighted: bool = False


def make_point(
    name: str,
    fairness: Sequence[float],
    roi: Sequence[float],
    *,
    highlighted: bool = False,
) -> Point:
    """Return the point of an allocator from the figures of its episodes, in order."""
    products = [fair * ratio for fair, ratio in zip(fairness, roi, strict=True)]
    return Point(
        name=name,
        fairness=bootstrap_interval(fairness),
        roi=bootstrap_interval(roi),
        swf=bootstrap_interval(products),
        highlighted=highlighted,
    )


def points_of(trajectories: Sequence[Trajectory]) -> list[Point]:
    """Return one point per policy, in the order in which they first appear.

    Raises:
        ValueError: If an episode does not end with the metrics `fairness` and `roi`.
    """
    columns: dict[str, list[tuple[float, float]]] = {}
    for trajectory in trajectories:
        ends = trajectory.metrics
        if "fairness" not in ends or "roi" not in ends:
            raise ValueError(
                f"expected episodes of rmgym/Welfare-v0 in mode swf, got one of {trajectory.env_id}"
                " that does not end with fairness and roi"
            )
        pair = (ends["fairness"], ends["roi"])
        columns.setdefault(policy_of(trajectory), []).append(pair)
    return [
        make_point(name, [fair for fair, _ in column], [roi for _, roi in column])
        for name, column in columns.items()
    ]


def draw_plane(points: Sequence[Point], out: Path, *, title: str = "Output and fairness") -> Path:
    """Write the plane as a picture (PNG, SVG or PDF, by the name's ending) and return its path.

    ROI stands on a logarithmic axis; bars are 95 % intervals, where they can be seen.

    Raises:
        ValueError: If there is no point.
        MissingExtraError: If matplotlib is not installed.
    """
    if not points:
        raise ValueError("expected at least one allocator to draw, got none")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("the efficiency-fairness plane", "plots") from error
    figure = Figure(figsize=(9.0, 6.0), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    values = [max(point.roi.mean, 1e-3) for point in points]
    low, high = 0.6 * min(values), 1.9 * max(values)
    axes.set_yscale("log")
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(low, high)
    _draw_curves(axes, low, high)
    _draw_points(axes, points)
    ticks = [tick for tick in (5, 10, 20, 50, 100, 200, 500, 1000) if low <= tick <= high]
    axes.set_yticks(ticks, labels=[str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("fairness: 1 - Gini of the assignments")
    axes.set_ylabel("efficiency: reward points per GPU-second (ROI)")
    axes.set_title(title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out)
    return out


def _draw_curves(axes: Any, low: float, high: float) -> None:
    fairness = np.linspace(0.01, 1.0, 400)
    for level in _CURVES:
        roi = level / fairness
        inside = (roi >= low) & (roi <= high)
        if not inside.any():
            continue
        axes.plot(fairness, roi, color="#c9c9c9", linewidth=0.9, zorder=1)
        if low <= level <= high:
            axes.annotate(
                f"SWF {level}",
                (1.0, level),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color="#8c8c8c",
                annotation_clip=False,
            )


def _draw_points(axes: Any, points: Sequence[Point]) -> None:
    beside = _label_sides(points)
    for i, (point, (dx, dy, side)) in enumerate(zip(points, beside, strict=True)):
        colour = _COLOURS[i % len(_COLOURS)]
        x, y = point.fairness, point.roi
        axes.errorbar(
            x.mean,
            y.mean,
            xerr=[[max(x.mean - x.low, 0.0)], [max(x.high - x.mean, 0.0)]],
            yerr=[[max(y.mean - y.low, 0.0)], [max(y.high - y.mean, 0.0)]],
            color=colour,
            marker="*" if point.highlighted else "o",
            markersize=13 if point.highlighted else 7,
            elinewidth=1.0,
            zorder=3,
        )
        axes.annotate(
            f"{point.name} ({point.swf.mean:.1f})",
            (x.mean, y.mean),
            xytext=(dx, dy),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=9,
            color=colour,
            weight="bold" if point.highlighted else "normal",
            zorder=4,
        )


def _label_sides(points: Sequence[Point]) -> list[tuple[float, float, str]]:
    """Return where each label goes, so that those of neighbours do not cover one another."""
    sides: list[tuple[float, float, str]] = []
    taken: list[tuple[float, float, bool]] = []
    for point in points:
        x, y = point.fairness.mean, float(np.log(max(point.roi.mean, 1e-3)))
        options = [(10.0, 0.0), (-10.0, 0.0), (10.0, 11.0), (-10.0, 11.0), (10.0, -11.0)]
        options = [o for o in options if not (x > 0.75 and o[0] > 0)]
        scored = [(_crowding(x, y, option, taken), n) for n, option in enumerate(options)]
        dx, dy = options[min(scored)[1]]
        taken.append((x, y + dy * 0.008, dx > 0))
        sides.append((dx, dy, "left" if dx > 0 else "right"))
    return sides


def _crowding(
    x: float, y: float, option: tuple[float, float], taken: Sequence[tuple[float, float, bool]]
) -> int:
    here, right = y + option[1] * 0.008, option[0] > 0
    return sum(
        abs(here - other) < 0.08
        and ((right == side and abs(x - place) < 0.22) or ((place > x) == right != side
             and abs(x - place) < 0.4))
        for place, other, side in taken
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the plane of stored episodes."""
    parser = argparse.ArgumentParser(prog="python -m rmgym.envs.welfare.plane", description=__doc__)
    parser.add_argument("stores", nargs="+", type=Path, help="stores of trajectories (JSONL)")
    parser.add_argument("--out", type=Path, default=Path("plane.png"), help="the picture")
    parsed = parser.parse_args(arguments)
    trajectories = [t for store in parsed.stores for t in read_trajectories(store)]
    points = points_of(trajectories)
    for point in points:
        print(f"{point.name}: fairness {point.fairness}, ROI {point.roi}, SWF {point.swf}")
    print(f"Picture: {draw_plane(points, parsed.out)}")


if __name__ == "__main__":
    main()
