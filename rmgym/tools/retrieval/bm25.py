"""BM25 inside the process: the default retriever."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmgym.errors import DataError, MissingExtraError
from rmgym.protocols import Hit, Passage
from rmgym.tools.retrieval.analysis import EnglishAnalyzer
from rmgym.tools.retrieval.passage_file import PassageFile
from rmgym.tools.retrieval.ranking import check_k, to_hits, top_k

Backend: TypeAlias = Literal["numpy", "numba"]

NUMBA_FROM = 50_000
"""Indices with more passages use numba where it is installed."""

MAX_QUERY_TERMS = 1024
"""Different terms of a query that count, the first ones; Lucene's default limit too."""

EXTRA_FOR_TIES = 100

_SETTINGS = "settings.json"
_ARRAYS = "bm25s"
_FORMAT = 1


class Bm25Retriever:
    """Ranks passages by BM25 in Lucene's form, over stemmed English words.

    The score of a passage is the sum over query terms of idf * tf / (tf + k1 * (1 - b + b * dl /
    avgdl)), idf = ln(1 + (N - df + 0.5) / (df + 0.5)), over the title line and the text. Passages
    that score 0 are no hits, so fewer than `k` may come back; the earlier passage wins a tie.
    The index is built by `bm25s`. Searching changes nothing, so threads may share a retriever.

    Attributes:
        passages: The corpus, in order.
        k1: How slowly repeated terms saturate, 0 or more.
        b: How much long passages are discounted, 0 to 1.
        backend: What searches: "numpy" (from the first query at full speed), or "numba" (compiles
            for some seconds at a process's first search).

    Raises:
        MissingExtraError: If bm25s or PyStemmer is not installed.
        DataError: If no passage holds a word, or `index_dir` holds another index.
        ValueError: If `k1` or `b` is out of range.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        *,
        k1: float = 0.9,
        b: float = 0.4,
        index_dir: str | os.PathLike[str] | None = None,
        backend: Backend | None = None,
    ) -> None:
        """Index `passages`.

        Args:
            passages: At least one of them holds a word.
            k1: Saturation; Anserini's default.
            b: Length normalisation; Anserini's default.
            index_dir: Keep the index in this folder: written if absent, else loaded after a check
                that it was made from the same passages and settings.
            backend: By default numba above `NUMBA_FROM` passages where it is installed.
        """
        if not (k1 >= 0 and 0 <= b <= 1):
            raise ValueError(f"expected k1 of 0 or more and b from 0 to 1, got k1={k1}, b={b}")
        if index_dir is None:
            self._set_up(list(passages), _build(passages, k1, b), backend)
            return
        folder = Path(index_dir)
        if not (folder / _SETTINGS).exists():
            self._set_up(passages, _build(passages, k1, b), backend)
            self.save(folder)
        _check_fingerprint(folder, _fingerprint(passages, k1, b))
        self._load(folder, backend)

    @classmethod
    def load(
        cls, index_dir: str | os.PathLike[str], *, backend: Backend | None = None
    ) -> Bm25Retriever:
        """Open a saved index, mapped into memory; passages are read when they are found.

        Raises:
            DataError: If the folder holds no index of this format.
        """
        retriever = cls.__new__(cls)
        retriever._load(Path(index_dir), backend)
        return retriever

    def save(self, index_dir: str | os.PathLike[str]) -> None:
        """Write index and passages to a folder that is absent or empty.

        The folder appears whole or not at all; of several processes that write it at once, one
        wins.

        Raises:
            DataError: If the folder holds something else.
        """
        folder = Path(index_dir)
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            self._index.save(draft / _ARRAYS)
            PassageFile.write(draft, self.passages)
            fingerprint = _fingerprint(self.passages, self.k1, self.b)
            settings = {"format": _FORMAT, "fingerprint": fingerprint}
            (draft / _SETTINGS).write_text(json.dumps(settings))
            draft.chmod(0o755)
            _move_in_place(draft, folder, fingerprint)
        finally:
            if draft.exists():
                shutil.rmtree(draft)

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Return at most `k` hits per query, best first.

        Raises:
            ValueError: If `k` is negative.
        """
        check_k(k)
        ranked = [self._rank(query, k) for query in queries]
        return [to_hits(self.passages, indices, scores) for indices, scores in ranked]

    def __reduce__(self) -> tuple[Callable[..., Bm25Retriever], tuple[Any, ...]]:
        """Travel as a folder name if the index is on disk, else whole."""
        if self._folder is not None:
            return _reopen, (self._folder, self.backend)
        return _restore, (self.passages, self._index, self.backend)

    def _set_up(self, passages: Sequence[Passage], index: Any, backend: Backend | None) -> None:
        self.passages = passages
        self.k1, self.b = float(index.k1), float(index.b)
        self.backend: Backend = backend or _choose_backend(len(passages))
        self._folder: Path | None = None
        self._index = index
        self._analyze = EnglishAnalyzer()
        # Views: slicing an np.memmap costs as much as a small query.
        self._term_scores: NDArray[np.float32] = index.scores["data"].view(np.ndarray)
        self._documents: NDArray[np.int32] = index.scores["indices"].view(np.ndarray)
        self._starts: NDArray[np.int32] = index.scores["indptr"].view(np.ndarray)
        if self.backend == "numba":
            _activate_numba(index)

    def _load(self, folder: Path, backend: Backend | None) -> None:
        _read_fingerprint(folder)
        index = _bm25s().BM25.load(folder / _ARRAYS, mmap=True, show_progress=False)
        self._set_up(PassageFile(folder), index, backend)
        self._folder = folder.absolute()

    def _rank(self, query: str, k: int) -> tuple[list[int], list[float]]:
        """Return the indices of the best passages and their scores."""
        counts = self._term_counts(query)
        if not counts or k == 0:
            return [], []
        if self.backend == "numba" and max(counts.values()) == 1:
            found = self._rank_with_numba(list(counts), k)
            if found is not None:
                return found
        return self._rank_with_numpy(counts, k)

    def _term_counts(self, query: str) -> dict[int, int]:
        """Return how often each known term stands in the query, by term number, in order."""
        counts: dict[int, int] = {}
        vocabulary = self._index.vocab_dict
        for term in self._analyze(query):
            number = vocabulary.get(term)
            if number is not None and (number in counts or len(counts) < MAX_QUERY_TERMS):
                counts[number] = counts.get(number, 0) + 1
        return counts

    def _rank_with_numpy(self, counts: dict[int, int], k: int) -> tuple[list[int], list[float]]:
        scores = np.zeros(len(self.passages), dtype=np.float32)
        postings = []
        for term, count in counts.items():
            start, end = self._starts[term], self._starts[term + 1]
            documents, term_scores = self._documents[start:end], self._term_scores[start:end]
            # A passage stands once in a term's list, so a fancy += adds every score.
            scores[documents] += term_scores if count == 1 else term_scores * np.float32(count)
            postings.append(documents)
        if sum(map(len, postings)) * 4 > len(scores):
            best = top_k(scores, k)
        else:
            touched = np.unique(np.concatenate(postings)).astype(np.intp)
            best = touched[top_k(scores[touched], k)]
        return best.tolist(), scores[best].tolist()

    def _rank_with_numba(self, terms: list[int], k: int) -> tuple[list[int], list[float]] | None:
        """Return the best by bm25s' compiled search; None if too many tie for the last place."""
        # The compiled heap keeps any of the passages that tie for the last place, so ask for more
        # than wanted until a lower score, or none, shows that all of them are in.
        for asked in (k + 1, k + 1 + EXTRA_FOR_TIES):
            count = min(asked, len(self.passages))
            documents, scores = self._index.retrieve([terms], k=count, show_progress=False)
            last = scores[0, min(k, count) - 1]
            if count < asked or scores[0, -1] < last or not last:
                order = np.lexsort((documents[0], -scores[0]))[:k]
                order = order[scores[0, order] > 0]
                return documents[0, order].tolist(), scores[0, order].tolist()
        return None


