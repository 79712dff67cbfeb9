"""Keep the preference pairs on which two internal judges agree (SCIR).

Source: third-party notes. Confidence: secondary.
"""

from __future__ import annotations

from collections.abc import Sequence

from rmgym.errors import RewardError
from rmgym.rewards.facts import finite_all, same_length


def agreeing_pairs(
    judge_sign: Sequence[float], implicit_sign: Sequence[float]
) -> tuple[list[bool], float]:
    """Return which pairs both judges order alike, and the share of them.

    Args:
        judge_sign: Above 0 where the judging prompt prefers the first answer, below 0 the second.
        implicit_sign: The same for the implicit reward beta * log(pi / pi_ref).

    A pair on which a judge is indifferent (0) is not kept.

    >>> agreeing_pairs([1, -1], [1, 1])
    ([True, False], 0.5)
    """
    first, second = finite_all("judge_sign", judge_sign), finite_all("implicit_sign", implicit_sign)
    same_length("signs of the two judges", first, second)
    if not first:
        raise RewardError("expected at least one pair, got none")
    pairs = zip(first, second, strict=True)
    keep = [(a > 0 and b > 0) or (a < 0 and b < 0) for a, b in pairs]
    return keep, sum(keep) / len(keep)
