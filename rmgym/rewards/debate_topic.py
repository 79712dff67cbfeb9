"""Topic shift: do messages move away from what is debated?

HATE (arXiv 2509.26126) embeds topic and messages and correlates their similarity with the number
of the message. Its code counts |r| of 0.6 and more, its text negative correlations: here both the
signed and the absolute value are given, for any measure of similarity.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import log, sqrt
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from rmgym.errors import RewardError
from rmgym.protocols import Grant
from rmgym.rewards.facts import task_fact
from rmgym.trajectory import Context

SHIFT = 0.6
"""From this |r| on HATE's code counts a shift."""
_FEWEST = 3
_WORD = re.compile(r"[^\W_]+")
_FLAT = 1e-12


@runtime_checkable
class Similarity(Protocol):
    """Says how close messages are to a topic."""

    def similarity(self, topic: str, messages: Sequence[str]) -> list[float]:
        """Return one similarity per message, -1 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class TfidfSimilarity:
    """Cosine of TF-IDF vectors; the topic and the messages are the collection.

    The weight of a word that stands in d of N texts is (1 + log tf) * (1 + log((1 + N) / (1 + d))).
    """

    def similarity(self, topic: str, messages: Sequence[str]) -> list[float]:
        """Return one similarity per message, 0 to 1.

        >>> TfidfSimilarity().similarity("red boats", ["Red boats.", "Green trees."])
        [1.0, 0.0]
        """
        counts = [Counter(_WORD.findall(text.casefold())) for text in (topic, *messages)]
        spread = Counter(word for count in counts for word in count)
        total = len(counts)
        vectors = [
            {
                word: (1 + log(times)) * (1 + log((1 + total) / (1 + spread[word])))
                for word, times in count.items()
            }
            for count in counts
        ]
        return [_cosine(vectors[0], vector) for vector in vectors[1:]]


def _cosine(one: dict[str, float], other: dict[str, float]) -> float:
    norms = sqrt(sum(v * v for v in one.values()) * sum(v * v for v in other.values()))
    if norms == 0.0:
        return 0.0
    return min(1.0, sum(value * other.get(word, 0.0) for word, value in one.items()) / norms)


@dataclass(frozen=True, slots=True)
class EmbeddingSimilarity:
    """Cosine of embeddings.

    Args:
        embed: From texts to an array of shape (texts, dimensions).
    """

    embed: Callable[[Sequence[str]], ArrayLike]

    def similarity(self, topic: str, messages: Sequence[str]) -> list[float]:
        """Return one similarity per message.

        Raises:
            RewardError: If there is not one finite vector per text.
        """
        vectors = np.asarray(self.embed([topic, *messages]), dtype=np.float64)
        if vectors.ndim != 2 or len(vectors) != len(messages) + 1 or not np.isfinite(vectors).all():
            raise RewardError(
                f"expected {len(messages) + 1} finite vectors, got an array of shape "
                f"{vectors.shape}"
            )
        lengths = np.maximum(np.linalg.norm(vectors, axis=1), np.finfo(np.float64).tiny)
        cosines: list[float] = ((vectors[1:] @ vectors[0]) / (lengths[1:] * lengths[0])).tolist()
        return cosines


def topic_shift(similarities: Sequence[float]) -> float | None:
    """Return Pearson's correlation of similarity and number of the message, -1 to 1.

    Negative: the messages move away. None for fewer than three messages or equal similarities:
    there is no correlation then.

    >>> topic_shift([0.9, 0.6, 0.3]), topic_shift([0.5, 0.5, 0.5])
    (-1.0, None)
    """
    if len(similarities) < _FEWEST:
        return None
    values = np.asarray(similarities, dtype=np.float64)
    values = values - values.mean()
    steps = np.arange(len(values)) - (len(values) - 1) / 2
    spread = float(np.sqrt((values @ values) * (steps @ steps)))
    if spread < _FLAT:
        return None
    return float(np.clip(round(float(steps @ values) / spread, 12), -1.0, 1.0))


def shift_metrics(
    topic: str, messages: Sequence[str], similarity: Similarity | None = None
) -> dict[str, float]:
    """Return signed and absolute correlation and HATE's flag; nothing where there is none."""
    spoken = [text for text in messages if text.strip()]
    shift = topic_shift((similarity or TfidfSimilarity()).similarity(topic, spoken))
    if shift is None:
        return {}
    return {
        "topic_shift": shift,
        "topic_shift_abs": abs(shift),
        "topic_shifted": float(abs(shift) >= SHIFT),
    }


@dataclass(frozen=True, slots=True)
class TopicDrift:
    """Change of the similarity between the topic and the agent's message from turn to turn.

    Range: -1 to 1, negative for moving away; the sum over turns is the last similarity less the
    first. None at the first turn. Needs: `task["question"]`.
    """

    scorer: Similarity = field(default_factory=TfidfSimilarity)
    name: str = "topic_drift"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float | None:
        if len(context.turns) < 2:
            return None
        said = [turn.completion.text for turn in context.turns[-2:]]
        topic = str(task_fact(context, "question"))
        # Each message against the topic alone: the weights of words must not change with time.
        before, after = (self.scorer.similarity(topic, [text])[0] for text in said)
        return after - before
