"""Read a life out of encyclopaedia-like English prose: dates, places, nationality."""

from __future__ import annotations

import re

from rmgym.agents.wiki_countries import COMPOUND_PEOPLE, PEOPLE, REGION, countries_named
from rmgym.agents.wiki_text import DATE, NAME, Dated, read_date, sentences, tidy, without_brackets

_LEAD = 420
_PLACE = rf"{NAME}(?:, {NAME}){{0,2}}"
_NEAR_PLACE = (
    r"(?:in|at|near|on the island of) (?:the (?:city|town|village) of |the |his |her |a )?"
    rf"(?:(?!{DATE})[a-zé'\u2019-]+ ){{0,4}}?(?P<place>{_PLACE})"
)
_SPAN = re.compile(
    rf"(?P<birth>{DATE})?(?P<from>[^()\u2013\u2014]{{0,70}}?) ?"
    rf"(?:[\u2013\u2014]|(?<=\d)-(?=\d)| - | to ) ?"
    rf"(?P<between>(?:(?!{DATE})[^()\u2013\u2014;]){{0,40}}?)(?P<death>{DATE})"
    rf"(?P<to>[^();\u2013\u2014]{{0,60}})"
)
_MONTH = re.compile(
    rf"^{DATE}|^(?:January|February|March|April|May|June|July|August|September)\b|"
    r"^(?:October|November|December|Early|Late)\b"
)


def birth(prose: str) -> Dated | None:
    """Return the date of birth."""
    lead = prose[:_LEAD]
    born = re.search(rf"\(.{{0,120}}?\bborn\b[^;()]{{0,40}}?({DATE})", lead)
    span = _SPAN.search(lead)
    if span and span["birth"] and "(" in lead[: span.start()]:
        return read_date(span["birth"])
    if born:
        return read_date(born[1])
    later = re.search(rf"\b[Bb]orn\b[^.;]{{0,80}}?({DATE})", prose)
    if later:
        return read_date(later[1])
    alone = re.search(rf"^[^()]{{0,80}}\((?:[^()\d†d]{{0,60}})({DATE})", lead)
    return read_date(alone[1]) if alone else None


def death(prose: str) -> Dated | None:
    """Return the date of death."""
    lead = prose[:_LEAD]
    span = _SPAN.search(lead)
    if span and "(" in lead[: span.start("death")]:
        return read_date(span["death"])
    died = re.search(rf"(?:\bdied\b|†|\bd\.)[^.;()]{{0,60}}?({DATE})", lead)
    if not died:
        died = re.search(
            rf"\b(?:died|death|killed|murdered|executed|assassinated|deceased|suicide)\b"
            rf"(?! of (?:his|her)\b)[^.;]{{0,80}}?({DATE})",
            prose,
        )
    if not died:
        died = re.search(rf"\b[Ii]n ({DATE})[^.;]{{0,30}}\b(?:he|she) (?:died|was killed)", prose)
    return read_date(died[1]) if died else None


def start(prose: str) -> Dated | None:
    """Return when a work came out or an institution was founded."""
    shown = re.search(
        rf"\b(?:released|premiered|founded|established|launched|opened|published|formed|created|"
        rf"issued|started|inaugurated|aired|chartered|incorporated)\b[^.;]{{0,70}}?({DATE})",
        prose,
    )
    first = re.search(r"\b(?:is|was|are|were)\b[^.]{0,60}?\b(1[0-9]{3}|20\d\d)\b", prose)
    year = read_date(first[1]) if first else None
    exact = read_date(shown[1]) if shown else None
    if year and exact:
        return exact if exact.key[0] == year.key[0] else year
    return exact or year or read_date(prose)


def place_after(words: str, prose: str) -> str | None:
    """Return the place that follows one of the words in a sentence."""
    pattern = re.compile(rf"\b(?:{words})\b[^.;()\u2013]{{0,70}}?\b{_NEAR_PLACE}")
    for piece in [prose[:_LEAD], *sentences(without_brackets(prose))]:
        for match in pattern.finditer(piece):
            place = _clean_place(match["place"])
            if place:
                return place
    return None


def _clean_place(place: str) -> str | None:
    parts = [part for part in place.strip(" .").split(", ") if not _MONTH.match(part)]
    if not parts or PEOPLE.fullmatch(parts[0]):
        return None
    kept = (
        parts[:2]
        if len(parts) > 1 and (REGION.fullmatch(parts[1]) or len(parts) > 2)
        else parts[:1]
    )
    return ", ".join(re.sub(r"['\u2019]s?$", "", part.rstrip(".")) for part in kept)


def _place_in_span(group: str, prose: str) -> str | None:
    """Return the place beside a date in "(1 May 1900, Oslo - 2 June 1960 in Rome)"."""
    span = _SPAN.search(prose[:_LEAD])
    if span is None or (group == "from" and not span["birth"]):
        return None
    match = re.search(rf"(?:^|,|\bin|\bat) ?(?P<place>{_PLACE})", span[group])
    return _clean_place(match["place"]) if match else None


def birth_place(prose: str) -> str | None:
    """Return the place of birth, or else where the person comes from."""
    direct = re.search(rf"\bborn (?:{DATE})?,? ?(?P<place>{_PLACE})\)", prose[:_LEAD])
    return (
        _place_in_span("from", prose)
        or (_clean_place(direct["place"]) if direct else None)
        or place_after(r"[Bb]orn", prose)
        or _origin(prose)
        or place_after(r"birthplace|raised|grew up", prose)
    )


def _origin(prose: str) -> str | None:
    match = re.search(rf"\b(?:native of|from) (?:the (?:city|town) of )?(?P<place>{_PLACE})", prose)
    return _clean_place(match["place"]) if match else None


def death_place(prose: str) -> str | None:
    """Return the place of death, or else the last place the person moved to."""
    return (
        _place_in_span("to", prose)
        or place_after(
            r"died|dying|dies|death|killed|murdered|executed|assassinated|drowned", prose
        )
        or place_after(r"retired|moved|settled|fell|slain|exile", prose)
    )


def burial_place(prose: str) -> str | None:
    """Return the place of burial."""
    return place_after(
        r"buried|interred|entombed|burial|laid to rest|tomb|grave|remains|ashes|mausoleum", prose
    )


def prison(prose: str) -> str | None:
    """Return the place of imprisonment."""
    return place_after(
        r"imprisoned|incarcerated|prison|jailed|detained|serving|held|sentence", prose
    )


def nationality(prose: str) -> str | None:
    """Return the adjective of a people, or a country, as written; of a compound the last."""
    for piece in sentences(without_brackets(prose)):
        verb = re.search(r"\b(?:is|was|were|are|became)\b", piece)
        start_at = verb.end() if verb else 0
        people = COMPOUND_PEOPLE.search(piece, start_at) or COMPOUND_PEOPLE.search(piece)
        if people:
            return people["last"]
        region = REGION.search(piece)
        if region:
            return region[0]
    return None


def home_countries(text: str) -> set[str]:
    """Return the countries that the first sentence naming any names."""
    for piece in sentences(without_brackets(tidy(text))):
        found = countries_named(piece.replace("-", " "))
        if found:
            return found
    return set()


def country(prose: str) -> str | None:
    """Return the country that a work or a place is from."""
    pieces = sentences(without_brackets(prose))
    for piece in pieces[:2]:
        verb = re.search(r"\b(?:is|was|were|are)\b", piece)
        start = verb.end() if verb else 0
        people = PEOPLE.search(piece, start, start + 60)
        if people:
            return people[0]
        places = REGION.findall(piece)
        if places:
            return str(places[-1])
    return nationality(prose)
