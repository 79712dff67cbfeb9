"""Read one relation of a passage's subject out of encyclopaedia-like English prose, by patterns.

Made for openings of articles: "X (12 May 1950 - 3 June 2001) was a Danish painter, the son of ...".
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rmgym.agents import wiki_life
from rmgym.agents.wiki_countries import PEOPLE
from rmgym.agents.wiki_family import read_family
from rmgym.agents.wiki_text import (
    NAME,
    Dated,
    clean_name,
    names_in,
    sentences,
    tidy,
    without_brackets,
)

_MAKERS: dict[str, tuple[str, ...]] = {
    "director": (
        r"\b(?:co-)?directed(?: and \w+(?:-\w+)?| and co-\w+|, \w+(?:,? and \w+)?)* by\b",
        r"\bdirect(?:or|ed) (?:was|is)\b",
        r"\b(?:film|movie|documentary|drama|comedy|western|thriller|short|feature)\b[^.]{0,60}? "
        r"(?:by|from|of)(?: the)?(?: \w+)? director",
        r"\bdirectorial (?:debut|venture|project)[^.]{0,20} (?:of|by)\b",
        r"\bdirector\b",
        r"\b(?:film|movie|documentary|short)\b (?:made |created )?by\b",
        r"\b(?:made|created|helmed|filmed|produced) by\b",
        r"\bby\b",
    ),
    "composer": (
        r"\b(?:music|score|soundtrack|songs?|lyrics|opera|ballet|musical|work|piece|scored|"
        r"composed|scoring)\b[^.;]{0,60}? "
        r"(?:composed|scored|written|provided|done|created|handled|made)?"
        r"(?: and \w+)* ?by\b",
        r"\bcomposed\b[^.;]{0,30} by\b",
        r"\b(?:music director|composer|composers) (?:is|was|were)?\b",
        r"\b(?:co-)?written(?:,? and \w+|, \w+,? and \w+)* by\b",
        r"\bby\b",
    ),
    "performer": (
        r"\b(?:song|single|track|album|ballad|hit|EP|recording|duet|release|mixtape|anthem)s?\b"
        r"[^.;]{0,70}? by\b",
        r"\b(?:recorded|performed|sung|released|popularized|first recorded)\b[^.;]{0,40}? by\b",
        r"\bby\b",
        r"\b(?:song|single|album|track)s? (?:of|from)\b",
    ),
    "writer": (
        r"\b(?:written|authored|penned|scripted)(?:,? and \w+|, \w+)* by\b",
        r"\b(?:novel|book|play|story|poem|screenplay|script|work)\b[^.;]{0,40}? by\b",
        r"\b(?:author|writer)\b",
    ),
    "producer": (r"\bproduced(?: and \w+)* by\b", r"\bproducer\b"),
    "editor": (r"\bedited by\b", r"\beditor(?:-in-chief)?\b"),
    "founder": (
        r"\b(?:co-)?(?:founded|established|created|launched|started|formed|developed|owned|"
        r"invented)\b"
        r"[^.;]{0,60}? by\b",
        r"\b(?:co-)?(?:founder|creator|brainchild)s?(?: of| is| was| were)?\b",
        r"\bby\b",
    ),
    "publisher": (r"\bpublished\b[^.;]{0,50}? by\b", r"\bpublisher\b"),
    "teacher": (
        r"\b(?:studied|trained|study|studies|lessons)\b[^.;]{0,60}? (?:with|under|from)\b",
        r"\b(?:pupil|student|disciple) of\b",
        r"\btaught by\b",
    ),
}
_OWNER_REACH = 400
_SCHOOL = (
    r"(?:University|College|School|Academy|Institute|Conservator\w+|Seminary|Polytechnic|Oxford|"
    r"Cambridge|Harvard|Yale|Princeton|Stanford|UCLA|MIT|Eton|Sorbonne|Gymnasium|Juilliard|Tisch)"
)
_PRIZE = (
    r"(?:Award|Prize|Medal|Order|Emmy|Oscar|Grammy|Tony|BAFTA|Padma|Fellowship|Hall of Fame|Palme|"
    r"Bear|Lion|Cross|Filmfare|César|Goya|Artist|Decoration)s?"
)


def read_relation(relation: str, text: str) -> str | None:
    """Return what a passage says of its subject, or None when the patterns find nothing.

    Args:
        relation: A relation of `rmgym.agents.chain_questions`, such as "director" or "birth_place".
        text: The passage.

    >>> read_relation("director", "Salt Road is a 1931 film directed by Mira Tol.")
    'Mira Tol'
    """
    prose = tidy(text)
    if relation in _MAKERS:
        return _maker(relation, prose)
    reader = _READERS.get(relation)
    return reader(prose) if reader else read_family(relation, prose)


def read_when(relation: str, text: str) -> Dated | None:
    """Return the date of a relation that ends in `_date`, with the key that orders it, or None."""
    prose = tidy(text)
    if relation == "start_date":
        return wiki_life.start(prose)
    return wiki_life.birth(prose) if relation == "birth_date" else wiki_life.death(prose)


def _maker(relation: str, prose: str) -> str | None:
    pieces = sentences(without_brackets(prose))
    for pattern in _MAKERS[relation]:
        for piece in pieces:
            for match in re.finditer(pattern, piece):
                name = _first_name(piece[match.end() : match.end() + 120])
                if name:
                    return name
    if relation == "performer":
        return _owner(pieces)
    return None


def _first_name(tail: str) -> str | None:
    """Return the name that follows, behind at most a few words of description."""
    tail = re.split(r"\b(?:starring|featuring|based on|released|who)\b", tail, maxsplit=1)[0]
    for match in names_in(tail):
        before = tail[: match.start()]
        if len(before.split()) > 9 or re.search(r"\b(?:in|at|on|from) (?:the )?$", before):
            return None
        name = clean_name(match[0])
        if name:
            return name
    return None


def _owner(pieces: list[str]) -> str | None:
    for piece in pieces:
        match = re.search(
            rf"(?P<name>{NAME})['\u2019]s? [^.]{{0,60}}\b(?:single|album|EP|song)\b",
            piece[:_OWNER_REACH],
        )
        if match:
            return clean_name(match["name"])
    return None


def _when(find: Callable[[str], Dated | None]) -> Callable[[str], str | None]:
    def read(prose: str) -> str | None:
        found = find(prose)
        return found.text if found else None

    return read


def _organisation(words: str, kind: str, prose: str) -> str | None:
    pattern = re.compile(rf"\b(?:{words})\b")
    for piece in sentences(without_brackets(prose)):
        for match in pattern.finditer(piece):
            for name in names_in(piece[match.end() : match.end() + 160]):
                if re.search(kind, name[0]):
                    return _clean_organisation(name[0])
    return None


def _clean_organisation(name: str) -> str:
    return re.sub(r"['\u2019]s?$", "", name.strip(" .,"))


def _education(prose: str) -> str | None:
    words = r"graduat\w+|studied|studies|study|educated|attended|degree|alumn\w+|enrolled|trained"
    return (
        _organisation(words, _SCHOOL, prose)
        or wiki_life.place_after(r"graduated|studied|educated|attended|degree", prose)
        or _organisation(r"at|from", _SCHOOL, prose)
    )


def _employer(prose: str) -> str | None:
    words = (
        r"professor|teacher|teach\w*|taught|works?|worked|working|faculty|lecturer|employed|staff"
    )
    posts = (
        rf"\b(?:{words}|joined|position|editor|critic|executive|president|director|dean|chair)\b"
    )
    match = re.search(
        rf"{posts}[^.;]{{0,60}}?\b(?:at|for|of|with|in) (?:the )?(?P<name>{NAME})", prose
    )
    known = _organisation(words, _SCHOOL, prose)
    return known or (_clean_organisation(match["name"]) if match else None)


def _award(prose: str) -> str | None:
    words = r"won|win|wins|winning|winner|receiv\w+|awarded|recipient|earned|honou?red|nominated"
    return _organisation(words, _PRIZE, prose) or _organisation(r"an?|the|for|of", _PRIZE, prose)


_CAUSES = (
    (
        r"\b(?:died|death)\b[^.;]{0,50}?\b(?:of|from|by|due to|caused by|after|following|in) "
        r"(?:an? |the |complications (?:of|from) )?(?P<cause>(?!his|her|age|\d)[a-z][a-z'\u2019-]*"
        r"(?: (?!in |on |at |and |when |while |after |during )[a-z'\u2019-]+){0,3})"
    ),
    r"\b(?P<cause>suicide|drowning|drowned|assassinated|executed|murdered|beheaded|poisoned|"
    r"shot|cancer|tuberculosis|stroke|pneumonia|heart attack|plane crash|car accident)\b",
)
_CAUSE_NOUNS = {
    "drowned": "drowning",
    "assassinated": "assassination",
    "executed": "execution",
    "murdered": "murder",
    "beheaded": "beheading",
    "poisoned": "poison",
    "shot": "gunshot",
}


def _death_cause(prose: str) -> str | None:
    for pattern in _CAUSES:
        match = re.search(pattern, prose)
        if match:
            cause = re.split(r" (?:in|on|at|and|when|while)$", match["cause"])[0]
            return _CAUSE_NOUNS.get(cause, cause)
    return None


def _occupation(prose: str) -> str | None:
    match = re.search(r"\b(?:is|was) an? ([^.;]+)", without_brackets(prose))
    if match is None:
        return None
    words = re.split(r",| and | who | known | best ", PEOPLE.sub("", match[1]))
    return words[0].strip() or None


_READERS: dict[str, Callable[[str], str | None]] = {
    "birth_date": _when(wiki_life.birth),
    "death_date": _when(wiki_life.death),
    "start_date": _when(wiki_life.start),
    "birth_place": wiki_life.birth_place,
    "death_place": wiki_life.death_place,
    "burial_place": wiki_life.burial_place,
    "prison": wiki_life.prison,
    "nationality": wiki_life.nationality,
    "country": wiki_life.country,
    "education": _education,
    "employer": _employer,
    "award": _award,
    "death_cause": _death_cause,
    "occupation": _occupation,
}
