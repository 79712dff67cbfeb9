"""Implicit step values beta * log(pi / pi_ref), and the action they pick.

Source: third-party notes on "Step-Level Q-Value Models", arXiv 2409.09345. Confidence: secondary.
"""

from __future__ import annotations

from collections.abc import Sequence

from rmgym.errors import RewardError
from rmgym.rewards.facts import finite, finite_all, same_length


def implicit_q(logp: Sequence[float], ref_logp: Sequence[float], beta: float = 0.1) -> list[float]:
    """Return beta * (log pi - log pi_ref) of each action."""
    said, ref = finite_all("logp", logp), finite_all("ref_logp", ref_logp)
    same_length("log-probabilities", said, ref)
    strength = finite("beta", beta)
    return [strength * (a - b) for a, b in zip(said, ref, strict=True)]


def pick(q: Sequence[float]) -> int:
    """Return the index of the greatest value, the first of equals.

    Raises:
        RewardError: If there is none.
    """
    values = finite_all("q", q)
    if not values:
        raise RewardError("expected at least one sampled action, got none")
    return values.index(max(values))
