"""A language model without training: it has read this conversation and nothing else.

`NGramScorer` gives the probability of an answer under an interpolated n-gram cache model whose
cache is the text that the agent was *shown* (roles system, user, tool). What the agent itself says
is not cached, so writing the answer, or a list of candidates, gains nothing. Text that an
environment echoes back counts as shown.

How it reads:

* Text is a sequence of words: case folded, punctuation between words. A CJK character is a word.
* Shown text falls into units at line ends, sentence ends, brackets and tags. The cache is the set
  of *distinct* units, so that a repeated passage counts once.
* The model spells each word: its symbols are the 256 byte values of the word's UTF-8 form and END,
  the end of the word. A token id is the symbol. Given any history and any bytes already spelled,
  the probabilities of the 257 symbols sum to one.
* A word is spelled from the cache with probability `1 - NOVELTY`, else letter by letter from a
  fixed distribution. The cache's word distribution interpolates orders up to 4: an n-gram backs off
  to the next shorter one with the weight of `BACKOFF` observations, and single words are drawn half
  from all units (square root of the count), half from units that share content words with the
  question (or stand on a line that does), the question's own words left out.

The target's n-grams start after the last unit border of its lead: a lead that ends with a tag
gives no history.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmgym.messages import Message
from rmgym.protocols import Target, TargetLogprobs
from rmgym.trajectory import Context

END = 256
"""Token id of the end of a word; the ids below are byte values."""
SYMBOLS = 257
NOVELTY = 0.1
"""Probability that a word is spelled letter by letter."""
BACKOFF = 0.5
"""Weight of the next shorter n-gram, in observations."""
MAX_ORDER = 4
QUESTION_SHARE = 0.5
"""Weight of the words near the question's words among single words."""
LINE_SHARE = 0.5
"""Relevance that a unit takes over from the rest of its line."""

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}])[\w\ud800-\udfff])+")
_BORDER = re.compile(r"<[^<>\n]*>|(?<!\b\w)[.!?;:]+(?=\s|$)|[()\[\]{}|\"]")
_QUESTION = re.compile(r"[^.!?\n]*\?")
_FUNCTION_TEXT = """
    a an and any are as at be been but by did do does for from had has have how i if in into is it
    its of on or s so than that the their them then there these they this to was we were what when
    where which who whom whose why will with would you your
"""
_FUNCTION_WORDS = frozenset(_FUNCTION_TEXT.split())


def _spelling() -> NDArray[np.float64]:
    """Return the fixed distribution of the next symbol of a word that is not in the cache."""
    weights = np.full(SYMBOLS, 0.10 / 220)
    common = [*range(ord("a"), ord("z") + 1), *range(ord("0"), ord("9") + 1)]
    weights[common] = 0.75 / len(common)
    weights[END] = 0.15
    weights /= weights.sum()
    return weights


_SPELLING = _spelling()
_LOG_SPELLING: list[float] = np.log(_SPELLING).tolist()


def words_of(text: str) -> list[str]:
    """Return the words that the model reads in a text.

    >>> words_of("The U.S. Senate, 1789")
    ['the', 'u', 's', 'senate', '1789']
    """
    return _WORD.findall(text.casefold())


