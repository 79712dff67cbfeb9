"""What every retriever has to do, whatever stands behind it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rmgym.errors import MissingExtraError
from rmgym.protocols import Hit, Passage, Retriever
from rmgym.tools.retrieval import (
    Bm25Retriever,
    DenseRetriever,
    HttpRetriever,
    NoisyRetriever,
    RetrievalServer,
    lucene,
)

PASSAGES = [
    *(Passage(id=f"c{i}", title=f"Cat {i}", text="cats chase mice " * (i + 1)) for i in range(6)),
    Passage(
        id="z", title="Zürich", text="The city of Zürich; 日本 and café \u2014 odd \ud800 end."
    ),
    Passage(id="e", title="", text="no title, cats"),
    Passage(id="s", title="Stop", text="the of and"),
    Passage(id="t1", title="Twin", text="twins tie"),
    Passage(id="t2", title="Twin", text="twins tie"),
]
QUERIES = ["cats chase", "Zürich", "mice", "twins", "zebra nowhere", "", "the of", "\ud800 cats"]
ODD_QUERIES = [
    "",
    " ",
    "\n\t\x00",
    "\ud800",
    "\udfff\ud800",
    "日本",
    "😀",
    '(AND OR NOT) ~*?:\\"[]{}^/',
    "%s{}",
]
LUCENE_SERVER = """
import json, sys
from rmgym.protocols import Passage
from rmgym.tools.retrieval import LuceneRetriever, RetrievalServer
passages = [Passage(**row) for row in json.loads(sys.stdin.readline())]
with RetrievalServer(LuceneRetriever.build(passages, sys.argv[1])) as server:
    print(server.url, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def over_http() -> Iterator[Retriever]:
    with RetrievalServer(Bm25Retriever(PASSAGES)) as server:
        client = HttpRetriever(server.url)
        yield client
        client.close()


@contextmanager
def lucene_in_its_process(folder: Path) -> Iterator[Retriever]:
    command = [sys.executable, "-c", LUCENE_SERVER, str(folder / "index")]
    rows = [{"id": p.id, "title": p.title, "text": p.text} for p in PASSAGES]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(rows) + "\n")
        process.stdin.flush()
        url = next(line for line in process.stdout if line.startswith("http")).strip()
        client = HttpRetriever(url)
        yield client
        client.close()
        process.stdin.close()


@pytest.fixture(
    scope="module",
    params=["bm25-numpy", "bm25-numba", "bm25-saved", "dense", "noisy", "http", "lucene"],
)
def retriever(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Retriever]:
    kind = request.param
    if kind == "bm25-numpy":
        yield Bm25Retriever(PASSAGES)
    elif kind == "bm25-numba":
        pytest.importorskip("numba")
        yield Bm25Retriever(PASSAGES, backend="numba")
    elif kind == "bm25-saved":
        yield Bm25Retriever(PASSAGES, index_dir=tmp_path_factory.mktemp("saved") / "index")
    elif kind == "dense":
        yield DenseRetriever(PASSAGES)
    elif kind == "noisy":
        yield NoisyRetriever(Bm25Retriever(PASSAGES), [], seed=0)
    elif kind == "http":
        with over_http() as client:
            yield client
    else:
        try:
            lucene._anserini_jar()
        except MissingExtraError:
            pytest.skip("needs Pyserini's jar")
        with lucene_in_its_process(tmp_path_factory.mktemp("lucene")) as client:
            yield client


def ids(hits: list[Hit]) -> list[str]:
    return [hit.passage.id for hit in hits]


def test_it_fits_the_protocol(retriever: Retriever) -> None:
    assert isinstance(retriever, Retriever)


def test_hits_come_best_first_and_rank_from_one(retriever: Retriever) -> None:
    for hits in retriever.search(QUERIES, 8):
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(score > 0 for score in scores)
        assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))


def test_a_passage_is_found_by_its_words_and_comes_back_whole(retriever: Retriever) -> None:
    hits = retriever.search(["Zürich city"], 1)[0]
    assert [hit.passage for hit in hits] == [PASSAGES[6]]


@pytest.mark.parametrize("k", [0, 1, 3])
def test_at_most_k_hits_come_back(retriever: Retriever, k: int) -> None:
    assert len(retriever.search(["cats chase mice"], k)[0]) == k


def test_k_may_exceed_the_corpus(retriever: Retriever) -> None:
    hits = retriever.search(["cats"], 10_000)[0]
    assert 7 <= len(hits) <= len(PASSAGES)
    assert len(set(ids(hits))) == len(hits)


def test_passages_that_do_not_fit_are_no_hits(retriever: Retriever) -> None:
    assert len(retriever.search(["qqqqqq"], 100)[0]) < len(PASSAGES)


def test_a_negative_k_is_refused(retriever: Retriever) -> None:
    with pytest.raises(ValueError, match="expected k of 0 or more, got -1"):
        retriever.search(["cats"], -1)


def test_a_blank_query_finds_nothing(retriever: Retriever) -> None:
    assert retriever.search(["", " \n"], 3) == [[], []]


def test_no_queries_give_no_results(retriever: Retriever) -> None:
    assert retriever.search([], 3) == []


@pytest.mark.parametrize("query", ODD_QUERIES)
def test_odd_queries_are_answered(retriever: Retriever, query: str) -> None:
    assert len(retriever.search([query], 3)) == 1


def test_a_batch_equals_its_single_queries(retriever: Retriever) -> None:
    assert retriever.search(QUERIES, 4) == [retriever.search([query], 4)[0] for query in QUERIES]


def test_the_same_query_finds_the_same(retriever: Retriever) -> None:
    first, second = retriever.search(["cats mice", "cats mice"], 8)
    assert first == second


def test_ties_come_in_the_order_of_the_corpus(retriever: Retriever) -> None:
    assert ids(retriever.search(["twins"], 2)[0]) == ["t1", "t2"]
    assert ids(retriever.search(["twins"], 1)[0]) == ["t1"]
