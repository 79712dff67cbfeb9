"""Dense retrieval by a dot product in NumPy, with a stand-in embedder that needs no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmgym.errors import RetrieverError
from rmgym.protocols import Hit, Passage
from rmgym.tools.retrieval.ranking import check_k, to_hits, top_k

Embed: TypeAlias = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to one row each, of unit length or zero."""

_HASH_BASE = np.uint64(1_099_511_628_211)
_MIX = np.uint64(0x9E37_79B9_7F4A_7C15)


class HashedNgramEmbedder:
    """Embeds a text as the hashed counts of its character n-grams: a stand-in, not a model.

    It knows spelling, not meaning. It is there so that dense retrieval runs offline and gives the
    same numbers on every machine; for results that mean something, pass the function of a real
    embedding model to `DenseRetriever`.

    Each n-gram of the lower-cased, blank-normalised UTF-8 bytes adds a sign to one of `dimensions`
    buckets (feature hashing, Weinberger et al. 2009); bucket values are damped by a signed square
    root and the row is scaled to length 1. A text without n-grams is the zero row.
    """

    def __init__(self, *, dimensions: int = 512, sizes: tuple[int, ...] = (4, 5)) -> None:
        """Set the number of buckets and the lengths of the n-grams, in bytes."""
        if dimensions < 1 or not sizes or min(sizes) < 1:
            raise ValueError(
                f"expected at least one dimension and n-gram sizes of 1 or more, got "
                f"{dimensions} and {sizes}"
            )
        self.dimensions = dimensions
        self.sizes = sizes

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row of `dimensions` floats per text."""
        rows = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            row += self._embed(text)
        return rows

    def _embed(self, text: str) -> NDArray[np.float64]:
        normal = f" {' '.join(text.lower().split())} " if text.strip() else ""
        codes = np.frombuffer(normal.encode("utf-8", "surrogatepass"), dtype=np.uint8)
        counts = np.zeros(self.dimensions)
        for size in self.sizes:
            hashes = _ngram_hashes(codes, size)
            signs = np.where(hashes & np.uint64(1), 1.0, -1.0)
            buckets = (hashes >> np.uint64(1)) % np.uint64(self.dimensions)
            counts += np.bincount(buckets.astype(np.intp), signs, minlength=self.dimensions)
        damped = np.sign(counts) * np.sqrt(np.abs(counts))
        length = float(np.linalg.norm(damped))
        return damped / length if length else damped


def _ngram_hashes(codes: NDArray[np.uint8], size: int) -> NDArray[np.uint64]:
    """Return the hash of every window of `size` bytes, modulo 2**64."""
    count = max(len(codes) - size + 1, 0)
    hashes = np.full(count, size, dtype=np.uint64)
    for offset in range(size):
        hashes = hashes * _HASH_BASE + codes[offset : offset + count]
    mixed: NDArray[np.uint64] = (hashes ^ (hashes >> np.uint64(29))) * _MIX
    return mixed >> np.uint64(20)


class DenseRetriever:
    """Ranks passages by the dot product of embeddings, over all passages.

    Scores are rounded to six decimals, so that passages with equal rows tie in spite of the order
    in which a processor adds. Scores of 0 and less are no hits; the earlier passage wins a tie.

    Raises:
        RetrieverError: If `embed` does not give one finite row per text, all equally long.
    """

    def __init__(self, passages: Sequence[Passage], *, embed: Embed | None = None) -> None:
        """Embed `passages` (title line and text) by `embed`, default `HashedNgramEmbedder()`."""
        self.passages = list(passages)
        self._embed = embed or HashedNgramEmbedder()
        contents = [passage.contents for passage in self.passages]
        self._rows = self._checked(contents, None) if contents else np.zeros((0, 1), np.float32)

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Return at most `k` hits per query, best first.

        Raises:
            ValueError: If `k` is negative.
            RetrieverError: If `embed` gives unusable rows.
        """
        check_k(k)
        if not queries or not k or not self.passages:
            return [[] for _ in queries]
        query_rows = self._checked(queries, self._rows.shape[1])
        return [self._rank(row, k) for row in query_rows]

    def _rank(self, query_row: NDArray[np.float32], k: int) -> list[Hit]:
        scores = np.round((self._rows @ query_row).astype(np.float64), 6)
        best = top_k(scores, k)
        return to_hits(self.passages, best.tolist(), scores[best].tolist())

    def _checked(self, texts: Sequence[str], width: int | None) -> NDArray[np.float32]:
        rows = np.asarray(self._embed(texts), dtype=np.float32)
        expected = (len(texts), rows.shape[-1] if width is None else width)
        if rows.ndim != 2 or rows.shape != expected or not np.isfinite(rows).all():
            raise RetrieverError(
                f"expected finite embeddings of shape {expected}, got shape {rows.shape}; check "
                f"the embed function"
            )
        return rows
