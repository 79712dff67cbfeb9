"""Reward of a nugget verifier: do its labels agree with the gold labels (Search-Gen-V).

Source: linyue-ma/Search-Gen-V, `verl/utils/reward_score/search_gen_v.py`; arXiv 2510.14660.
Confidence: source. A policy's reward from the labels is not in the release: see
`rmgym.rewards.experimental.nugget_rollup`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from rmgym.errors import RewardError
from rmgym.protocols import Grant, Score
from rmgym.rewards.facts import each, event_fact, task_fact, within
from rmgym.trajectory import Context

NuggetLabel: TypeAlias = Literal["support", "partial_support", "not_support"]
LABELS: tuple[NuggetLabel, ...] = get_args(NuggetLabel)

_MACRO, _EXACT, _REASONING, _OUTPUT = 0.35, 0.35, 0.2, 0.1
_REPEATED_REASONING = 0.1


@dataclass(frozen=True, slots=True)
class VerifierScore:
    """A verifier's agreement with the gold labels, each 0 to 1."""

    macro_f1: float
    exact: float
    reward: float


def check_labels(what: str, labels: Sequence[str]) -> None:
    """Check that all labels are on the menu.

    Raises:
        RewardError: If one is not; names it.
    """
    strangers = [label for label in labels if label not in LABELS]
    if strangers:
        raise RewardError(f"expected {what} of {list(LABELS)}, got {strangers}")


def macro_f1(predicted: Sequence[str], gold: Sequence[str]) -> float:
    """Return the mean F1 of the three labels; one absent from both sides counts 1.

    >>> macro_f1(["support"], ["support"])
    1.0
    """
    return sum(_label_f1(label, predicted, gold) for label in LABELS) / len(LABELS)


def verifier_reward(
    predicted: Sequence[str] | None,
    gold: Sequence[str],
    reasoning_format: float = 1.0,
    output_format: float = 1.0,
    *,
    reasoning_openings: int = 1,
) -> VerifierScore:
    """Return 0.35 macro F1 + 0.35 exact list match + 0.2 reasoning format + 0.1 output format.

    Everything is 0 if nothing parsed (None), the number of labels is wrong, or macro F1 is 0; a
    tenth is paid if the reasoning tag opens more than once.

    Raises:
        RewardError: If a gold label is not on the menu, or there is none.
    """
    check_labels("gold labels", gold)
    if not gold:
        raise RewardError("expected at least one gold label, got none")
    reasoning_format = within("reasoning_format", reasoning_format, 0.0, 1.0)
    output_format = within("output_format", output_format, 0.0, 1.0)
    if predicted is None or len(predicted) != len(gold):
        return VerifierScore(0.0, 0.0, 0.0)
    agreement = macro_f1(predicted, gold)
    exact = float(list(predicted) == list(gold))
    if agreement == 0.0:
        return VerifierScore(0.0, exact, 0.0)
    reward = _MACRO * agreement + _EXACT * exact
    reward += _REASONING * reasoning_format + _OUTPUT * output_format
    factor = _REPEATED_REASONING if reasoning_openings > 1 else 1.0
    return VerifierScore(agreement, exact, factor * reward)


def _label_f1(label: str, predicted: Sequence[str], gold: Sequence[str]) -> float:
    said = sum(p == label for p in predicted)
    wanted = sum(g == label for g in gold)
    both = sum(p == g == label for p, g in zip(predicted, gold, strict=True))
    return 1.0 if said + wanted == 0 else 2 * both / (said + wanted)


@dataclass(frozen=True, slots=True)
class NuggetVerifier:
    """Search-Gen-V's reward of an agent that labels nuggets.

    Range: 0 to 1. Needs: `task["gold_labels"]`; at the last turn `event["labels"]`, the labels that
    the agent gave or None, `event["reasoning_format"]` (0, 0.5 or 1) and `event["output_format"]`.
    Equation: see `verifier_reward`. Formats alone earn nothing.
    """

    reasoning_tag: str = "<reasoning>"
    name: str = "search_gen_v"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one score per context."""
        return each(self._score, contexts)

    def _score(self, context: Context) -> Score:
        turn = context.last
        found = verifier_reward(
            event_fact(turn, "labels"),
            task_fact(context, "gold_labels"),
            event_fact(turn, "reasoning_format"),
            event_fact(turn, "output_format"),
            reasoning_openings=turn.completion.text.count(self.reasoning_tag),
        )
        metrics = {f"{self.name}/macro_f1": found.macro_f1, f"{self.name}/exact": found.exact}
        return Score(found.reward, metrics)
