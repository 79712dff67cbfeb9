"""Pairwise loss of a reward model that calls tools before it scores (Themis).

Source: ernie-research/Tool-Augmented-Reward-Model, `src/models/reward_model.py`. Confidence:
source.
"""

from __future__ import annotations

import math

from rmgym.rewards.facts import finite

WEIGHT = 0.5


def pairwise_loss(chosen: float, rejected: float) -> float:
    """Return -log sigmoid(chosen - rejected), at least 0."""
    margin = finite("chosen", chosen) - finite("rejected", rejected)
    return max(-margin, 0.0) + math.log1p(math.exp(-abs(margin)))


def themis_loss(chosen: float, rejected: float, lm_loss: float, weight: float = WEIGHT) -> float:
    """Return the language-model loss on the tool trace + weight * pairwise loss."""
    return finite("lm_loss", lm_loss) + finite("weight", weight) * pairwise_loss(chosen, rejected)