_Candidate: TypeAlias = tuple[bytes, float]
"""A spelled word and its weight in the mixture."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """A stretch of shown text that n-grams do not leave."""

    words: tuple[str, ...]
    line: frozenset[str]
    """All words of the line that it stands on."""


@lru_cache(maxsize=4096)
def _units(text: str) -> tuple[_Unit, ...]:
    found: list[_Unit] = []
    for line in text.splitlines():
        pieces = [tuple(words_of(piece)) for piece in _BORDER.split(line)]
        on_line = frozenset(word for piece in pieces for word in piece)
        found.extend(_Unit(piece, on_line) for piece in pieces if piece)
    return tuple(found)


@lru_cache(maxsize=1024)
def _content_words(text: str) -> frozenset[str]:
    """Return the content words of the question in a text: its last one, else all of it."""
    questions = _QUESTION.findall(text)
    asked = words_of(questions[-1] if questions else text)
    return frozenset(word for word in asked if word not in _FUNCTION_WORDS)


@dataclass(slots=True)
class _Cache:
    """The distribution of words that shown text gives."""

    unigrams: dict[str, float]
    """Interpolated single-word probabilities; empty when nothing was shown."""
    stream: list[str]
    """The words of all units in order, an empty word after each unit."""
    by_first_byte: dict[int, list[tuple[bytes, str]]]

    def candidates(self, history: Sequence[str], first_byte: int) -> list[_Candidate]:
        """Return the cached words that start with a byte, with their weight in the mixture."""
        orders = self._orders(history)
        found: list[_Candidate] = []
        for spelled, word in self.by_first_byte.get(first_byte, ()):
            value = self.unigrams[word]
            for counts, total in orders:
                value = (counts[word] + BACKOFF * value) / (total + BACKOFF)
            found.append((spelled, (1 - NOVELTY) * value))
        return found

    @property
    def novelty(self) -> float:
        """Weight of letter-by-letter spelling."""
        return NOVELTY if self.unigrams else 1.0

    def _orders(self, history: Sequence[str]) -> list[tuple[Counter[str], int]]:
        """Return the followers and their number for each matching order, shortest first."""
        found: list[tuple[Counter[str], int]] = []
        for reach in range(1, min(len(history), MAX_ORDER - 1) + 1):
            counts = self._followers(list(history[-reach:]))
            if not counts:
                break
            found.append((counts, counts.total()))
        return found

    def _followers(self, history: list[str]) -> Counter[str]:
        """Return how often each word follows the history inside a unit."""
        found: Counter[str] = Counter()
        start = -1
        for _ in range(self.stream.count(history[0])):
            start = self.stream.index(history[0], start + 1)
            end = start + len(history)
            if self.stream[start:end] == history and self.stream[end]:
                found[self.stream[end]] += 1
        return found


class NGramScorer:
    """A `Scorer` that needs no model: an n-gram cache over what the agent was shown.

    Deterministic, and quick enough for every turn of every test. Its beliefs are for wiring and
    tests; a language model's are better informed.
    """

    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        """Return the log-probability of each symbol of each target after its context.

        Raises:
            ValueError: If there is not one target per context.
        """
        if len(contexts) != len(targets):
            raise ValueError(
                f"expected one target per context, got {len(targets)} for {len(contexts)} contexts"
            )
        return [self._score(c, t) for c, t in zip(contexts, targets, strict=True)]

    def next_symbol(
        self, context: Context, said: Target | None = None, spelled: bytes = b""
    ) -> NDArray[np.float64]:
        """Return the probability of each next symbol, shape (257,); it sums to one.

        Args:
            context: The conversation.
            said: What the agent has said since, in whole words.
            spelled: Bytes of the current word so far.
        """
        cache, history = _cache(context.messages), _history(said or Target(""))
        joint = cache.novelty * float(np.prod(_SPELLING[list(spelled)])) * _SPELLING
        firsts = [spelled[0]] if spelled else sorted(cache.by_first_byte)
        for first in firsts:
            for word, weight in cache.candidates(history, first):
                if word.startswith(spelled):
                    joint[word[len(spelled)] if len(word) > len(spelled) else END] += weight
        # Before the first byte the total is one by the model, not by division.
        distribution: NDArray[np.float64] = joint / joint.sum() if spelled else joint
        return distribution

    def _score(self, context: Context, target: Target) -> TargetLogprobs:
        cache = _cache(context.messages)
        history = _history(Target("", target.lead))
        ids: list[int] = []
        logprobs: list[float] = []
        for word in words_of(target.text) or target.text.casefold().split():
            spelled = _encode(word)
            ids += [*spelled, END]
            logprobs += _word_logprobs(cache, history, spelled)
            history.append(word)
        return TargetLogprobs(tuple(ids), tuple(logprobs))


def _word_logprobs(cache: _Cache, history: Sequence[str], spelled: bytes) -> list[float]:
    """Return the log-probability of each byte of a word and of its end."""
    found: list[float] = []
    log_before, log_spelling = 0.0, math.log(cache.novelty)
    candidates = cache.candidates(history, spelled[0])
    for i, byte in enumerate(spelled):
        candidates = [c for c in candidates if len(c[0]) > i and c[0][i] == byte]
        log_spelling += _LOG_SPELLING[byte]
        log_after = _log_total(candidates, log_spelling)
        found.append(log_after - log_before)
        log_before = log_after
    complete = [c for c in candidates if len(c[0]) == len(spelled)]
    log_end = _log_total(complete, log_spelling + _LOG_SPELLING[END])
    return [*found, log_end - log_before]


def _log_total(candidates: Sequence[_Candidate], log_spelling: float) -> float:
    """Return log(sum of the candidates' weights + exp(log_spelling)), safe for long words."""
    cached = sum(weight for _, weight in candidates)
    if cached <= 0.0:
        return log_spelling
    return math.log(cached) + math.log1p(math.exp(log_spelling - math.log(cached)))


def _history(said: Target) -> list[str]:
    tail = _BORDER.split(said.lead.rpartition("\n")[2])[-1]
    return [*words_of(tail), *words_of(said.text)]


def _cache(messages: Sequence[Message]) -> _Cache:
    units = list(_shown(messages).values())
    stream = [word for unit in units for word in (*unit.words, "")]
    counts = Counter(stream)
    del counts[""]
    if not counts:
        return _Cache({}, stream, {})
    unigrams = _mixed(
        {word: math.sqrt(count) for word, count in counts.items()},
        _question_weights(units, _question(messages)),
    )
    by_first_byte: dict[int, list[tuple[bytes, str]]] = {}
    for word in unigrams:
        spelled = _encode(word)
        by_first_byte.setdefault(spelled[0], []).append((spelled, word))
    return _Cache(unigrams, stream, by_first_byte)


def _mixed(shown: Mapping[str, float], related: Mapping[str, float]) -> dict[str, float]:
    """Return half of each distribution, or the first alone where the second is empty."""
    share = QUESTION_SHARE if related else 0.0
    total = sum(shown.values()) / (1 - share)
    mixed = {word: weight / total for word, weight in shown.items()}
    related_total = sum(related.values()) / share if related else 1.0
    for word, weight in related.items():
        mixed[word] += weight / related_total
    return mixed


def _question_weights(units: Sequence[_Unit], question: frozenset[str]) -> dict[str, float]:
    """Return the weight of each word by the relevance of the units that hold it.

    A unit's relevance is the sum of log(1 + units / units with the word) over the question's
    content words in it, those elsewhere on its line counting `LINE_SHARE`.
    """
    hits = [(unit, sorted(question & unit.line)) for unit in units]
    frequency = Counter(word for unit, near in hits for word in near if word in unit.words)
    weights: dict[str, float] = {}
    for unit, near in hits:
        relevance = 0.0
        for word in near:
            rarity = math.log1p(len(units) / max(frequency[word], 1))
            relevance += rarity if word in unit.words else LINE_SHARE * rarity
        told = [w for w in unit.words if w not in question and w not in _FUNCTION_WORDS]
        if relevance:
            for word in told:
                weights[word] = weights.get(word, 0.0) + relevance / len(told)
    return weights


def _encode(word: str) -> bytes:
    return word.encode("utf-8", "surrogatepass")


def _shown(messages: Sequence[Message]) -> dict[tuple[str, ...], _Unit]:
    """Return the distinct units that the agent was shown, at their first appearance."""
    units: dict[tuple[str, ...], _Unit] = {}
    for message in messages:
        if message["role"] != "assistant":
            for unit in _units(message["content"]):
                units.setdefault(unit.words, unit)
    return units


def _question(messages: Sequence[Message]) -> frozenset[str]:
    for message in messages:
        if message["role"] == "user":
            return _content_words(message["content"])
    return frozenset()
