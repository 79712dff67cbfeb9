"""Self-aligned reward: how much the question lowers the answer's perplexity (SAR).

Source: amazon-science, `verl/utils/reward_score/efficiency_reward.py`. Confidence: source.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.errors import RewardError, ScorerError
from rmgym.protocols import Grant, RewardTerm, Score, Scorer, Target
from rmgym.rewards.answers import ExactMatch, answer_of
from rmgym.rewards.facts import finite, finite_all, outcome_value
from rmgym.trajectory import Context

WEIGHT = 0.2
"""The paper's weight on this term beside the outcome."""

_EPS = 1e-9
_FLOOR = -1.0


def perplexity(logprobs: Sequence[float]) -> float:
    """Return exp of minus the mean log-probability.

    Raises:
        RewardError: If there is none or one is not finite.
    """
    values = finite_all("logprobs", logprobs)
    if not values:
        raise RewardError("expected log-probabilities of at least one token, got none")
    return math.exp(-sum(values) / len(values))


def self_aligned(ppl_with_question: float, ppl_alone: float) -> float:
    """Return max((ppl(a) - ppl(a|q)) / (ppl(a) + 1e-9), -1).

    Range -1 to below 1; the paper also clips at 1, which cannot be passed.

    Raises:
        RewardError: If a perplexity is not finite or negative.
    """
    given, alone = finite("ppl_with_question", ppl_with_question), finite("ppl_alone", ppl_alone)
    if given < 0 or alone < 0:
        raise RewardError(f"expected perplexities of at least 0, got {given} and {alone}")
    return max((alone - given) / (alone + _EPS), _FLOOR)


def with_base(base: float, sar: float, weight: float = WEIGHT) -> float:
    """Return base + weight * SAR."""
    return finite("base", base) + finite("weight", weight) * finite("sar", sar)


@dataclass(frozen=True, slots=True)
class SelfAligned:
    """SAR of the answering turn, by a scorer.

    Range: -1 to 1. Needs: a `Scorer`. Equation: `self_aligned`, the response scored after the
    conversation and after nothing.

    An answer that repeats the question, true or not, gets a high SAR. So a positive value is paid
    to right answers only, by the outcome term; `outcome=None` is the paper's form, in which SAR is
    added to a base of correctness. No answer earns 0.
    """

    scorer: Scorer
    outcome: RewardTerm | None = ExactMatch()  # noqa: RUF009
    right: float = 0.5
    name: str = "sar"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        """Return one score per context, scoring everything in one batch."""
        answered = [i for i, context in enumerate(contexts) if answer_of(context)]
        asked = [Context(contexts[i].turns[:-1], contexts[i].last.observation) for i in answered]
        targets = [Target(contexts[i].last.completion.text) for i in answered]
        alone = [Context((), ())] * len(asked)
        scored = self.scorer.logprobs([*asked, *alone], targets * 2) if asked else []
        if len(scored) != 2 * len(asked):
            raise ScorerError(f"expected {2 * len(asked)} results, got {len(scored)}")
        perplexities = [perplexity(each.logprobs) for each in scored]
        scores = [Score(0.0) for _ in contexts]
        for place, i in enumerate(answered):
            scores[i] = self._score(perplexities[place], perplexities[place + len(answered)])
        return self._gated(scores, contexts)

    def _score(self, given: float, alone: float) -> Score:
        metrics = {f"{self.name}/ppl_with_question": given, f"{self.name}/ppl_alone": alone}
        return Score(self_aligned(given, alone), metrics)

    def _gated(self, scores: list[Score], contexts: Sequence[Context]) -> list[Score]:
        if self.outcome is None:
            return scores
        outcomes = outcome_value(self.outcome, contexts)
        return [
            score if outcome >= self.right else Score(min(score.value or 0.0, 0.0), score.metrics)
            for score, outcome in zip(scores, outcomes, strict=True)
        ]
