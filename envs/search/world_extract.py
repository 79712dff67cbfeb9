"""Reads facts back out of the encyclopaedia's prose, from the text alone.

Scripted policies use it in place of a reader: the sentences of `world_prose` become patterns, the
questions of `world_wording` too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from rmgym.envs.search.world_entities import LEARNED, MAKERS, REGION_FORMS
from rmgym.envs.search.world_wording import QUESTIONS
from rmgym.envs.search.world_write import (
    ACTIVE,
    LISTS,
    PARSED,
    PASSIVE,
    RELATIONS,
    Template,
    relation_of,
)

_NAME = r"[A-Z][\w'-]*(?: (?:of |the )?[A-Z][\w'-]*)*"
_THING = r"[^,.;()]+?"
_PATTERNS = {
    "S": rf"(?:[Tt]he )?(?P<S>{_THING})",
    "sub": rf"(?:[Hh]e|[Ss]he|[Ii]t|[Tt]he [a-z ]+?|(?:[Tt]he )?{_NAME})",
    "short": rf"(?:[Tt]he [a-z ]+?|(?:[Tt]he )?{_NAME})",
    "a_occupation": rf"an? (?P<occupation>{'|'.join((*MAKERS, *LEARNED))})",
    "population": r"(?P<population>\d[\d,]*)",
    "length": r"(?P<length>\d+ kilometres)",
    "product": r"(?P<product>[a-z ]+?)",
    "he": r"s?he",
    "his": r"(?:[Hh]is|[Hh]er)",
    "him": r"(?:him|her)",
}
_YEARS = ("birth_year", "death_year", "year", "founded", "chartered")
_SENTENCE_END = re.compile(r"(?<=\.) (?=[A-Z])")
_MENTION = re.compile(
    r"(?:[Tt]he )?(?:(?P<year>\d{4}) )?"
    r"(?:(?P<form>novel|film|painting|opera) )?"
    r"(?P<name>.+)"
)
_LABEL = re.compile(r"(?P<name>.+?) \((?P<label>[^()]*)\)")


def extract_facts(passage_text: str) -> dict[str, tuple[str, ...]]:
    """Return what a passage states, by relation; empty for prose of another making.

    Names come without a leading `the`. The passage may begin with a title line.
    """
    _, facts = _read(passage_text)
    return facts


def extract_relation(relation: str, passage_text: str, subject: str) -> str | None:
    """Return the object of `relation` if the passage is about `subject` and states it.

    Args:
        relation: One of the world's relations, such as `born_in`.
        passage_text: Text of one passage, with or without its title line.
        subject: Name or title of the entity; a label such as `(1954 novel)` must fit the passage.

    Returns:
        The object, several of them joined by `, `; None if it is not there to be read.
    """
    label = _LABEL.fullmatch(subject.strip())
    name, marks = (label["name"], label["label"].split()) if label else (subject.strip(), [])
    about, facts = _read(passage_text)
    body = passage_text.rpartition("\n")[2]
    if _bare(about) != _bare(name) or not all(re.search(rf"\b{m}\b", body) for m in marks):
        return None
    return ", ".join(facts[relation]) if relation in facts else None


def extract_answer(question_text: str, passage_text: str) -> str | None:
    """Return the answer to a one-hop question if the passage is about its subject.

    Returns:
        None for a question of another wording, for one whose subject is described rather than
        named (two hops, comparisons), and for a passage about something else.
    """
    for relation, pattern in _question_patterns():
        match = pattern.fullmatch(question_text.strip())
        if match is None:
            continue
        for mention in (match["S"], match["S"].removeprefix("the ")):
            answer = extract_relation(relation, passage_text, _title_of(mention))
            if answer is not None:
                return answer
    return None


def _bare(name: str) -> str:
    return name.strip().lower().removeprefix("the ")


def _title_of(mention: str) -> str:
    match = _MENTION.fullmatch(mention)
    if match is None or not (match["year"] or match["form"]):
        return mention
    label = " ".join(part for part in (match["year"], match["form"]) if part)
    return f"{match['name']} ({label})" if label else match["name"]


def _read(passage_text: str) -> tuple[str, dict[str, tuple[str, ...]]]:
    """Return whom or what a passage is about and what it states."""
    first, *others = _SENTENCE_END.split(passage_text.rpartition("\n")[2].strip())
    for kind in PARSED:
        openers, body = _sentence_patterns(kind)
        opener = _best_match(openers, first)
        form = "" if kind in ("person", "town", "river", "region") else kind
        if opener is None or (form and not re.search(rf"\b{form}\b", first)):
            continue
        matches = [opener, *filter(None, (_best_match(body, sentence) for sentence in others))]
        facts: dict[str, tuple[str, ...]] = {}
        for match in matches:
            for slot, value in match.groupdict().items():
                if slot != "S":
                    facts.setdefault(slot, _items(slot, value))
        return opener["S"], facts
    return "", {}


def _best_match(patterns: Sequence[re.Pattern[str]], sentence: str) -> re.Match[str] | None:
    """Return the match that reads the most out of a sentence."""
    matches = [match for pattern in patterns if (match := pattern.fullmatch(sentence))]
    return max(matches, key=lambda match: len(match.groupdict()), default=None)


def _items(relation: str, value: str) -> tuple[str, ...]:
    if relation not in LISTS:
        return (value,)
    head, _, last = value.rpartition(" and ")
    return tuple(item.removeprefix("the ") for item in (*head.split(", "), last))


@cache
def _sentence_patterns(
    kind: str,
) -> tuple[tuple[re.Pattern[str], ...], tuple[re.Pattern[str], ...]]:
    article = PARSED[kind]
    body = tuple(_pattern(t, kind) for t in article.body)
    return tuple(_pattern(t, kind) for t in article.openers), body


def _pattern(template: Template, kind: str) -> re.Pattern[str]:
    pieces: list[str] = []
    for literal, slot in template.parts:
        pieces.append(re.escape(literal))
        if slot is not None:
            pieces.append(_slot_pattern(slot, kind))
    return re.compile("".join(pieces))


def _slot_pattern(slot: str, kind: str) -> str:
    key = slot[0].lower() + slot[1:] if slot != "S" else slot
    if key == "sub" and kind in MAKERS.values():
        return rf"(?:it|It|the {kind}|The {kind}|[A-Z]{_THING})"
    if slot == "form":
        return f"(?:{'|'.join(REGION_FORMS)})" if kind == "region" else re.escape(kind)
    if key in _PATTERNS:
        return _PATTERNS[key]
    if slot in _YEARS:
        return rf"(?P<{slot}>\d{{4}})"
    if slot in LISTS:
        return rf"(?P<{slot}>[^,.;]+, [^,.;]+ and [^,.;]+)"
    if relation_of(slot) in RELATIONS:
        return rf"(?:[Tt]he )?(?P<{slot}>{_NAME})"
    if slot in ("made", "made_active"):
        return f"(?:{'|'.join((*ACTIVE.values(), *PASSIVE.values()))})"
    if slot == "works":
        return r"[a-z]+"
    return r"[^.]+?"


@cache
def _question_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (key.partition(":")[0], re.compile(re.escape(text).replace(r"\{S\}", "(?P<S>.+)")))
        for key, texts in QUESTIONS.items()
        for text in texts
    )
