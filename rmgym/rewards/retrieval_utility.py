"""Utility of passages for one reader: does it answer right with them where it fails without.

Source: "LLM-Specific Utility", arXiv 2510.11358, section 3.2. Confidence: paper. The signed form
is an extension of ours that also shows harm.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rmgym.protocols import Grant
from rmgym.rewards.answers import normalize_answer
from rmgym.rewards.facts import (
    SEARCH,
    doc_ids_of,
    event_fact,
    kind_of,
    same_length,
    seen_before,
    task_fact,
)
from rmgym.trajectory import Context

_BLANKS = str.maketrans(string.punctuation, " " * len(string.punctuation))


def has_answer(text: str, references: Sequence[str]) -> bool:
    """Return whether a reference stands in the text, as whole words after normalisation.

    Punctuation may stand for nothing ("U.S." is "US") or for a blank ("<b>Ulm</b>" has "Ulm").

    >>> has_answer("He was born in <b>Ulm</b>.", ["Ulm"]), has_answer("Ulmer", ["Ulm"])
    (True, False)
    """
    for form in (_joined, _split):
        words = f" {form(text)} "
        if any(gold and f" {gold} " in words for gold in map(form, references)):
            return True
    return False


def _joined(text: str) -> str:
    return normalize_answer(text)


def _split(text: str) -> str:
    return normalize_answer(text.translate(_BLANKS))


def signed_gain(with_passage: bool, closed_book: bool) -> int:
    """Return 1 if the passage turns a wrong answer right, -1 if it turns a right one wrong, else 0.

    >>> signed_gain(True, False), signed_gain(True, True), signed_gain(False, True)
    (1, 0, -1)
    """
    return int(bool(with_passage)) - int(bool(closed_book))


def passage_utility(
    closed_book_correct: Sequence[bool], with_passage_correct: Mapping[str, Sequence[bool]]
) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Return the utility and the signed gain of each passage on each query.

    Args:
        closed_book_correct: Whether the reader answers each query right without a passage.
        with_passage_correct: The same with each passage, by passage.

    Returns:
        The paper's label, 1 on strict improvement, else 0; and our signed form.
    """
    signed: dict[str, list[int]] = {}
    for passage, correct in with_passage_correct.items():
        same_length("queries and verdicts", closed_book_correct, correct)
        pairs = zip(correct, closed_book_correct, strict=True)
        signed[passage] = [signed_gain(now, before) for now, before in pairs]
    return {passage: [max(g, 0) for g in gains] for passage, gains in signed.items()}, signed


@dataclass(frozen=True, slots=True)
class PassageUtility:
    """LLM-specific utility of a search's passages.

    Range: 0 or 1 per search turn; -1 to 1 if `signed`. Needs: `task["known"]`, whether the reader
    answers right closed-book; at search turns `event["correct_with_passages"]` and
    `event["doc_ids"]`. Equation: 1[right with the passages > right without], strict: a question
    that the reader knows has no useful passage. A search that brings no new document has none
    either.
    """

    signed: bool = False
    """Whether harm counts -1: our extension."""
    name: str = "llm_specific_utility"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one utility per context, None for turns that do not search."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float | None:
        if kind_of(context.last) != SEARCH:
            return None
        closed_book = bool(task_fact(context, "known"))
        with_passages = bool(event_fact(context.last, "correct_with_passages"))
        earlier = seen_before(context)
        if all(doc in earlier for doc in doc_ids_of(context.last)):
            return 0.0
        gain = signed_gain(with_passages, closed_book)
        return float(gain if self.signed else max(gain, 0))
