"""Token rewards that a model's own logits hold, by the inverse soft Bellman equation.

Source: third-party notes on "Generalist Reward Models". Confidence: secondary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rmgym.errors import RewardError
from rmgym.protocols import Grant
from rmgym.rewards.facts import event_fact, finite
from rmgym.trajectory import Context


@dataclass(frozen=True, slots=True)
class EndogenousRewards:
    """Soft values and rewards of one response."""

    values: tuple[float, ...]
    """V of each step and the terminal value: one more than there are tokens."""
    rewards: tuple[float, ...]


def endogenous_rewards(
    logits: Sequence[Sequence[float]],
    actions: Sequence[int],
    *,
    alpha: float = 1.0,
    terminal_value: float = 0.0,
) -> EndogenousRewards:
    """Return r_h = Q(s_h, a_h) - V(s_{h+1}), with Q the logits and V = alpha logsumexp(Q / alpha).

    The rewards sum to alpha * log pi(response) + V(s_1) - V(terminal).

    Args:
        logits: Row h holds the logits at step h; all finite.
        actions: The token chosen at each step.
        alpha: Temperature, above 0.
        terminal_value: V after the last token.

    Raises:
        RewardError: If a number is not finite, an action is off the vocabulary, or lengths differ.
    """
    q = np.asarray(logits, dtype=np.float64)
    if q.ndim != 2 or len(q) != len(actions) or len(q) == 0:
        raise RewardError(
            f"expected one row of logits per action, got shape {q.shape} for {len(actions)} actions"
        )
    if not np.isfinite(q).all():
        raise RewardError("expected finite logits, got NaN or infinity")
    if not all(0 <= a < q.shape[1] for a in actions) or not finite("alpha", alpha) > 0:
        raise RewardError(
            f"expected actions in 0..{q.shape[1] - 1} and alpha above 0, got {list(actions)} and "
            f"{alpha}"
        )
    values = np.append(_soft_values(q, alpha), finite("terminal_value", terminal_value))
    rewards = q[np.arange(len(q)), np.asarray(actions)] - values[1:]
    return EndogenousRewards(tuple(map(float, values)), tuple(map(float, rewards)))


def sequence_logprob(
    logits: Sequence[Sequence[float]], actions: Sequence[int], alpha: float = 1.0
) -> float:
    """Return log pi(response) of the policy softmax(Q / alpha)."""
    q = np.asarray(logits, dtype=np.float64)
    chosen = q[np.arange(len(q)), np.asarray(actions)]
    return float(((chosen - _soft_values(q, alpha)) / alpha).sum())


def _soft_values(q: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    top = q.max(axis=1, keepdims=True)
    summed = np.exp((q - top) / alpha).sum(axis=1)
    values: NDArray[np.float64] = top[:, 0] + alpha * np.log(summed)
    return values


@dataclass(frozen=True, slots=True)
class EndogenousReward:
    """The sum of a turn's endogenous token rewards.

    Range: unbounded. Needs: `event["logits"]` and `event["actions"]` of the turn's tokens; a turn
    without tokens earns 0. Equation: `endogenous_rewards`; each turn ends with V = 0. The value of
    a turn depends on the scale of the logits: use it to compare, or whiten it.
    """

    alpha: float = 1.0
    name: str = "endogenous"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        actions = event_fact(context.last, "actions")
        if not len(actions):
            return 0.0
        logits = event_fact(context.last, "logits")
        return sum(endogenous_rewards(logits, actions, alpha=self.alpha).rewards)
