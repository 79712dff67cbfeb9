import json
import math
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rmgym.errors import DataError
from rmgym.protocols import Hit, Passage
from rmgym.tools.retrieval import Bm25Retriever, load_corpus
from rmgym.tools.retrieval.bm25 import NUMBA_FROM, Backend, _choose_backend

TWOWIKI = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "twowiki"
PASSAGES = [
    Passage(id="a", title="cats", text="red cats chase red mice"),
    Passage(id="b", title="dogs", text="dogs chase cats"),
    Passage(id="c", title="fish", text="fish swim"),
    Passage(id="d", title="dogs", text="dogs chase cats"),
]


def names(hits: list[Hit]) -> list[str]:
    return [hit.passage.id for hit in hits]


def test_scores_follow_the_formula() -> None:
    # Lengths with titles: 6, 4, 3, 4; mean 17/4. "mice" stands once, in the first alone.
    hit = Bm25Retriever(PASSAGES).search(["mice"], 3)[0][0]
    idf = math.log(1 + (4 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 1 / (1 + 0.9 * (1 - 0.4 + 0.4 * 6 / (17 / 4)))
    assert hit.passage.id == "a"
    assert hit.score == pytest.approx(expected, rel=1e-6)


def test_k1_and_b_are_used() -> None:
    hit = Bm25Retriever(PASSAGES, k1=2.0, b=0.0).search(["red"], 1)[0][0]
    assert hit.score == pytest.approx(math.log(1 + 3.5 / 1.5) * 2 / (2 + 2.0), rel=1e-6)


def test_a_repeated_query_term_counts_each_time() -> None:
    retriever = Bm25Retriever(PASSAGES)
    once, thrice = retriever.search(["mice", "mice mice mice"], 1)
    assert thrice[0].score == pytest.approx(3 * once[0].score)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_ties_follow_the_order_of_the_corpus(backend: Backend) -> None:
    pytest.importorskip("numba")
    passages = [Passage(id=str(i), title="", text="same words") for i in range(300)]
    passages[200] = Passage(id="best", title="", text="same same words")
    retriever = Bm25Retriever(passages, backend=backend)
    assert names(retriever.search(["same"], 4)[0]) == ["best", "0", "1", "2"]
    assert names(retriever.search(["same"], 250)[0])[-1] == "249"


def test_passages_without_a_query_term_are_no_hits() -> None:
    assert names(Bm25Retriever(PASSAGES).search(["fish"], 4)[0]) == ["c"]


@pytest.mark.parametrize("passages", [[], [Passage(id="x", title="", text="the of !")]])
def test_a_corpus_without_words_is_refused(passages: list[Passage]) -> None:
    with pytest.raises(DataError, match="at least one word"):
        Bm25Retriever(passages)


def test_a_passage_without_words_is_kept_in_place() -> None:
    passages = [Passage(id="x", title="", text="the !"), *PASSAGES]
    assert names(Bm25Retriever(passages).search(["fish"], 1)[0]) == ["c"]


@pytest.mark.parametrize("setting", [{"k1": -1.0}, {"b": 1.5}, {"k1": math.nan}])
def test_settings_out_of_range_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected k1"):
        Bm25Retriever(PASSAGES, k1=setting.get("k1", 0.9), b=setting.get("b", 0.4))


def test_a_very_long_query_is_answered() -> None:
    query = " ".join(f"word{i}" for i in range(50_000)) + " cats" * 50_000
    assert len(Bm25Retriever(PASSAGES).search([query], 4)[0]) == 3


def test_a_saved_index_finds_the_same(tmp_path: Path) -> None:
    built = Bm25Retriever([*PASSAGES, Passage(id="\ud800", title="\ud800", text="odd cats \udfff")])
    built.save(tmp_path / "deep" / "index")
    loaded = Bm25Retriever.load(tmp_path / "deep" / "index")
    queries = ["cats chase", "red", "odd"]
    assert loaded.search(queries, 3) == built.search(queries, 3)
    assert list(loaded.passages) == list(built.passages)
    assert loaded.passages[1:3] == built.passages[1:3]
    assert loaded.passages[-1] == built.passages[-1]
    with pytest.raises(IndexError):
        loaded.passages[5]


@pytest.mark.parametrize("saved", [False, True])
def test_a_retriever_pickles(tmp_path: Path, saved: bool) -> None:
    retriever = Bm25Retriever(PASSAGES, index_dir=tmp_path / "index" if saved else None)
    copy = pickle.loads(pickle.dumps(retriever))
    assert copy.search(["red cats"], 3) == retriever.search(["red cats"], 3)


def test_index_dir_is_written_once_and_loaded_again(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    first = Bm25Retriever(PASSAGES, index_dir=folder)
    stamp = (folder / "settings.json").stat().st_mtime_ns
    again = Bm25Retriever(PASSAGES, index_dir=folder)
    assert (folder / "settings.json").stat().st_mtime_ns == stamp
    assert again.search(["cats"], 3) == first.search(["cats"], 3)
    assert os.listdir(tmp_path) == ["index"]


@pytest.mark.parametrize("change", ["passages", "k1"])
def test_index_dir_of_something_else_is_refused(tmp_path: Path, change: str) -> None:
    Bm25Retriever(PASSAGES, index_dir=tmp_path / "index")
    passages = PASSAGES[:3] if change == "passages" else PASSAGES
    with pytest.raises(DataError, match="another one"):
        Bm25Retriever(passages, k1=0.8 if change == "k1" else 0.9, index_dir=tmp_path / "index")


def test_saving_over_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="absent or empty"):
        Bm25Retriever(PASSAGES).save(tmp_path / "index")
    assert os.listdir(tmp_path) == ["index"]


@pytest.mark.parametrize("settings", [None, "{", '{"format": 99}', "[]"])
def test_loading_what_is_no_index_is_refused(tmp_path: Path, settings: str | None) -> None:
    if settings is not None:
        (tmp_path / "settings.json").write_text(settings)
    with pytest.raises(DataError, match="expected a BM25 index"):
        Bm25Retriever.load(tmp_path)


def test_index_files_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    script = (
        "import sys; from rmgym.protocols import Passage; "
        "from rmgym.tools.retrieval import Bm25Retriever; "
        "Bm25Retriever([Passage(id=str(i), title='t', text=f'w{i} v{i} u') for i in range(9)])"
        ".save(sys.argv[1])"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", script, str(tmp_path / seed)]
        subprocess.run(command, env=environment, check=True)
    files = sorted(p.relative_to(tmp_path / "1") for p in (tmp_path / "1").rglob("*.*"))
    assert len(files) >= 6
    for file in files:
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_threads_share_a_retriever() -> None:
    retriever = Bm25Retriever(PASSAGES)
    expected = retriever.search(["red cats", "dogs"], 3)
    found: list[list[list[Hit]]] = []

    def work() -> None:
        for _ in range(50):
            found.append(retriever.search(["red cats", "dogs"], 3))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 200


def test_numba_is_chosen_above_its_threshold_alone() -> None:
    pytest.importorskip("numba")
    assert [_choose_backend(NUMBA_FROM), _choose_backend(NUMBA_FROM + 1)] == ["numpy", "numba"]


def test_numba_and_numpy_agree_on_real_passages() -> None:
    pytest.importorskip("numba")
    if not TWOWIKI.exists():
        pytest.skip("needs shared/data/twowiki beside the repository")
    passages = load_corpus(TWOWIKI / "2wikimultihopqa_corpus.json")[:1500]
    path = TWOWIKI / "2wikimultihop_dev_questions_and_answers.json"
    questions = [row["question"] for row in json.loads(path.read_text())][:300]
    plain = Bm25Retriever(passages, backend="numpy").search(questions, 5)
    assert Bm25Retriever(passages, backend="numba").search(questions, 5) == plain
