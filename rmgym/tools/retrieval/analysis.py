"""Text to index terms, as Lucene's English analyser does it, without Java."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from rmgym.errors import MissingExtraError

STOP_WORDS = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is"),
        *("it", "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there"),
        *("these", "they", "this", "to", "was", "will", "with"),
    )
)
"""The 33 English stop words of Lucene."""

MAX_TERM_CHARACTERS = 255
"""A longer word is cut into pieces of this length, as Lucene does."""

_APOSTROPHES = "'\u2019\uff07"
_POSSESSIVE_ENDINGS = tuple(mark + letter for mark in _APOSTROPHES for letter in "sS")
_MID_LETTER_OR_NUMBER = ".'\u2018\u2019\u2024\ufe52\uff07\uff0e"
_MID_LETTER = _MID_LETTER_OR_NUMBER + ":\u00b7\u0387\u05f4\u2027\ufe13\ufe55\uff1a"
_MID_NUMBER = (
    _MID_LETTER_OR_NUMBER + ",;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\uff0c\uff1b"
)
_JOINERS = "_\u203f\u2040\u2054\ufe33\ufe34\ufe4d\ufe4e\ufe4f\uff3f"
_KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_SINGLES = (
    "\u3005-\u3007\u3021-\u3029\u3041-\u3096\u309d-\u309f\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003fffd"
)
"""Han and Hiragana: every character is a word."""

# Porter's later additions to his algorithm, which Lucene has and Snowball's "porter" lacks:
# "bli" becomes "ble" and "logi" becomes "log" behind a stem with a vowel and then a consonant.
_VOWEL_THEN_CONSONANT = re.compile("[aeiou][^aeiou]|(?<=[^aeiou])y[^aeiouy]")


class EnglishAnalyzer:
    """Splits words, drops possessives and stop words, lowers case, stems with Porter.

    Follows Lucene's `EnglishAnalyzer`: word boundaries of Unicode's annex 29 (letters joined by
    an apostrophe, a dot or a colon, digits by a dot or a comma; every Han or Hiragana character
    for itself), then the possessive, case, stop-word and Porter filters. Emoji, which Lucene
    keeps, are dropped, and the special rules for Hebrew quotation marks are left out. Any `str`
    is accepted, lone surrogates and control characters included; time grows with its length
    alone.

    Raises:
        MissingExtraError: If PyStemmer is not installed.

    >>> EnglishAnalyzer()("The U.S. Senate's 1,000 ponies didn't run.")
    ['u.', 'senat', '1,000', 'poni', "didn't", 'run']
    """

    def __init__(self) -> None:
        self._find_ascii_words = _ascii_word_pattern().findall
        self._term = _term_function()

    def __call__(self, text: str) -> list[str]:
        """Return the terms of `text`, in order."""
        words = self._find_ascii_words(text) if text.isascii() else _word_pattern().findall(text)
        if len(text) > MAX_TERM_CHARACTERS:
            words = [piece for word in words for piece in _pieces(word)]
        return [term for term in map(self._term, words) if term]

    def __reduce__(self) -> tuple[type[EnglishAnalyzer], tuple[()]]:
        """Rebuild from nothing: the compiled parts do not travel."""
        return type(self), ()


def _pieces(word: str) -> list[str]:
    if len(word) <= MAX_TERM_CHARACTERS:
        return [word]
    starts = range(0, len(word), MAX_TERM_CHARACTERS)
    return [word[start : start + MAX_TERM_CHARACTERS] for start in starts]


@lru_cache(maxsize=1)
def _term_function() -> Callable[[str], str]:
    """Return the function from a word to its term, empty for a stop word; it remembers words."""
    porter = _porter_stemmer().stemWord

    def stem(word: str) -> str:
        stemmed = str(porter(word))
        if stemmed.endswith("bli") and _VOWEL_THEN_CONSONANT.search(stemmed[:-3]):
            return str(porter(stemmed[:-1] + "e"))
        if stemmed.endswith("logi") and _VOWEL_THEN_CONSONANT.search(stemmed[:-4]):
            return stemmed[:-1]
        return stemmed

    @lru_cache(maxsize=65_536)
    def term(word: str) -> str:
        if word.endswith(_POSSESSIVE_ENDINGS):
            word = word[:-2]
        # Lower case one character at a time: str.lower makes two of the dotted capital I.
        word = word.replace("\u0130", "i").lower()
        if word in STOP_WORDS or not word.strip(_JOINERS):
            return ""
        # Lucene's Porter filter leaves words of one or two letters alone.
        return stem(word) if len(word) > 2 else word

    return term


def _porter_stemmer() -> Any:
    try:
        import Stemmer
    except ImportError as error:
        raise MissingExtraError("EnglishAnalyzer", "search") from error
    # No cache of its own: terms are remembered above, in a bounded store.
    return Stemmer.Stemmer("porter", 0)


@lru_cache(maxsize=1)
def _ascii_word_pattern() -> re.Pattern[str]:
    """Return the pattern of one word in ASCII text; it costs nothing to build."""
    return re.compile(_word("A-Za-z", "0-9", ""))


@lru_cache(maxsize=1)
def _word_pattern() -> re.Pattern[str]:
    """Return the pattern of one word in any text; building it takes some 60 ms."""
    letters, digits, marks = _character_classes()
    word = _word(letters, digits, marks)
    return re.compile(f"{word}|[{_KATAKANA}]+[{marks}]*|[{_SINGLES}][{marks}]*")


def _word(letters: str, digits: str, marks: str) -> str:
    """Return the expression of a run of letters and digits, joined where the annex joins them.

    Classes that may follow each other are disjoint, so matching never goes back over text: its
    time is linear. A run of underscores alone matches too, and is dropped later.
    """
    run = f"[{letters}{digits}{_JOINERS}][{letters}{digits}{_JOINERS}{marks}]*"
    letter_joint = f"(?<=[{letters}{marks}])[{_MID_LETTER}](?=[{letters}])"
    digit_joint = f"(?<=[{digits}{marks}])[{_MID_NUMBER}](?=[{digits}])"
    return f"{run}(?:(?:{letter_joint}|{digit_joint}){run})*"


def _character_classes() -> tuple[str, str, str]:
    """Return the insides of the regular-expression classes of letters, digits and marks."""
    alone = re.compile(f"[{_KATAKANA}{_SINGLES}{_JOINERS}]")
    letters, digits, marks = list[int](), list[int](), list[int]()
    for code in range(0x20000):
        category = unicodedata.category(chr(code))
        # The zero-width space separates words although it is a format character.
        if code == 0x200B or alone.match(chr(code)):
            continue
        if category[0] == "L" or category == "Nl":
            letters.append(code)
        elif chr(code).isdecimal():
            digits.append(code)
        elif category[0] == "M" or category == "Cf":
            marks.append(code)
    return _ranges(letters), _ranges(digits), _ranges(marks)


def _ranges(codes: list[int]) -> str:
    parts: list[str] = []
    start = previous = codes[0]
    for code in [*codes[1:], -1]:
        if code != previous + 1:
            parts.append(f"{chr(start)}-{chr(previous)}")
            start = code
        previous = code
    return "".join(parts)
