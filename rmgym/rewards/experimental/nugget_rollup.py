"""From nugget labels to a reward: our stand-in, as Search-Gen-V's release trains the verifier only.

Confidence: reconstructed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.errors import RewardError
from rmgym.judges.guard import rejection
from rmgym.protocols import Grant, Score
from rmgym.rewards.answers import answer_of
from rmgym.rewards.facts import each, event_fact, same_length, task_fact
from rmgym.rewards.search_gen_v import check_labels
from rmgym.trajectory import Context

_LENIENT = {"support": 1.0, "partial_support": 0.5, "not_support": 0.0}


@dataclass(frozen=True, slots=True)
class NuggetRollup:
    """Shares of supported nuggets, each 0 to 1; None where no nugget is vital."""

    strict_all: float
    lenient_all: float
    strict_vital: float | None
    lenient_vital: float | None


def nugget_rollup(labels: Sequence[str], vital: Sequence[bool]) -> NuggetRollup:
    """Return strict (full support) and lenient (partial support counts half) shares.

    Raises:
        RewardError: If there is no nugget, lengths differ, or a label is not on the menu.
    """
    check_labels("nugget labels", labels)
    same_length("labels and vital flags", labels, vital)
    if not labels:
        raise RewardError("expected at least one nugget, got none; the share is undefined")
    of_vital = [label for label, is_vital in zip(labels, vital, strict=True) if is_vital]
    strict_all, lenient_all = _shares(labels)
    strict_vital, lenient_vital = _shares(of_vital) if of_vital else (None, None)
    return NuggetRollup(strict_all, lenient_all, strict_vital, lenient_vital)


def _shares(labels: Sequence[str]) -> tuple[float, float]:
    strict = sum(label == "support" for label in labels) / len(labels)
    return strict, sum(_LENIENT[label] for label in labels) / len(labels)


@dataclass(frozen=True, slots=True)
class NuggetCoverage:
    """Share of the task's nuggets that the answer supports.

    Range: 0 to 1. Needs: `task["nuggets"]`, mappings with `vital`; at the last turn
    `event["nugget_labels"]`, a verifier's labels in order. Equation: lenient = mean(1, 0.5, 0),
    strict = share of full support; over all nuggets, or the vital ones. No answer and a master-key
    answer earn 0.
    """

    strict: bool = True
    vital_only: bool = False
    name: str = "nugget_rollup"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one score per context."""
        return each(self._score, contexts)

    def _score(self, context: Context) -> Score | float:
        vital = [bool(nugget["vital"]) for nugget in task_fact(context, "nuggets")]
        answer = answer_of(context)
        if answer is None or rejection(answer):
            return 0.0
        found = nugget_rollup(event_fact(context.last, "nugget_labels"), vital)
        everything = found.strict_all if self.strict else found.lenient_all
        of_vital = found.strict_vital if self.strict else found.lenient_vital
        value = of_vital if self.vital_only else everything
        if value is None:
            raise RewardError('expected a vital nugget in info["task"]["nuggets"], got none')
        return Score(value, {f"{self.name}/lenient": found.lenient_all})
