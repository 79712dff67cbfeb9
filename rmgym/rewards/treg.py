"""Token rewards from two prompts to one model, a better and a worse one (T-REG).

Source: third-party notes. Confidence: secondary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.protocols import Grant, Scorer
from rmgym.rewards.facts import finite_all, same_length
from rmgym.rewards.scored_turns import turn_logprobs
from rmgym.trajectory import Context


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)) without overflow."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))


def token_rewards(
    logp_better_prompt: Sequence[float], logp_worse_prompt: Sequence[float]
) -> list[float]:
    """Return sigmoid(log pi(y_t | better) - log pi(y_t | worse)) - 0.5 of each token.

    Range -0.5 to 0.5.

    >>> token_rewards([-1.0], [-1.0])
    [0.0]
    """
    better = finite_all("logp_better_prompt", logp_better_prompt)
    worse = finite_all("logp_worse_prompt", logp_worse_prompt)
    same_length("log-probabilities under both prompts", better, worse)
    return [sigmoid(b - w) - 0.5 for b, w in zip(better, worse, strict=True)]


@dataclass(frozen=True, slots=True)
class ContrastivePrompts:
    """The mean of a turn's T-REG token rewards.

    Range: -0.5 to 0.5. Needs: a `Scorer` and two instructions, one that asks for a good answer, one
    for a bad one. Equation: the mean of `token_rewards`, so that length does not pay; a silent turn
    earns 0.
    """

    scorer: Scorer
    better: str
    worse: str
    name: str = "treg"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        better = turn_logprobs(self.scorer, contexts, self.better)
        worse = turn_logprobs(self.scorer, contexts, self.worse)
        rows = [token_rewards(b, w) for b, w in zip(better, worse, strict=True)]
        return [sum(row) / len(row) if row else 0.0 for row in rows]
