"""Value-augmented sampling: logits shifted by centred values of the likeliest tokens (VAS).

Source: VAS, `vas_trainer.py`. Confidence: source.
"""

from __future__ import annotations

from collections.abc import Sequence

from rmgym.errors import RewardError
from rmgym.rewards.facts import finite, finite_all, same_length

TOP_K = 20


def value_augmented_logits(
    logits: Sequence[float], values: Sequence[float], *, top_k: int = TOP_K, beta: float = 1.0
) -> list[float]:
    """Return logits + beta * (V - mean V) over the `top_k` likeliest tokens; others unchanged.

    >>> value_augmented_logits([2.0, 1.0, 0.0], [1.0, 3.0, 9.0], top_k=2)
    [1.0, 2.0, 0.0]
    """
    shifted, worth = finite_all("logits", logits), finite_all("values", values)
    same_length("logits and values", shifted, worth)
    if top_k < 1:
        raise RewardError(f"expected top_k of at least 1, got {top_k}")
    top = sorted(range(len(shifted)), key=lambda i: (-shifted[i], i))[:top_k]
    mean = sum(worth[i] for i in top) / len(top) if top else 0.0
    strength = finite("beta", beta)
    for i in top:
        shifted[i] += strength * (worth[i] - mean)
    return shifted
