"""Rewards of statements on the tokens that make them: our stand-in for RLFH.

RLFH splits a response into atomic statements, judges truth and helpfulness against references, and
maps the rewards back to tokens; its figures are not public to us. Confidence: reconstructed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmgym.errors import RewardError
from rmgym.judges.guard import rejection
from rmgym.protocols import Grant
from rmgym.rewards.answers import answer_of
from rmgym.rewards.facts import event_fact, finite, within
from rmgym.trajectory import Context

_VERDICTS = {"true": 1.0, "vague": 0.0, "false": -1.0}


def statement_reward(verdict: str, helpful: float, helpful_weight: float = 0.2) -> float:
    """Return 1, 0 or -1 for a true, vague or false statement, plus weight * helpful (0 to 1).

    Raises:
        RewardError: If the verdict is another.
    """
    if verdict not in _VERDICTS:
        raise RewardError(f"expected a verdict of {list(_VERDICTS)}, got {verdict!r}")
    weight = finite("helpful_weight", helpful_weight)
    return _VERDICTS[verdict] + weight * within("helpful", helpful, 0.0, 1.0)


def statement_token_rewards(
    statements: Sequence[Mapping[str, Any]], length: int, helpful_weight: float = 0.2
) -> list[float]:
    """Return the reward of each token: a statement pays on the last token of its span, summed.

    Args:
        statements: Mappings with `last_token`, `verdict` and `helpful`.
        length: Number of tokens.
        helpful_weight: Weight of helpfulness.

    Raises:
        RewardError: If a span ends outside the response.
    """
    rewards = [0.0] * length
    for statement in statements:
        last = int(statement["last_token"])
        if not 0 <= last < length:
            raise RewardError(f"expected last_token in 0..{length - 1}, got {last}")
        rewards[last] += statement_reward(
            statement["verdict"], statement["helpful"], helpful_weight
        )
    return rewards


@dataclass(frozen=True, slots=True)
class StatementTruth:
    """Mean reward of an answer's distinct statements.

    Range: -1 to 1 + `helpful_weight`. Needs: at the last turn `event["statements"]`, mappings with
    `text`, `verdict` and `helpful`. Equation: the mean of `statement_reward`, helpfulness counted
    for true statements only; the mean, so that many statements do not pay. An answer without
    statements, and a master-key answer, earn 0.
    """

    helpful_weight: float = 0.2
    name: str = "statement_truth"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        statements = event_fact(context.last, "statements")
        answer = answer_of(context)
        if answer is None or rejection(answer):
            return 0.0
        distinct = {str(s["text"]).strip().lower(): s for s in statements}
        rewards = [self._reward(s) for s in distinct.values()]
        return sum(rewards) / len(rewards) if rewards else 0.0

    def _reward(self, statement: Mapping[str, Any]) -> float:
        weight = self.helpful_weight if statement["verdict"] == "true" else 0.0
        return statement_reward(statement["verdict"], statement["helpful"], weight)
