"""Read family relations of a passage's subject: parents, spouses, children, siblings."""

from __future__ import annotations

import re

from rmgym.agents.wiki_countries import REGION
from rmgym.agents.wiki_text import NAME, clean_name, names_in, sentences, without_brackets

FAMILY = ("father", "mother", "spouse", "child", "sibling")
_OTHERS = re.compile(
    r"\b(?:married|marry|wife|husband|widow|mother|father|his|her|whose|succeeded|"
    r"against|who|where|after|cousin|nephew|niece|grand\w+|uncle|aunt)\b"
    r"(?!.*(?:, the|,? and)(?: \w+){0,2} $)"
)
_CHILD_OF = re.compile(
    r"(?<![\w-])(?:son|daughter|child|children|offspring|heir|issue|twins?)\b(?: and \w+)?"
    r"(?: \w+)? of (?!(?:the|a|an) (?:house|family|clan))"
)
_BORN_TO = re.compile(
    r"\b[Bb]orn\b[^.;]{0,90}? (?:to|of) (?=(?:the |King |Queen |[a-z]+ ){0,6}[^\Wa-z\d])"
)
_FEMALE = re.compile(
    r"\b(?:mother|actress|queen|princess|duchess|countess|lady|empress|baroness|wife|mistress|"
    r"consort|concubine|singer and actress|widow|heiress|sultana|archduchess|marchioness|"
    r"Queen|Princess|Duchess|Countess|Lady|Empress|Baroness|Archduchess|Mrs|née|Consort)\b"
)
_MATE = (
    r"(?:his|her|by|with)(?: \w+){0,3}? (?:wife|husband|consort|spouse|mistress|concubine|partner)"
)
_ATTRIBUTIVE = re.compile(
    r" (?:\d+ )?(?!(?:and|or|by|with|in|on|at|from|of|the|who|was|is|for|to|as|his|her|near|after|"
    r"during|when|but|until|born|a|an|had|they)\b)[a-z][a-z-]+ (?:[a-z-]+ )?[^\W\da-z]"
)
_END = re.compile(
    r"\b(?:who|which|whom|was|were|is|daughter|son|sister|brother|widow|granddaughter|grandson|"
    r"born|succeeded|married|niece|but|grew|became|has|had|whose|died)\b|;"
)


def read_family(relation: str, prose: str) -> str | None:
    """Return the father, mother, spouse, child or sibling of a tidied passage's subject, or None.

    >>> read_family("mother", "Ada Tol was the daughter of Bo Tol and his wife, Cy Reed.")
    'Cy Reed'
    """
    pieces = [without_brackets(piece) for piece in sentences(without_brackets(prose))]
    if relation in ("father", "mother"):
        return _parent(relation, pieces)
    for pattern in _PATTERNS.get(relation, ()):
        for piece in pieces:
            for match in re.finditer(pattern, piece):
                name = _name_after(piece[match.end() : match.end() + 140])
                if name:
                    return name
    return None


def read_inverse(relation: str, subject: str, prose: str) -> bool:
    """Return whether a passage says that its own subject is the `relation` of `subject`."""
    patterns = _INVERSE.get(relation)
    if patterns is None:
        return False
    name = re.escape(subject)
    text = without_brackets(prose)
    return any(re.search(rf"{pattern}[^.;]{{0,40}}?\b{name}", text) for pattern in patterns)


def _parent(relation: str, pieces: list[str]) -> str | None:
    stated = re.compile(
        rf"\b(?:[Hh]is|[Hh]er|[Tt]heir|['\u2019]s) (?:\w+ )?{relation}\b"
        r"(?: (?:was|is|being|named|were))?,?"
    )
    for piece in pieces:
        father, mother = _parents_of_piece(piece)
        found = father if relation == "father" else mother
        if found:
            return found
        match = stated.search(piece)
        if match:
            name = _name_after(piece[match.end() : match.end() + 100], words=8)
            if name:
                return name
    return None


def _parents_of_piece(piece: str) -> tuple[str | None, str | None]:
    for pattern in (_CHILD_OF, _BORN_TO, re.compile(r"\b[Pp]arents,?(?: were| are| was)? ")):
        match = pattern.search(piece)
        if match is None:
            continue
        before = piece[: match.start()]
        if pattern is _CHILD_OF and _OTHERS.search(_after_subject(before)):
            continue
        return _two_parents(piece[match.end() :])
    return None, None


