"""From verdicts to a number, with nothing missing and nothing made up."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rmgym.errors import JudgeError
from rmgym.protocols import Rubric, Verdict


def nothing(rubric: Rubric, reason: str) -> tuple[Verdict, ...]:
    """Return the worst choice of every criterion."""
    return tuple(
        Verdict(criterion=c.name, choice=c.choices[0], reason=reason) for c in rubric.criteria
    )


def in_order(verdicts: Sequence[Verdict], rubric: Rubric) -> tuple[Verdict, ...]:
    """Return the verdicts in the order of the rubric.

    Raises:
        JudgeError: If one is missing, doubled, off the menu, or on no criterion of the rubric.
    """
    by_name: dict[str, Verdict] = {}
    for verdict in verdicts:
        if verdict.criterion in by_name:
            raise JudgeError(f"expected one verdict on {verdict.criterion!r}, got two")
        by_name[verdict.criterion] = verdict
    names = [criterion.name for criterion in rubric.criteria]
    missing = [name for name in names if name not in by_name]
    strangers = sorted(name for name in by_name if name not in names)
    if missing or strangers:
        raise JudgeError(
            f"expected verdicts on {names}, got none on {missing} and strangers {strangers}"
        )
    for criterion in rubric.criteria:
        by_name[criterion.name].score(criterion)
    return tuple(by_name[name] for name in names)


def weighted_score(verdicts: Sequence[Verdict], rubric: Rubric) -> float:
    """Return the weighted mean of the verdicts' ranks on their menus.

    From 0 to 1, as long as no weight is negative.

    Raises:
        JudgeError: If a verdict is missing, doubled or off the menu.
    """
    ordered = in_order(verdicts, rubric)
    # Scaled by a power of two, which is exact, so that no sum of finite weights overflows.
    _, exponent = math.frexp(max(criterion.weight for criterion in rubric.criteria))
    shares = [math.ldexp(criterion.weight, -exponent) for criterion in rubric.criteria]
    earned = [
        share * verdict.score(criterion)
        for share, verdict, criterion in zip(shares, ordered, rubric.criteria, strict=True)
    ]
    return sum(earned) / sum(shares)
