"""Token-wise teacher by extrapolation between a DPO model and its reference (AlignDistil).

Source: AlignDistil, `aligndistil_trainer.py`. Confidence: source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.rewards.facts import finite, finite_all, same_length

_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, slots=True)
class AdaptiveTeacher:
    """The teacher of one token."""

    weight: float
    teacher_logits: tuple[float, ...]
    loss_scale: float
    """Factor on the reverse KL to the teacher."""


def extrapolation_weight(p_dpo: Sequence[float], p_ref: Sequence[float], beta2: float) -> float:
    """Return beta2 * sum |p_dpo - p_ref| + 0.001."""
    dpo, ref = finite_all("p_dpo", p_dpo), finite_all("p_ref", p_ref)
    same_length("distributions", dpo, ref)
    distance = sum(abs(a - b) for a, b in zip(dpo, ref, strict=True))
    return finite("beta2", beta2) * distance + _LEAST_WEIGHT


def adaptive_teacher(
    p_dpo: Sequence[float],
    p_ref: Sequence[float],
    z_dpo: Sequence[float],
    z_ref: Sequence[float],
    *,
    beta: float = 0.1,
    beta2: float = 15.0,
) -> AdaptiveTeacher:
    """Return weight w, teacher logits w * (z_dpo - z_ref) + z_dpo, and loss scale beta / w.

    Args:
        p_dpo: Token probabilities of the DPO model.
        p_ref: Those of its reference.
        z_dpo: Logits of the DPO model.
        z_ref: Those of its reference.
        beta: Strength of the penalty.
        beta2: Scale of the weight: 15 on-policy, 10 off-policy.
    """
    weight = extrapolation_weight(p_dpo, p_ref, beta2)
    dpo, ref = finite_all("z_dpo", z_dpo), finite_all("z_ref", z_ref)
    same_length("logits", dpo, ref)
    logits = tuple(weight * (d - r) + d for d, r in zip(dpo, ref, strict=True))
    return AdaptiveTeacher(weight, logits, finite("beta", beta) / weight)