def _after_subject(before: str) -> str:
    """Leave out a title's own relatives ("X, wife of Y, was the daughter of")."""
    verb = re.search(r"^.*?\b(?:was|is)\b", before)
    return before[verb.end() :] if verb else before


def _two_parents(tail: str) -> tuple[str | None, str | None]:
    end = _END.search(tail)
    tail = tail[: end.start()] if end else tail
    joint = re.search(rf",? (?:and|by|with)\b(?: of)?(?: {_MATE})?|,? {_MATE}", _hide_titles(tail))
    first, second = (tail[: joint.start()], tail[joint.start() :]) if joint else (tail, "")
    names = [_name_after(first, words=9), _name_after(second, words=9)]
    if _FEMALE.search(first) and not _FEMALE.search(re.sub(r"and|by|his|her", "", second)):
        names.reverse()
    return names[0], names[1]


def _hide_titles(text: str) -> str:
    """Blank names, so that "Duke of Saxony and Thuringia" holds no joint."""
    return re.sub(
        rf"(?:Duke|Count|Prince|Lord|King|Earl|Landgrave|Margrave|Elector|Palatine) of {NAME} and "
        r"(?=[A-Z][a-zé-]+(?:,| by| and|$))",
        lambda match: "x" * len(match[0]),
        text,
    )


def _name_after(tail: str, words: int = 7) -> str | None:
    for match in names_in(tail):
        before = tail[: match.start()]
        if len(before.split()) > words:
            return None
        if re.search(
            r"(?:^|\b)(?:in|at|on|from|near|since|until|of|film|before) (?:the )?$", before
        ):
            continue
        if _ATTRIBUTIVE.match(tail[match.end() :]) or REGION.fullmatch(match[0]):
            continue
        name = clean_name(match[0])
        if name:
            return name
    return None


_PATTERNS: dict[str, tuple[str, ...]] = {
    "spouse": (
        r"\b(?:wife|husband|widow|widower|spouse|consort|queen|concubine|mistress)(?: and \w+)? of "
        r"(?!(?:his|her)\b)",
        r"\b(?:is|was|were|been|has|had|later|then|he|she|first|and|[A-Z]\w+|who) (?:secretly )?"
        r"(?:re)?married(?: to| with)?\b",
        r"\b(?:re)?married(?: to| with)?\b",
        r"\b[Mm]arriage (?:to|with)\b",
        r"\b(?:[Hh]is|[Hh]er|['\u2019]s)(?: \w+)? "
        r"(?:wife|husband|spouse|consort|widow|partner),?(?: was| is)?",
        r"\bwidowed by\b|\bengaged to\b|\bdivorced\b|\bmarries\b",
    ),
    "child": (
        r"\b(?:father|mother|parents?)(?: and \w+)? of (?!(?:his|her|the modern)\b)",
        r"\b(?:[Hh]is|[Hh]er|['\u2019]s|[Tt]heir|[Aa])(?: \w+)? (?:son|daughter|child|children)\b"
        r"(?!-| of)(?: (?:is|was|are|were|named|and \w+))?,?",
        r"\b(?:sons?|daughters?|child|children)\b(?! of\b)"
        r"(?:,? (?:including|named|are|were|is|was|:))?",
    ),
    "sibling": (
        r"\b(?:brother|sister|sibling|twin|half-brother|half-sister)s?(?: and \w+)? of ",
        r"\b(?:[Hh]is|[Hh]er|['\u2019]s)(?: \w+)? "
        r"(?:half-)?(?:brother|sister|twin)s?,?(?: (?:was|is))?",
        r"\b(?:brother|sister)s?,? ",
    ),
}
_INVERSE: dict[str, tuple[str, ...]] = {
    "spouse": (r"\b(?:wife|husband|widow|spouse|consort) of\b", r"\bmarried\b"),
    "father": (r"\bfather of\b", r"\b[Hh]is (?:\w+ )?(?:son|daughter|child)\b"),
    "mother": (r"\bmother of\b", r"\b[Hh]er (?:\w+ )?(?:son|daughter|child)\b"),
    "child": (r"\b(?:son|daughter|child) of\b", r"\b[Bb]orn[^.;]{0,40} to\b"),
    "sibling": (r"\b(?:brother|sister|sibling) of\b",),
}
