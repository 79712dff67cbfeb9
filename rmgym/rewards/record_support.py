"""Support of a record: is what the agent wrote down what the documents say (EXSEARCH's records).

EXSEARCH (arXiv 2505.20128) extracts evidence after each search but rewards the trajectory alone;
this turn reward for its records is ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.protocols import Grant, Score
from rmgym.rewards.answers import normalize_answer
from rmgym.rewards.facts import SEARCH, each, event_fact, kind_of, prefixes, shown_by
from rmgym.trajectory import Context

RECORD = "record"
"""The event kind of a turn that writes evidence down."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


def sentences(text: str) -> list[str]:
    """Return the normalised sentences of a text that have words.

    >>> sentences("He was born in Ulm. He died!")
    ['he was born in ulm', 'he died']
    """
    return [s for part in _SENTENCE_END.split(text) if (s := normalize_answer(part))]


def record_support(record: str, documents: Sequence[str]) -> float | None:
    """Return the share of the record's sentences that stand in a document; None without any.

    >>> record_support("He was born in Ulm. He flew.", ["Einstein: he was born in Ulm, Germany"])
    0.5
    """
    said = sentences(record)
    texts = [f" {normalize_answer(document)} " for document in documents]
    found = sum(any(f" {sentence} " in text for text in texts) for sentence in said)
    return found / len(said) if said else None


@dataclass(frozen=True, slots=True)
class RecordSupport:
    """Minus the share of a record's sentences that no retrieved document contains.

    Range: -1 to 0 per record turn, so that neither many nor long records pay. Needs:
    `event["record"]` at turns of kind "record"; documents are what the world showed after searches.
    Equation: support - 1; an empty record earns 0. Metric: `<name>/support`.
    """

    name: str = "record_support"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one score per context, None for turns that record nothing."""
        return each(self._score, contexts)

    def _score(self, context: Context) -> Score | float | None:
        if kind_of(context.last) != RECORD:
            return None
        searches = [c for c in prefixes(context)[:-1] if kind_of(c.last) == SEARCH]
        documents = [shown_by(c.observation) for c in searches]
        support = record_support(str(event_fact(context.last, "record")), documents)
        if support is None:
            return 0.0
        return Score(support - 1.0, {f"{self.name}/support": support})
