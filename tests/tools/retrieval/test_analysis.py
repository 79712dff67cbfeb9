import pickle

import pytest

from rmgym.tools.retrieval import EnglishAnalyzer
from rmgym.tools.retrieval.analysis import STOP_WORDS

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def analyze() -> EnglishAnalyzer:
    return EnglishAnalyzer()


def test_there_are_33_stop_words() -> None:
    assert len(STOP_WORDS) == 33


# Expected terms are those of Lucene's own analyser (Anserini 1.7.1) unless the comment says more.
@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The Senate's and the SENATE\u2019S ponies", ["senat", "senat", "poni"]),
        ("didn't O'Brien's rock'n'roll", ["didn't", "o'brien", "rock'n'rol"]),
        ("3.14 1,000 10:30 v2.0", ["3.14", "1,000", "10", "30", "v2.0"]),
        ("foo.bar foo:bar foo,bar foo-bar", ["foo.bar", "foo:bar", "foo", "bar", "foo", "bar"]),
        ("U.S.A. end.", ["u.s.a", "end"]),
        ("_x_ __ a_b", ["_x_", "a_b"]),
        ("technology trilogy assembly possibly", ["technolog", "trilogi", "assembl", "possibl"]),
        ("cafe\u0301 \u0130stanbul", ["cafe\u0301", "istanbul"]),
        ("日本語 テスト ひら", ["日", "本", "語", "テスト", "ひ", "ら"]),
        ("zero\u200bwidth soft\u00adhyphen", ["zero", "width", "soft\u00adhyphen"]),
        ("", []),
        ("the of and", []),
        (" \t\n\x00\x1f!?", []),
    ],
)
def test_terms(analyze: EnglishAnalyzer, text: str, terms: list[str]) -> None:
    assert analyze(text) == terms


def test_lone_surrogates_separate_words(analyze: EnglishAnalyzer) -> None:
    assert analyze("red\ud800blue \udfff") == ["red", "blue"]


def test_terms_do_not_depend_on_what_else_the_text_holds(analyze: EnglishAnalyzer) -> None:
    ascii_text = "Foo.bar's 1,000 a_b didn't x:y e-mail"
    assert analyze(ascii_text + " \u00e9") == [*analyze(ascii_text), "\u00e9"]


def test_a_long_word_is_cut_into_pieces_of_255(analyze: EnglishAnalyzer) -> None:
    assert [len(term) for term in analyze("x" * 600)] == [255, 255, 90]


@pytest.mark.parametrize("unit", ["a", "a'", "_", "\u0301", "日", "1,", ".", "'s ", "\ud800", "é."])
def test_a_megabyte_of_anything_is_analysed(analyze: EnglishAnalyzer, unit: str) -> None:
    assert len(analyze(unit * (MEGABYTE // len(unit)))) <= MEGABYTE


def test_an_analyzer_pickles(analyze: EnglishAnalyzer) -> None:
    assert pickle.loads(pickle.dumps(analyze))("Ponies") == ["poni"]
