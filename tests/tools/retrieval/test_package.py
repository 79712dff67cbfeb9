import subprocess
import sys

import pytest

from rmgym.errors import MissingExtraError
from rmgym.protocols import Passage
from rmgym.tools import retrieval
from rmgym.tools.retrieval import Bm25Retriever, EnglishAnalyzer, analysis

HEAVY = ["bm25s", "datasets", "http.server", "jnius", "numba", "Stemmer", "torch"]


def test_every_exported_name_can_be_had() -> None:
    assert retrieval.__all__ == sorted(retrieval.__all__)
    for name in retrieval.__all__:
        assert getattr(retrieval, name).__name__ == name
    assert dir(retrieval) == retrieval.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Bm26Retriever'"):
        _ = retrieval.Bm26Retriever


def test_importing_every_module_but_the_server_loads_no_heavy_library() -> None:
    script = (
        "import sys; before = set(sys.modules); "
        "from rmgym.tools.retrieval import analysis, bm25, client, corpus, dense, lucene, noise; "
        f"print(sorted((set(sys.modules) - before) & set({HEAVY!r})))"
    )
    command = [sys.executable, "-c", f"import numpy, gymnasium; {script}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("library", ["bm25s", "Stemmer"])
def test_bm25_without_its_library_says_what_to_install(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis._term_function.cache_clear()
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'rmgym\[search\]'"):
        Bm25Retriever([Passage(id="a", title="", text="x")])


def test_numba_asked_for_but_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'rmgym\[search-large\]'"):
        Bm25Retriever([Passage(id="a", title="", text="x")], backend="numba")


def test_the_analyzer_works_again_once_its_library_is_there() -> None:
    assert EnglishAnalyzer()("ponies") == ["poni"]
