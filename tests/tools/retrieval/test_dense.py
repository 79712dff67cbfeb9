import numpy as np
import pytest
from numpy.typing import NDArray

from rmgym.errors import RetrieverError
from rmgym.protocols import Passage
from rmgym.tools.retrieval import DenseRetriever, HashedNgramEmbedder

PASSAGES = [
    Passage(id="a", title="Ada Lovelace", text="Wrote the first program."),
    Passage(id="b", title="Alan Turing", text="Broke the Enigma cipher."),
]


def test_rows_have_length_one_or_zero() -> None:
    rows = HashedNgramEmbedder()(["program", "", "   "])
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1.0, 0.0, 0.0])


def test_case_and_blanks_do_not_matter() -> None:
    rows = HashedNgramEmbedder()(["Ada  LOVELACE", "ada lovelace"])
    assert rows[0].tolist() == rows[1].tolist()


def test_one_ngram_fills_one_bucket() -> None:
    row = HashedNgramEmbedder(dimensions=64, sizes=(3,))(["x"])[0]
    assert np.abs(row).tolist().count(1.0) == 1
    assert np.count_nonzero(row) == 1


def test_rows_are_the_same_on_every_machine() -> None:
    row = HashedNgramEmbedder(dimensions=8, sizes=(2,))(["ab"])[0]
    # Of " a", "ab" and "b ", two share bucket 7 with one sign, one falls in bucket 5.
    assert np.flatnonzero(row).tolist() == [5, 7]
    assert row[[5, 7]] == pytest.approx([1 / 3**0.5, -((2 / 3) ** 0.5)])


def test_a_misspelt_name_is_found() -> None:
    hits = DenseRetriever(PASSAGES).search(["alan turning"], 1)[0]
    assert hits[0].passage.id == "b"


def test_an_embed_function_can_be_passed() -> None:
    def embed(texts: object) -> NDArray[np.float32]:
        assert isinstance(texts, list)
        return np.array([[1.0, 0.0] if "Ada" in t else [0.0, 1.0] for t in texts], dtype=np.float32)

    hits = DenseRetriever(PASSAGES, embed=embed).search(["Ada"], 2)[0]
    assert [(hit.passage.id, hit.score) for hit in hits] == [("a", 1.0)]


@pytest.mark.parametrize("rows", [np.zeros((1, 3)), np.zeros(2), np.full((2, 3), np.nan)])
def test_unusable_rows_are_refused(rows: NDArray[np.float32]) -> None:
    with pytest.raises(RetrieverError, match="finite embeddings"):
        DenseRetriever(PASSAGES, embed=lambda texts: rows)


def test_no_passages_means_no_hits() -> None:
    assert DenseRetriever([]).search(["x"], 3) == [[]]


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="n-gram sizes"):
        HashedNgramEmbedder(sizes=(0,))