def _reopen(folder: Path, backend: Backend) -> Bm25Retriever:
    return Bm25Retriever.load(folder, backend=backend)


def _restore(passages: Sequence[Passage], index: Any, backend: Backend) -> Bm25Retriever:
    retriever = Bm25Retriever.__new__(Bm25Retriever)
    retriever._set_up(passages, index, backend)
    return retriever


def _bm25s() -> Any:
    try:
        import bm25s
    except ImportError as error:
        raise MissingExtraError("Bm25Retriever", "search") from error
    return bm25s


def _build(passages: Sequence[Passage], k1: float, b: float) -> Any:
    """Index passages with bm25s, whose own vocabulary would follow the order of a set."""
    bm25s, analyze = _bm25s(), EnglishAnalyzer()
    vocabulary: dict[str, int] = {}
    term_ids = [
        [vocabulary.setdefault(term, len(vocabulary)) for term in analyze(passage.contents)]
        for passage in passages
    ]
    if not vocabulary:
        raise DataError(
            f"expected passages with at least one word that is no stop word, got none in "
            f"{len(passages)} passages"
        )
    index = bm25s.BM25(k1=k1, b=b, method="lucene", backend="numpy")
    index.index((term_ids, vocabulary), create_empty_token=False, show_progress=False)
    return index


def _choose_backend(passage_count: int) -> Backend:
    if passage_count > NUMBA_FROM and importlib.util.find_spec("numba") is not None:
        return "numba"
    return "numpy"


def _activate_numba(index: Any) -> None:
    if importlib.util.find_spec("numba") is None:
        raise MissingExtraError("Bm25Retriever(backend='numba')", "search-large")
    index.backend = "numba"


def _fingerprint(passages: Sequence[Passage], k1: float, b: float) -> str:
    """Return a digest of all that an index depends on."""
    digest = hashlib.blake2b(
        f"{_FORMAT} english {float(k1)!r} {float(b)!r}".encode(), digest_size=16
    )
    for passage in passages:
        digest.update(json.dumps([passage.id, passage.title, passage.text]).encode())
    return digest.hexdigest()


def _read_fingerprint(folder: Path) -> str:
    try:
        settings = json.loads((folder / _SETTINGS).read_text())
        if settings["format"] == _FORMAT:
            return str(settings["fingerprint"])
        reason = f"format {settings['format']}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error)
    raise DataError(
        f"{folder}: expected a BM25 index of format {_FORMAT}, got {reason}; build it with "
        f"Bm25Retriever(passages).save({str(folder)!r})"
    )


def _check_fingerprint(folder: Path, expected: str) -> None:
    if _read_fingerprint(folder) != expected:
        raise DataError(
            f"{folder}: expected the index of these passages, k1 and b, got another one; delete "
            f"the folder or name a new one"
        )


def _move_in_place(draft: Path, folder: Path, fingerprint: str) -> None:
    try:
        draft.rename(folder)
    except OSError as error:
        if not (folder / _SETTINGS).exists():
            raise DataError(
                f"{folder}: expected an absent or empty folder, cannot write there: {error}"
            ) from error
        _check_fingerprint(folder, fingerprint)
