"""Consistency of two rankings as a weight on preference pairs (CREAM).

Source: Raibows/CREAM, `cal_consistency.py` and `sft_dpo_trainer.py`. Confidence: source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from rmgym.errors import RewardError
from rmgym.rewards.facts import finite, finite_all, same_length, within
from rmgym.rewards.ranks import kendall, spearman


def kendall_consistency(rank_prev: Sequence[float], rank_now: Sequence[float]) -> float:
    """Return (tau + 1) / 2, 0 to 1.

    Raises:
        RewardError: If a ranking is shorter than two or constant.
    """
    return _scaled("Kendall's tau", kendall, rank_prev, rank_now)


def spearman_consistency(rank_prev: Sequence[float], rank_now: Sequence[float]) -> float:
    """Return (rho + 1) / 2, 0 to 1.

    Raises:
        RewardError: If a ranking is shorter than two or constant.
    """
    return _scaled("Spearman's rho", spearman, rank_prev, rank_now)


def top_order_consistency(
    rank_prev: Sequence[float],
    rank_now: Sequence[float],
    compat: Literal["paper", "release"] = "paper",
) -> float:
    """Return 1.0 if both rankings have the same best and the same worst answer, else 0.0.

    The release compares the ranks of the first and of the last entry of the list instead.

    >>> top_order_consistency([2, 1, 4, 3], [2, 4, 1, 3], "release")
    1.0
    """
    before, now = finite_all("rank_prev", rank_prev), finite_all("rank_now", rank_now)
    same_length("rankings", before, now)
    if not before:
        raise RewardError("expected at least one ranked answer, got none")
    if compat == "release":
        return float(before[0] == now[0] and before[-1] == now[-1])
    ends = [(row.index(min(row)), row.index(max(row))) for row in (before, now)]
    return float(ends[0] == ends[1])


def consistency_loss(consistency: float, loss_forward: float, loss_reversed: float) -> float:
    """Return C * loss(chosen over rejected) + (1 - C) * loss(reversed)."""
    weight = within("consistency", consistency, 0.0, 1.0)
    forward = finite("loss_forward", loss_forward)
    return weight * forward + (1.0 - weight) * finite("loss_reversed", loss_reversed)


def _scaled(
    what: str,
    statistic: Callable[[Sequence[float], Sequence[float]], float | None],
    rank_prev: Sequence[float],
    rank_now: Sequence[float],
) -> float:
    before, now = finite_all("rank_prev", rank_prev), finite_all("rank_now", rank_now)
    same_length("rankings", before, now)
    found = statistic(before, now)
    if found is None:
        raise RewardError(
            f"expected two rankings that are not constant, got {before} and {now}; {what} is "
            "undefined"
        )
    return (found + 1.0) / 2.0
