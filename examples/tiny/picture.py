"""Curves over seeds: means, 95 % intervals, a picture and a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiny.schemes import SCHEMES

STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365}
"""97.5 % quantile of Student's t for that many seeds."""
LEVEL = 0.75
"""Success whose first crossing is given in the table."""
HUES = ("#444444", "#1b6ca8", "#c0582b", "#3b8a3e", "#8a5aa8", "#b8a12f")
COLOURS = dict(zip(SCHEMES, HUES, strict=True))
Floats = NDArray[np.float64]


class Curves(NamedTuple):
    """One measure of one scheme, a row a seed, on a common grid of environment steps."""

    steps: Floats
    rows: Floats

    @property
    def mean(self) -> Floats:
        """Mean over seeds."""
        average: Floats = self.rows.mean(axis=0)
        return average


def half_width(rows: Floats) -> Floats:
    """Return half the 95 % t interval of the mean over rows; NaN for a single row."""
    count = len(rows)
    if count < 2:
        return np.full(rows.shape[1:], np.nan)
    half: Floats = STUDENT[count] * rows.std(axis=0, ddof=1) / np.sqrt(count)
    return half


def curves(results: Sequence[dict[str, Any]], scheme: str, measure: str) -> Curves:
    """Return a measure of a scheme, between measured points along straight lines."""
    own = [result["points"] for result in results if result["scheme"] == scheme]
    steps = [[point["env_steps"] for point in points] for points in own]
    grid = np.linspace(0, min(row[-1] for row in steps), len(steps[0]))
    values = [[point[measure] for point in points] for points in own]
    rows = [np.interp(grid, x, y) for x, y in zip(steps, values, strict=True)]
    return Curves(grid, np.array(rows))


def schemes_of(results: Sequence[dict[str, Any]]) -> list[str]:
    """Return the schemes that have a result, in their usual order."""
    return [name for name in SCHEMES if any(result["scheme"] == name for result in results)]


def draw(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw success, all questions and two-hop ones, against environment steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    measures = {"success": "all questions", "two_hop_success": "two-hop questions"}
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (measure, title) in zip(panels, measures.items(), strict=True):
        for name in schemes_of(results):
            found = curves(results, name, measure)
            label = f"{SCHEMES[name].label}, {len(found.rows)} seeds"
            axes.plot(found.steps, found.mean, color=COLOURS[name], linewidth=2, label=label)
            for row in found.rows:
                axes.plot(found.steps, row, color=COLOURS[name], linewidth=0.5, alpha=0.5)
            half = half_width(found.rows)
            low, high = found.mean - half, found.mean + half
            axes.fill_between(found.steps, low, high, color=COLOURS[name], alpha=0.12, linewidth=0)
        axes.set_title(f"Held-out world, {title}")
        axes.set_xlabel("environment steps (turns played in training)")
        axes.set_ylim(0, 1)
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("success (exact match)")
    panels[0].legend(loc="lower right", fontsize=8)
    figure.supxlabel("thick: mean; thin: seeds; band: 95 % t interval of the mean", fontsize=8)
    figure.savefig(path, dpi=120)


def table(results: Sequence[dict[str, Any]]) -> str:
    """Return a Markdown table: success at the start, on average and at the end, by scheme.

    The last but one column: steps until success first reached `LEVEL`, seed by seed.
    """
    lines = [
        f"| scheme | seeds | start | mean over training | end | end, two-hop | steps to {LEVEL} | "
        "CPU s a run |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in schemes_of(results):
        whole, two = (curves(results, name, m) for m in ("success", "two_hop_success"))
        average = np.array([_average(r["points"]) for r in results if r["scheme"] == name])
        seconds = curves(results, name, "cpu_seconds").mean[-1]
        cells = [whole.rows[:, 0], average, whole.rows[:, -1], two.rows[:, -1]]
        shown = " | ".join(_interval(cell) for cell in cells)
        reached = ", ".join(_crossing(whole.steps, row) for row in whole.rows)
        head = f"{SCHEMES[name].label} | {len(whole.rows)}"
        lines.append(f"| {head} | {shown} | {reached} | {seconds:.0f} |")
    return "\n".join(lines)


def ranked(results: Sequence[dict[str, Any]]) -> list[tuple[str, float]]:
    """Return schemes with their mean success over training and seeds, best first."""
    found = {
        name: float(np.mean([_average(r["points"]) for r in results if r["scheme"] == name]))
        for name in schemes_of(results)
    }
    return sorted(found.items(), key=lambda item: -item[1])


def paired(results: Sequence[dict[str, Any]], base: str = "outcome") -> str:
    """Return a Markdown table: each scheme minus `base`, seed by seed, mean over training."""
    lines = ["| scheme minus outcome only | per seed | mean |", "|---|---|---|"]
    averages = {(r["scheme"], r["seed"]): _average(r["points"]) for r in results}
    for name in schemes_of(results):
        seeds = [s for n, s in averages if n == name and (base, s) in averages]
        if name == base or not seeds:
            continue
        apart = np.array([averages[name, s] - averages[base, s] for s in seeds])
        each = ", ".join(f"{value:+.3f}" for value in apart)
        lines.append(f"| {SCHEMES[name].label} | {each} | {_interval(apart, sign='+')} |")
    return "\n".join(lines)


def _crossing(steps: Floats, row: Floats) -> str:
    """Return when a row first reaches `LEVEL`, along straight lines; "-" if it never does."""
    at = int(np.argmax(row >= LEVEL))
    if row[at] < LEVEL:
        return "-"
    if at == 0:
        return "0"
    share = (LEVEL - row[at - 1]) / (row[at] - row[at - 1])
    return f"{steps[at - 1] + share * (steps[at] - steps[at - 1]):.0f}"


def _average(points: Sequence[dict[str, Any]]) -> float:
    steps = np.array([point["env_steps"] for point in points], dtype=np.float64)
    success = np.array([point["success"] for point in points])
    return float(np.trapezoid(success, steps) / steps[-1])


def _interval(values: Floats, sign: str = "") -> str:
    half = float(half_width(values))
    mean = f"{values.mean():{sign}.3f}"
    return mean if np.isnan(half) else f"{mean} ± {half:.3f}"
