"""Log-density ratio of a strong and a weak model (CDR).

Source: third-party notes. Confidence: secondary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.protocols import Grant, Scorer
from rmgym.rewards.facts import finite_all
from rmgym.rewards.scored_turns import turn_logprobs
from rmgym.trajectory import Context


def density_ratio(logp_strong: Sequence[float], logp_weak: Sequence[float]) -> float:
    """Return log pi_strong(y|x) - log pi_weak(y|x), summed over tokens, not per token.

    The models may split the text into different numbers of tokens.

    >>> round(density_ratio([-1.0, -0.5], [-1.5, -0.4]), 9)
    0.4
    """
    return sum(finite_all("logp_strong", logp_strong)) - sum(finite_all("logp_weak", logp_weak))


@dataclass(frozen=True, slots=True)
class DensityRatio:
    """CDR of a turn, by two scorers, e.g. a preference-tuned model and its parent.

    Range: unbounded; long turns weigh more. Needs: two `Scorer`s. Equation: `density_ratio` of what
    the agent said, after the conversation and a `criterion`. A silent turn earns 0.
    """

    strong: Scorer
    weak: Scorer
    criterion: str = ""
    """An instruction in front of the conversation, for both models."""
    name: str = "cdr"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context; each model is asked once for the whole batch."""
        strong = turn_logprobs(self.strong, contexts, self.criterion)
        weak = turn_logprobs(self.weak, contexts, self.criterion)
        return [density_ratio(s, w) for s, w in zip(strong, weak, strict=True)]
