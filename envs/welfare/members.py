"""The twelve recipients of the benchmark: public scores and what they cost to run.

Facts of the Social Welfare Function benchmark (arXiv 2510.01164): scores of the public Open LLM
Leaderboard, and GPU-seconds per thousand tokens as the mean over its throughput measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SCORE_NAMES = ("IFEval", "BBH", "MATH", "GPQA", "MuSR", "MMLU-Pro")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A recipient of tasks."""

    name: str
    code: str
    """Three letters that stand for the name where it is hidden."""
    scores: tuple[float, float, float, float, float, float]
    """Public benchmark scores, 0 to 100, in the order of `SCORE_NAMES`."""
    gpu_seconds: float
    """GPU-seconds per thousand tokens."""

    @property
    def mean_score(self) -> float:
        """Mean of the public scores."""
        return sum(self.scores) / len(self.scores)


def _member(name: str, code: str, gpu_seconds: float, *scores: float) -> Member:
    first, second, third, fourth, fifth, sixth = scores
    return Member(
        name=name,
        code=code,
        scores=(first, second, third, fourth, fifth, sixth),
        gpu_seconds=gpu_seconds,
    )


MEMBERS: tuple[Member, ...] = (
    _member("Mistral24B", "AAA", 0.8776, 62.83, 40.56, 34.43, 11.07, 10.23, 20.39),
    _member("Qwen1.5B", "DDD", 0.0536, 33.71, 13.70, 7.18, 1.57, 12.03, 16.68),
    _member("Qwen3B", "EEE", 0.0792, 64.75, 25.80, 36.78, 3.02, 7.57, 25.05),
    _member("phi4", "FFF", 0.4421, 69.00, 55.80, 46.37, 13.53, 16.68, 49.15),
    _member("Qwen7B", "HHH", 0.1259, 75.85, 34.89, 50.00, 5.48, 8.45, 36.52),
    _member("Llama8B", "III", 0.1427, 49.22, 29.38, 15.56, 8.72, 8.61, 31.09),
    _member("Gemma9B", "JJJ", 0.2758, 74.36, 42.14, 19.49, 14.77, 9.74, 31.95),
    _member("Qwen14B", "KKK", 0.3068, 81.58, 48.36, 54.76, 9.62, 10.16, 43.38),
    _member("Qwen32B", "LLL", 0.7040, 83.46, 56.49, 62.54, 11.74, 13.50, 51.85),
    _member("DSQwen32B", "MMM", 0.7935, 41.86, 17.15, 17.07, 4.59, 16.14, 40.96),
    _member("Qwen72B", "OOO", 1.9141, 79.89, 57.48, 41.77, 16.33, 17.17, 48.92),
    _member("Llama70B", "PPP", 1.5424, 86.69, 55.93, 38.07, 14.21, 17.69, 47.88),
)


def choose_members(which: int | Sequence[Member]) -> tuple[Member, ...]:
    """Return so many members, spread evenly over what they cost, or those given.

    >>> [member.name for member in choose_members(3)]
    ['Qwen1.5B', 'phi4', 'Qwen72B']

    Raises:
        ValueError: If fewer than 2, more than there are, or two of one name or code.
    """
    if isinstance(which, int):
        if not 2 <= which <= len(MEMBERS):
            raise ValueError(f"expected 2 to {len(MEMBERS)} members, got {which}")
        by_cost = sorted(MEMBERS, key=lambda member: member.gpu_seconds)
        places = [round(i * (len(MEMBERS) - 1) / (which - 1)) for i in range(which)]
        chosen = [by_cost[place] for place in places]
        return tuple(sorted(chosen, key=MEMBERS.index))
    members = tuple(which)
    for kind, labels in (
        ("names", [member.name.casefold() for member in members]),
        ("codes", [member.code.casefold() for member in members]),
    ):
        if len(members) < 2 or len(set(labels)) < len(members):
            raise ValueError(f"expected at least 2 members of different {kind}, got {labels}")
    return members
