"""Smoothed BLEU-4 against one or several references (BLEUBERI).

Source: BLEUBERI, `training/dataset.py`. Confidence: source; words are split at blanks by default,
`tokenize="13a"` takes sacrebleu's tokeniser as the authors do.
"""

from __future__ import annotations

import importlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rmgym.errors import MissingExtraError, RewardError
from rmgym.protocols import Grant
from rmgym.rewards.answers import answer_of, references_of
from rmgym.trajectory import Context

Tokenize: TypeAlias = Literal["words", "13a"]
MAX_ORDER = 4


def split_words(text: str, tokenize: Tokenize = "words") -> list[str]:
    """Return the tokens of a text.

    Raises:
        MissingExtraError: If "13a" is asked for and sacrebleu is not installed.
        RewardError: If the tokeniser is unknown.
    """
    if tokenize == "words":
        return text.split()
    if tokenize != "13a":
        raise RewardError(f'expected tokenize "words" or "13a", got {tokenize!r}')
    try:
        module = importlib.import_module("sacrebleu.tokenizers.tokenizer_13a")
    except ImportError:
        raise MissingExtraError("BLEU with the 13a tokeniser", "bleu") from None
    return str(module.Tokenizer13a()(text.strip())).split()


def smoothed_bleu(
    candidate: str, references: Sequence[str], *, tokenize: Tokenize = "words"
) -> float:
    """Return BLEU-4 with one added to both sides of every order's precision, 0 to 1.

    n-grams are clipped by the best reference; brevity is held against the shortest reference. An
    order longer than the text counts (0 + 1) / (0 + 1) = 1; an empty candidate scores 0.

    >>> smoothed_bleu("a b c d e", ["a b c d e"]), smoothed_bleu("", ["a"])
    (1.0, 0.0)

    Raises:
        RewardError: If there is no reference.
    """
    if not references:
        raise RewardError("expected at least one reference, got none")
    said = split_words(candidate, tokenize)
    wanted = [split_words(reference, tokenize) for reference in references]
    if not said:
        return 0.0
    logs = 0.0
    for order in range(1, MAX_ORDER + 1):
        matches, total = _clipped_matches(said, wanted, order)
        logs += math.log((matches + 1) / (total + 1))
    shortest = min(map(len, wanted))
    brevity = 0.0 if len(said) >= shortest else 1.0 - shortest / len(said)
    return math.exp(logs / MAX_ORDER + brevity)


def shares_ngram(
    candidate: str, references: Sequence[str], order: int, *, tokenize: Tokenize = "words"
) -> bool:
    """Return whether candidate and a reference share an n-gram of `order` words.

    References shorter than that must stand in the candidate whole.

    >>> shares_ngram("sat cat the", ["the cat sat"], 2), shares_ngram("a cat sat", ["cat sat"], 3)
    (False, True)
    """
    said = split_words(candidate, tokenize)
    for reference in references:
        wanted = split_words(reference, tokenize)
        size = min(order, len(wanted))
        if size and _ngrams(said, size) & _ngrams(wanted, size):
            return True
    return False


def _ngrams(words: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))


def _clipped_matches(
    said: Sequence[str], wanted: Sequence[Sequence[str]], order: int
) -> tuple[int, int]:
    best: Counter[tuple[str, ...]] = Counter()
    for words in wanted:
        best |= _ngrams(words, order)
    counts = _ngrams(said, order)
    return (counts & best).total(), counts.total()


@dataclass(frozen=True, slots=True)
class BleuReward:
    """Smoothed BLEU-4 of the answer.

    Range: 0 to 1. Needs: `task["references"]`. Equation: `smoothed_bleu`.

    Smoothing pays words that match nothing (five of them against five: 0.23). So an answer that
    shares no n-gram of `min_shared_order` words with a reference earns 0; set it to 0 for the
    published form.
    """

    tokenize: Tokenize = "words"
    min_shared_order: int = 3
    name: str = "bleuberi"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context; 0.0 without an answer."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        answer, references = answer_of(context), references_of(context)
        if answer is None:
            return 0.0
        order = self.min_shared_order
        if order and not shares_ngram(answer, references, order, tokenize=self.tokenize):
            return 0.0
        return smoothed_bleu(answer, references, tokenize=self.tokenize)
