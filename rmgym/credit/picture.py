"""The benchmark's result as a picture: agreement of every scheme, and the best one turn by turn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rmgym.credit.agreement import regression
from rmgym.credit.report import CreditReport, Ranked
from rmgym.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "reward": "#3b6fb6",
    "estimator": "#d98032",
    "baseline": "#8c8c8c",
    "oracle": "#3f9b5b",
}
_KINDS = {
    "reward": "reward term",
    "estimator": "advantage estimator",
    "baseline": "baseline",
    "oracle": "oracle (true values, measured again)",
}
_ROW_INCHES = 0.24
_LEAST_HEIGHT = 7.0


def draw_report(report: CreditReport, path: Path) -> Path:
    """Write the picture; its format is that of the path's ending.

    Left: Spearman of each scheme's credit with the true value of turns, with 95 % intervals, and
    the same over the turns before the last. Right: true value against credit, turn by turn, for the
    best scheme over all turns and the best over those before the last.

    Raises:
        MissingExtraError: If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("the picture of a credit report", "plots") from None
    rows = [row for row in report.ranked if row.agreement.spearman or row.before_end]
    height = max(_LEAST_HEIGHT, 1.9 + _ROW_INCHES * len(rows))
    figure = Figure(figsize=(13.5, height), layout="constrained")
    places = figure.add_gridspec(2, 2, width_ratios=(1.6, 1))
    _draw_ranking(figure.add_subplot(places[:, 0]), rows)
    every = np.ones_like(report.truth.last)
    panels = ((report.best, every, "all turns"), (report.best_before_end, ~report.truth.last, None))
    for place, (best, chosen, what) in enumerate(panels):
        axes = figure.add_subplot(places[place, 1])
        if best is None:
            axes.set_axis_off()
            axes.text(
                0.5, 0.5, _wrapped(report.note or "nothing to rank"), ha="center", va="center"
            )
        else:
            axes.set_title(f"The best over {what or 'the turns before the last'}", fontsize=10)
            _draw_turns(axes, report, best, chosen)
    budget = report.budget
    figure.suptitle(
        f"{report.env_id}: which credit agrees with what a turn was worth?\n"
        f"{budget.episodes} episodes, {budget.turns} turns, {budget.replays_per_state} replays of "
        f"each state; worth in units of {report.outcome}",
        fontsize=11,
    )
    figure.savefig(path, dpi=130)
    return path


def _draw_ranking(axes: Axes, rows: list[Ranked]) -> None:
    places = np.arange(len(rows))[::-1]
    shown: dict[str, Any] = {}
    for place, row in zip(places, rows, strict=True):
        overall, inner = row.agreement.spearman, row.before_end and row.before_end.spearman
        kind = row.scheme.kind
        if overall:
            bar = axes.barh(place, overall.value, color=COLOURS[kind], height=0.72, alpha=0.85)
            axes.plot([overall.low, overall.high], [place, place], color="black", linewidth=1)
            shown.setdefault(_KINDS[kind], bar)
        else:
            axes.text(0.005, place, "constant: no correlation", va="center", fontsize=7)
        if inner:
            (mark,) = axes.plot(
                inner.value, place, "D", markersize=5, color="white", markeredgecolor="black"
            )
            shown.setdefault("turns before the last alone", mark)
    axes.set_yticks(places, [row.scheme.name for row in rows], fontsize=8)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.set_xlabel("Spearman correlation with the true value difference, 95 % interval")
    axes.legend(
        shown.values(), shown.keys(), loc="lower center", bbox_to_anchor=(0.4, 1.0),
        ncols=3, fontsize=8, frameon=False,
    )  # fmt: skip


def _draw_turns(axes: Axes, report: CreditReport, best: Ranked, chosen: NDArray[np.bool_]) -> None:
    truth, credit = report.truth, best.scheme.credit
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, len(credit))
    jitter = 0.03 * float(np.ptp(credit[chosen])) * noise
    for is_last, label in ((False, "turn before the last"), (True, "last turn")):
        dots = chosen & (truth.last == is_last)
        if dots.any():
            axes.errorbar(
                (credit + jitter)[dots],
                truth.values[dots],
                yerr=truth.errors[dots],
                fmt="s" if is_last else "o",
                markersize=3.5,
                elinewidth=0.5,
                alpha=0.45,
                color="#b0413e" if is_last else "#3b6fb6",
                label=label,
            )
    slope, intercept = regression(credit[chosen], truth.values[chosen])
    ends = np.array([credit[chosen].min(), credit[chosen].max()])
    line = f"value = {intercept[0]:+.2f} {slope[0]:+.2f} * credit"
    axes.plot(ends, intercept[0] + slope[0] * ends, color="black", linewidth=1.2, label=line)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.grid(alpha=0.3)
    axes.set_xlabel(f"credit by {best.scheme.name}")
    axes.set_ylabel("true value, standard error")
    axes.legend(fontsize=8)


def _wrapped(text: str, words: int = 8) -> str:
    parts = text.split()
    return "\n".join(" ".join(parts[i : i + words]) for i in range(0, len(parts), words))
