"""A judge without a prompt: how much likelier a strong model finds an answer than a weak one.

Source: third-party notes on CDR; the ratio is `rmgym.rewards.cdr.density_ratio`. Confidence:
secondary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rmgym.errors import JudgeError, ScorerError
from rmgym.judges.guarded import GuardedListJudge
from rmgym.judges.protocols import Ranking, Slate
from rmgym.messages import Observation, message
from rmgym.protocols import Scorer, Target
from rmgym.rewards.cdr import density_ratio
from rmgym.trajectory import Context


class DensityRatioJudge(GuardedListJudge):
    """Ranks by log pi_strong(answer | question) - log pi_weak(answer | question).

    The ratio is a sum over tokens, so long answers weigh more. The score is its logistic function,
    0 to 1: the probability that the answer beats one on which both models agree. The order is that
    of the ratios themselves, and of equal ones that of the slate. The principle of a slate, if it
    has one, is an instruction in front of the question, for both models.

    Args:
        strong: E.g. a preference-tuned model.
        weak: E.g. the model that it was tuned from.
        unguarded_for_research: Takes away the guard.
    """

    def __init__(
        self, strong: Scorer, weak: Scorer, *, unguarded_for_research: bool = False
    ) -> None:
        super().__init__(unguarded_for_research=unguarded_for_research)
        self.strong = strong
        self.weak = weak

    def _rank(self, slates: Sequence[Slate]) -> list[Ranking]:
        rows = [(slate, answer) for slate in slates for answer in slate.answers.values()]
        ratios = iter(self._ratios(rows))
        return [_ranking({name: next(ratios) for name in slate.answers}) for slate in slates]

    def _ratios(self, rows: Sequence[tuple[Slate, str]]) -> list[float]:
        contexts = [Context((), _opening(slate)) for slate, _ in rows]
        targets = [Target(answer) for _, answer in rows]
        strong, weak = (_ask(scorer, contexts, targets) for scorer in (self.strong, self.weak))
        return [density_ratio(s, w) for s, w in zip(strong, weak, strict=True)]


def _ask(
    scorer: Scorer, contexts: Sequence[Context], targets: Sequence[Target]
) -> list[tuple[float, ...]]:
    try:
        found = scorer.logprobs(contexts, targets)
    except ScorerError as error:
        raise JudgeError(f"expected log-probabilities of each answer, got: {error}") from error
    if len(found) != len(targets) or not all(row.logprobs for row in found):
        raise JudgeError(f"expected log-probabilities of each of {len(targets)} answers, got fewer")
    if not all(math.isfinite(value) for row in found for value in row.logprobs):
        raise JudgeError("expected finite log-probabilities of each answer, got another value")
    return [row.logprobs for row in found]


def _opening(slate: Slate) -> Observation:
    instruction = (message("system", slate.principle),) if slate.principle.strip() else ()
    return (*instruction, message("user", slate.question))


def _ranking(ratios: Mapping[str, float]) -> Ranking:
    listed = ", ".join(f"{name} {ratio:.4g}" for name, ratio in ratios.items())
    return Ranking(
        scores={name: _logistic(ratio) for name, ratio in ratios.items()},
        order=tuple(sorted(ratios, key=lambda name: -ratios[name])),
        reason=f"log-ratios: {listed}",
    )


def _logistic(value: float) -> float:
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    return math.exp(value) / (1.0 + math.exp(value))
