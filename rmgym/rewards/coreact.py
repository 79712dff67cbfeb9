"""Reward of a rubric generator: does ranking by its rubric agree with experts (Co-ReAct).

Source: ZBWpro/Co-ReAct, `rubric_rl/reward_fn.py`. Confidence: source; its docstring announces
other weights (0.65/0.15/0.10/0.10) than the code uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.errors import RewardError
from rmgym.protocols import Grant, Score
from rmgym.rewards.facts import each, event_fact, finite_all, same_length, task_fact
from rmgym.rewards.ranks import average_ranks, spearman
from rmgym.trajectory import Context

_RANKING, _ATOMIC, _FORMAT = 0.75, 0.15, 0.10
_UNDEFINED = 0.5
_FEWEST, _MOST = 3, 5
_WEIGHT_SLACK = 0.15
_ROUNDING = 1e-9
MAX_REPEATED = 0.4
"""More than this share of repeated 4-grams earns nothing."""


@dataclass(frozen=True, slots=True)
class RubricScore:
    """The parts of a rubric generator's reward."""

    spearman_term: float
    """(rho + 1) / 2; 0.5 where rho is undefined."""
    atomicity: float
    format: float
    reward: float
    expert_ranking: tuple[float, ...]


def rubric_score(
    rubric_ranking: Sequence[float],
    expert_borda: Sequence[float],
    *,
    atomic_criteria: int,
    criteria: int,
    weights: Sequence[float],
) -> RubricScore:
    """Return 0.75 (rho + 1) / 2 + 0.15 atomic / criteria + 0.10 format, 0 to 1.

    rho is Spearman's correlation between the ranking by the rubric and that by experts (a lower
    Borda count is better, ties share the mean rank). Format: 0.5 for three to five criteria, 0.5 if
    the positive weights sum to 1 within 0.15. Under two criteria only the format part is left.
    """
    same_length("rubric ranks and expert counts", rubric_ranking, expert_borda)
    experts = average_ranks(finite_all("expert_borda", expert_borda))
    if not 0 <= atomic_criteria <= criteria:
        raise RewardError(
            f"expected 0 <= atomic_criteria <= criteria, got {atomic_criteria} and {criteria}"
        )
    form = _format(criteria, weights)
    if criteria < 2:
        return RubricScore(0.0, 0.0, form, _FORMAT * form, tuple(experts))
    rho = spearman(finite_all("rubric_ranking", rubric_ranking), experts)
    agreement = _UNDEFINED if rho is None else (rho + 1.0) / 2.0
    atomicity = atomic_criteria / criteria
    reward = _RANKING * agreement + _ATOMIC * atomicity + _FORMAT * form
    return RubricScore(agreement, atomicity, form, reward, tuple(experts))


def repeated_share(text: str, order: int = 4) -> float:
    """Return the share of n-grams of words that have stood in the text before, 0 to 1.

    >>> repeated_share("a b c d a b c d a b c d")
    0.5555555555555556
    """
    words = text.split()
    ngrams = [tuple(words[i : i + order]) for i in range(len(words) - order + 1)]
    return 1.0 - len(set(ngrams)) / len(ngrams) if ngrams else 0.0


def _format(criteria: int, weights: Sequence[float]) -> float:
    positive = sum(weight for weight in finite_all("weights", weights) if weight > 0)
    sums_to_one = abs(positive - 1.0) <= _WEIGHT_SLACK + _ROUNDING
    return 0.5 * (_FEWEST <= criteria <= _MOST) + 0.5 * sums_to_one


@dataclass(frozen=True, slots=True)
class RubricGenerator:
    """Co-ReAct's reward of an agent that writes a rubric for four candidate actions.

    Range: 0 to 1. Needs: `task["expert_borda"]`; at the last turn `event["rubric_ranking"]` (a
    judge's, by the rubric), `event["criteria"]` (their number), `event["atomic_criteria"]`,
    `event["weights"]`. Equation: `rubric_score`; 0 if more than 40 % of the 4-grams are repeated.
    """

    name: str = "coreact"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one score per context."""
        return each(self._score, contexts)

    def _score(self, context: Context) -> Score | float:
        turn = context.last
        if repeated_share(turn.completion.text) > MAX_REPEATED:
            return 0.0
        found = rubric_score(
            event_fact(turn, "rubric_ranking"),
            task_fact(context, "expert_borda"),
            atomic_criteria=int(event_fact(turn, "atomic_criteria")),
            criteria=int(event_fact(turn, "criteria")),
            weights=event_fact(turn, "weights"),
        )
        return Score(found.reward, {f"{self.name}/spearman_term": found.spearman_term})
