"""Names, dates and sentences in encyclopaedia-like English prose."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from rmgym.agents.wiki_countries import PEOPLE

_UPPER = "".join(
    char for code in (*range(0x41, 0x530), *range(0x1E00, 0x2000)) if (char := chr(code)).isupper()
)
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_JOINED = (
    "of the|of|the|de la|de las|de los|del|della|de|da|dos|do|di|du|des|der|von der|von dem|von|"
    "van der|van den|van|zu|zur|af|av|al|el|le|la|ibn|bin|bint|ben|ap|ferch|mac|ingen|y|d'|no|"
    "and the"
)
_WORD = rf"(?:[dD]['\u2019]|[aA]l-|el-|O['\u2019])?[{_UPPER}](?:[\w'\u2019\u2018]|[-.](?=\w))*"
_TOKEN = rf"(?:(?:St|Dr|Jr|Sr|Mt)\.|[{_UPPER}]\.(?! (?:He|She|His|Her|It|The|In|After)\b)|{_WORD})"
_RANK = (
    r"(?:Duke|Duchess|Count|Countess|Earl|Baron|Baroness|Prince|Princess|King|Queen|Marquess|"
    r"Marquis|Margrave|Landgrave|Lord|Lady|Viscount|Viscountess|Elector|Emperor|Grand|Hereditary|"
    r"Archduke|Holy|Burgrave|Dauphin|Jr|Sr|Duc|Comte|Graf|Seigneur)"
)
NAME = (
    rf"(?:(?<!\d)\d{{1,2}} )?{_TOKEN}(?:,? (?:Jr\.|Sr\.))?(?:(?: (?:{_JOINED}))? {_TOKEN})*"
    rf"(?:, (?:\d+(?:st|nd|rd|th) )?{_RANK}\b[.]?"
    rf"(?:(?: (?:{_JOINED}))? {_TOKEN}|,? and {_TOKEN}(?=,))*)?"
)
"""Pattern of a proper name, with particles and a title behind a comma."""
_NAME = re.compile(NAME)
DATE = (
    rf"(?:\d{{1,2}}(?:st|nd|rd|th)? (?:{_MONTHS})(?:,? \d{{3,4}})|"
    rf"(?:{_MONTHS}) \d{{1,2}}, \d{{3,4}}|(?:{_MONTHS}),? \d{{3,4}}|"
    rf"\d{{3,4}}|(?<=c\. )\d{{2}})(?: BCE?)?(?!\w)"
)
"""Pattern of a date: a year of three or four digits, with or without month and day."""
_YEAR = re.compile(r"(\d{2,4})(?: (BC))?(?:E)?$")
_MONTH_NUMBER = {month: number for number, month in enumerate(_MONTHS.split("|"), start=1)}
_NOT_NAMES = frozenset(
    (
        *_MONTHS.split("|"),
        *[
            "He",
            "She",
            "His",
            "Her",
            "It",
            "Its",
            "They",
            "Their",
            "The",
            "A",
            "An",
            "In",
            "On",
            "At",
            "By",
            "After",
            "Before",
            "When",
            "While",
            "As",
            "From",
            "Film",
            "Soviet",
            "Jewish",
            "Bollywood",
            "Hollywood",
            "Monday",
            "Tuesday",
            "Wednesday",
            "Thursday",
            "Friday",
            "Saturday",
            "Sunday",
            "Academy",
            "Award",
            "Grammy",
            "Oscar",
            "Catholic",
            "Christian",
            "Jesuit",
            "Roman",
            "This",
            "That",
            "These",
            "Holy",
        ],
    )
)
_HONOURS = re.compile(
    r"^(?:(?:the|King|Queen|Emperor|Empress|Sultan|Caliph|Tsar|Shah|Duke|Count|Earl|Margrave|"
    r"Landgrave|Elector|Captain|Major|General|Colonel|Admiral|Lieutenant|Dr\.|Dr|Mr\.|Mrs\.|Rev\.|"
    r"Professor|President|Senator|Pharaoh|Emir|Reverend|Pope|Judge|Baron|Hon\.|Honourable) )+(?=\S)"
)
_STOPS = r"(?:[A-Z]|Dr|Mr|Mrs|St|Jr|Sr|Rev|Hon|Capt|Col|Gen|Lt|No|Vol|c|ca|d|b|r|vs|Bros|Mt|fl)"
_SENTENCE_END = re.compile(r"(?<=[.!?;])(?<!\b[A-Z]\.)[\"'\u201d\u2019]? +(?=[\"'\u201c]?[^a-z\s])")


class Dated(NamedTuple):
    """A date as written, and as a key that sorts: year, month, day, 0 where it is not given."""

    text: str
    key: tuple[int, int, int]


def fold(text: str) -> str:
    """Return letters and digits in lower case without accents, other characters as one blank.

    >>> fold("Émile d'Orsay-Łoś (film)")
    'emile d orsay los film'
    """
    bare = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L").replace("ø", "o"))
    kept = "".join(char for char in bare if not unicodedata.combining(char)).casefold()
    return " ".join(re.sub(r"[^\w]+|_", " ", kept).split())


def tidy(text: str) -> str:
    """Return text without the blanks of tokenised prose.

    >>> tidy("Al- Amin Tol( born 1950) , a poet")
    'Al-Amin Tol (born 1950), a poet'
    """
    text = re.sub(r"(?<=\w)- (?=[^\W\d_])(?!and |or |und )", "-", text)
    text = re.sub(r"(?<=\S)\(", " (", text)
    text = re.sub(r"\( +", "(", text)
    text = re.sub(r" +([\u2019'])(?=s\b)", r"\1", text)
    text = re.sub(r" ([,;)])", r"\1", text)
    text = re.sub(rf"(\d{{4}})(\d{{1,2}} (?:{_MONTHS})|(?:{_MONTHS}) \d)", "\\1 \u2013 \\2", text)
    return re.sub(r" {2,}", " ", text)


def sentences(text: str) -> list[str]:
    """Return the sentences of tidied prose; abbreviations do not end one."""
    found: list[str] = []
    for line in text.splitlines():
        for piece in _SENTENCE_END.split(line):
            if found and re.search(rf"(?<!\w){_STOPS}\.$", found[-1]):
                found[-1] += f" {piece}"
            elif piece.strip():
                found.append(piece)
    return found


def without_brackets(text: str) -> str:
    """Return text without what stands in parentheses, two levels deep."""
    for _ in range(2):
        text = re.sub(r" ?\([^()]*\)", "", text)
    return text


def names_in(text: str) -> Iterator[re.Match[str]]:
    """Yield the proper names of a text in order, without months, peoples and opening words."""
    for match in _NAME.finditer(text):
        words = match[0].split()
        if all(_is_no_name(word) for word in words):
            continue
        if PEOPLE.fullmatch(match[0]) or PEOPLE.fullmatch(match[0].replace("-", " ")):
            continue
        yield match


def _is_no_name(word: str) -> bool:
    return word.isdigit() or word.strip(".,'\u2019s") in _NOT_NAMES or bool(PEOPLE.fullmatch(word))


def clean_name(name: str) -> str:
    """Return a name without ranks before it, a possessive ending or stray punctuation."""
    bare = re.sub(r"['\u2019]s?$", "", name.strip(" ,;:\"\u201c\u201d'"))
    while True:
        people = PEOPLE.match(bare)
        if people is None or not bare[people.end() :].startswith(" "):
            break
        bare = bare[people.end() :].strip()
    bare = _HONOURS.sub("", bare)
    keeps_stop = re.search(r"(?:\b[A-Z]|Jr|Sr|Inc|Bros)\.$", bare)
    return bare if keeps_stop else bare.rstrip(".")


def read_date(text: str) -> Dated | None:
    """Return the first date of a text, or None.

    >>> read_date("it opened on 3 May 1921.")
    Dated(text='3 May 1921', key=(1921, 5, 3))
    """
    match = re.search(DATE, text)
    if match is None:
        return None
    written = match[0]
    year = _YEAR.search(written)
    if year is None:
        return None
    sign = -1 if year[2] else 1
    month = re.search(_MONTHS, written)
    day = re.search(r"\b\d{1,2}\b(?! BC)", written[: year.start()]) if month else None
    number = _MONTH_NUMBER[month[0]] if month else 0
    return Dated(written, (sign * int(year[1]), number, int(day[0]) if day else 0))
