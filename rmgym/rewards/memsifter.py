"""Marginal utility of a ranking of memories for a working model (MemSifter).

Source: plageon/MemSifter, `genrank_verl/task_reward_score.py`. Confidence: source.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from rmgym.errors import RewardError
from rmgym.protocols import Grant, Score
from rmgym.rewards.facts import each, event_fact, finite, finite_all, same_length, task_fact
from rmgym.trajectory import Context

Compat: TypeAlias = Literal["paper", "release"]
RANKED = 10
"""How many memories a ranking holds, or all if there are fewer."""

_RANKING = re.compile(r"<ranking>([^<>]*)</ranking>")


def fibonacci_tiers(k: int) -> list[int]:
    """Return 1, 2, 3, 5, 8, ... up to k, and k itself.

    >>> fibonacci_tiers(10)
    [1, 2, 3, 5, 8, 10]
    """
    if k < 1:
        raise RewardError(f"expected at least one ranked memory, got k = {k}")
    tiers, following = [1], 2
    while following < k:
        tiers.append(following)
        following = tiers[-1] + tiers[-2]
    return tiers if k == 1 else [*tiers, k]


def tier_weights(tiers: Sequence[int]) -> list[float]:
    """Return w_i = C(F_i) - C(F_{i+1}), the last w_N = C(F_N), with C(k) = 1 / log2(k + 1).

    They sum to 1 if the first tier is 1.
    """
    if not tiers or any(a >= b for a, b in pairwise(tiers)) or tiers[0] < 1:
        raise RewardError(f"expected rising tiers from 1 up, got {list(tiers)}")
    gains = [1.0 / math.log2(tier + 1) for tier in tiers]
    return [now - later for now, later in zip(gains, [*gains[1:], 0.0], strict=True)]


def marginal_utility(
    baseline_score: float,
    tiers: Sequence[int],
    scores: Sequence[float],
    compat: Compat = "paper",
) -> float:
    """Return sum_i w_i (s_i - s_0): what the top memories add to working without any.

    The release starts its loop at the second tier while it subtracts s_0 in full, so the first
    of several tiers counts as a score of 0: sum_{i>1} w_i s_i - s_0.

    Args:
        baseline_score: s_0, the working model's score without memory.
        tiers: Numbers of memories given.
        scores: s_i, its score with the top `tiers[i]`.
        compat: "paper", or "release" for the authors' loop.
    """
    same_length("tiers and scores", tiers, scores)
    values = finite_all("scores", scores)
    if compat == "release" and len(values) > 1:
        values[0] = 0.0
    baseline = finite("baseline_score", baseline_score)
    weights = tier_weights(tiers)
    total = sum(w * s for w, s in zip(weights, values, strict=True))
    return total - baseline * (1.0 if compat == "release" else sum(weights))


def gold_dcg(ranking: Sequence[int], gold: Sequence[int]) -> float:
    """Return the DCG of gold items divided by their number (not by the ideal DCG).

    Raises:
        RewardError: If there is no gold item.
    """
    if not gold:
        raise RewardError("expected at least one gold item, got none")
    wanted = frozenset(gold)
    places = [place for place, item in enumerate(dict.fromkeys(ranking), 1) if item in wanted]
    return sum(1.0 / math.log2(place + 1) for place in places) / len(gold)


def parse_ranking(text: str, memories: int, ranked: int = RANKED) -> list[int] | None:
    """Return the ids in the ranking tags, or None unless they are min(ranked, memories) valid ones.

    >>> parse_ranking("<ranking>2, 0, 1</ranking>", memories=3)
    [2, 0, 1]
    >>> parse_ranking("<ranking>2, 2, 2</ranking>", memories=3) is None
    True
    """
    blocks = _RANKING.findall(text)
    parts = blocks[0].split(",") if len(blocks) == 1 else []
    if not parts or not all(part.strip().isdecimal() and len(part) < 10 for part in parts):
        return None
    ids = [int(part) for part in parts]
    valid = len(set(ids)) == len(ids) == min(ranked, memories) and max(ids) < memories
    return ids if valid else None


@dataclass(frozen=True, slots=True)
class MarginalUtility:
    """MemSifter's reward of a ranking of memories.

    Range: -1 to 1 for scores from 0 to 1. Needs: `task["memories"]`, their number;
    `event["baseline_score"]` and `event["tier_scores"]`, the working model's scores without memory
    and at the tiers of `fibonacci_tiers`. Equation: `marginal_utility`. A ranking with a missing,
    repeated or unknown id earns 0.
    """

    compat: Compat = "paper"
    name: str = "memsifter"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one score per context."""
        return each(self._score, contexts)

    def _score(self, context: Context) -> float:
        ranking = parse_ranking(context.last.completion.text, int(task_fact(context, "memories")))
        if ranking is None:
            return 0.0
        baseline = event_fact(context.last, "baseline_score")
        scores = event_fact(context.last, "tier_scores")
        return marginal_utility(baseline, fibonacci_tiers(len(ranking)), scores, self.compat)
