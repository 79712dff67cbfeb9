"""What a judge that is itself the agent earns (`rmgym/Judge-v0`).

Sources: verdict and tool use after OpenRM (arXiv 2510.24636, abstract), the order of several
answers after RewardAnything, both presentation orders after "References Improve LLM Alignment".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmgym.errors import RewardError
from rmgym.protocols import Grant, Score
from rmgym.rewards.facts import event_fact, same_length, task_fact, within_all
from rmgym.rewards.rewardanything import pair_score
from rmgym.trajectory import Context


def _verdicts(context: Context) -> Sequence[Mapping[str, Any]]:
    """Return the verdicts so far: `best` is whether the best answer was named first."""
    found: Sequence[Mapping[str, Any]] = event_fact(context.last, "verdicts")
    return found


@dataclass(frozen=True, slots=True)
class RightVerdict:
    """Share of the presentations in which the best answer was named best, 0 to 1.

    A presentation without a verdict counts as wrong. Needs: the final event's `verdicts` and the
    task's `presentations`.
    """

    name: str = "verdict"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [
            sum(verdict["right"] for verdict in _verdicts(context))
            / task_fact(context, "presentations")
            for context in contexts
        ]


@dataclass(frozen=True, slots=True)
class JointToolUse:
    """1 if every verdict is right and the one tool that tells was used, else 0.

    A right guess earns nothing, nor does a tool without a right verdict; a call that failed is no
    use. Absent where it is not known which tool tells. Needs: `tool` of the task, `used_tools` and
    `verdicts` of the final event.
    """

    name: str = "joint_tool_use"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float | None:
        needed = task_fact(context, "tool")
        if not needed:
            return None
        verdicts = _verdicts(context)
        all_right = len(verdicts) == task_fact(context, "presentations") and all(
            verdict["right"] for verdict in verdicts
        )
        return float(all_right and set(event_fact(context.last, "used_tools")) == {needed})


@dataclass(frozen=True, slots=True)
class RankingAgreement:
    """RewardAnything's pair score of the judge's scores against the gold ones, 0 to 1.

    Mean over the presentations; one without a verdict scores 0, and a verdict that orders only some
    answers is scaled by their share. Needs: `gold_scores` of the task, `verdicts`.
    """

    name: str = "ranking"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        gold: Mapping[str, float] = task_fact(context, "gold_scores")
        total = 0.0
        for verdict in _verdicts(context):
            said = {name: value for name, value in verdict["scores"].items() if name in gold}
            if len(said) > 1:
                total += pair_score(said, gold) * len(said) / len(gold)
        return total / float(task_fact(context, "presentations"))


@dataclass(frozen=True, slots=True)
class SwapConsistency:
    """1 if the same answer is named best in both presentation orders, else 0.

    Absent where there is one order alone. Says nothing about which answer: a judge that is
    consistently wrong earns it too, so give it beside `verdict`. Needs: `verdicts`.
    """

    name: str = "swap_consistency"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float | None:
        if task_fact(context, "presentations") < 2:
            return None
        best = [verdict["best"] for verdict in _verdicts(context)]
        return float(len(best) == 2 and best[0] == best[1])


@dataclass(frozen=True, slots=True)
class Calibration:
    """Minus the squared distance of the stated confidence from right or wrong, -1 to 0 (Brier).

    Mean over the verdicts that state one; absent if none does.
    """

    name: str = "calibration"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float | None:
        stated = [
            (float(v["confidence"]), float(v["right"]))
            for v in _verdicts(context)
            if v["confidence"] is not None
        ]
        if not stated:
            return None
        return -sum((sure - right) ** 2 for sure, right in stated) / len(stated)


def calibration_error(
    confidences: Sequence[float], rights: Sequence[bool], bins: int = 10
) -> float:
    """Return the expected calibration error, 0 to 1: mean gap of confidence and accuracy by bin.

    Bins have equal width and count by their size.

    >>> calibration_error([0.9, 0.9, 0.1, 0.1], [True, True, False, False])
    0.1

    Raises:
        RewardError: If there is nothing to measure, or a confidence is no probability.
    """
    same_length("confidences and rights", confidences, rights)
    stated = within_all("confidence", confidences, 0.0, 1.0)
    if not stated or bins < 1:
        raise RewardError(f"expected confidences and bins, got {len(stated)} and {bins}")
    members: dict[int, list[tuple[float, bool]]] = {}
    for confidence, right in zip(stated, rights, strict=True):
        members.setdefault(min(int(confidence * bins), bins - 1), []).append((confidence, right))
    gaps = [
        abs(sum(c for c, _ in group) - sum(right for _, right in group))
        for group in members.values()
    ]
    return round(sum(gaps) / len(stated), 12)
