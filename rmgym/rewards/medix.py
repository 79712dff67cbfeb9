"""Composite of judge, embedding, modality and format (MediX-R1; its text part).

Source: MediX-R1, `training/examples/reward_function/medical.py`. Confidence: source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rmgym.judges.guard import rejection
from rmgym.protocols import Grant, Score
from rmgym.rewards.answers import answer_of, references_of
from rmgym.rewards.facts import each, event_fact, within
from rmgym.trajectory import Context

Compat: TypeAlias = Literal["paper", "release"]
COSINE_THRESHOLD = 0.8

_ACCURACY, _FORMAT = 0.9, 0.1
_JUDGE, _EMBEDDING, _MODALITY = 0.575, 0.375, 0.05
_DEGENERATE_MARKS = ("__", ":", "?")


def composite(llm_yes: float, cosine: float, modality_ok: float, format_ok: float) -> float:
    """Return 0.9 * (0.575 judge + 0.375 [cosine >= 0.8] + 0.05 modality) + 0.1 format, 0 to 1."""
    judge = within("llm_yes", llm_yes, 0.0, 1.0)
    near = float(within("cosine", cosine, -1.0, 1.0) >= COSINE_THRESHOLD)
    modality = within("modality_ok", modality_ok, 0.0, 1.0)
    accuracy = _JUDGE * judge + _EMBEDDING * near + _MODALITY * modality
    return _ACCURACY * accuracy + _FORMAT * within("format_ok", format_ok, 0.0, 1.0)


def is_degenerate(answer: str) -> bool:
    """Return whether an answer is empty, one character, or contains "__", ":" or "?".

    >>> is_degenerate("B"), is_degenerate("pneumonia")
    (True, False)
    """
    text = answer.strip()
    return len(text) <= 1 or any(mark in text for mark in _DEGENERATE_MARKS)


def answer_score(
    answer: str,
    gold: str | None,
    *,
    llm_yes: float = 0.0,
    cosine: float = 0.0,
    modality_ok: float,
    format_ok: float,
) -> float:
    """Return the composite of one answer.

    A degenerate answer earns nothing from judge and embedding; the filter runs first, so a bare
    option letter never scores, even if it is the gold answer. An answer equal to gold, case and
    outer blanks apart, gets both without asking.
    """
    if is_degenerate(answer):
        llm_yes, cosine = 0.0, 0.0
    elif gold is not None and answer.strip().lower() == gold.strip().lower():
        llm_yes, cosine = 1.0, 1.0
    return composite(llm_yes, cosine, modality_ok, format_ok)


def says_yes(reply: str, compat: Compat = "paper") -> bool:
    """Return whether a judge's reply is YES: its first word, or in the release anywhere in it.

    >>> says_yes("Yes."), says_yes("no, not yes"), says_yes("no, not yes", "release")
    (True, False, True)
    """
    if compat == "release":
        return "YES" in reply.upper()
    words = reply.upper().split()
    return bool(words) and words[0].strip(".,:;!*\"'") == "YES"


@dataclass(frozen=True, slots=True)
class CompositeAnswer:
    """MediX-R1's composite of the final answer.

    Range: 0 to 1. Needs: `task["references"]` (the first is gold); at the last turn
    `event["judge_reply"]`, `event["cosine"]`, `event["modality_ok"]`, `event["format_ok"]`.
    Equation: `answer_score`. Master-key answers, like degenerate ones, earn nothing for content; no
    answer earns 0.
    """

    compat: Compat = "paper"
    name: str = "medix_r1"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one score per context."""
        return each(self._score, contexts)

    def _score(self, context: Context) -> float:
        answer, turn = answer_of(context), context.last
        if answer is None:
            return 0.0
        shared = {key: event_fact(turn, key) for key in ("modality_ok", "format_ok")}
        if rejection(answer):
            return composite(0.0, 0.0, shared["modality_ok"], shared["format_ok"])
        return answer_score(
            answer,
            references_of(context)[0],
            llm_yes=float(says_yes(str(event_fact(turn, "judge_reply")), self.compat)),
            cosine=event_fact(turn, "cosine"),
            modality_ok=shared["modality_ok"],
            format_ok=shared["format_ok"],
        )
