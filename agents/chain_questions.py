"""Read a question as a chain of relations that starts at a named entity, or as a comparison of two.

"Where was the director of film Salt Road born?" starts at "Salt Road" and asks for its director,
then for that person's birth place. "Who was born first, A or B?" has two branches.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

Goal: TypeAlias = Literal["value", "earliest", "latest", "longest", "same"]


class Branch(NamedTuple):
    """A named entity and the relations that lead from it to what is asked."""

    entity: str
    relations: tuple[str, ...]
    kind: str = ""
    """What the question calls the entity ("film", "song"); empty where it does not."""


class ChainQuestion(NamedTuple):
    """What a question asks for: the end of one branch, or a comparison of two ends."""

    goal: Goal
    branches: tuple[Branch, ...]


RELATION_WORDS: dict[str, tuple[str, ...]] = {
    "paternal grandfather": ("father", "father"),
    "paternal grandmother": ("father", "mother"),
    "maternal grandfather": ("mother", "father"),
    "maternal grandmother": ("mother", "mother"),
    "grandfather": ("father", "father"),
    "grandmother": ("mother", "mother"),
    "grandchild": ("child", "child"),
    "grandson": ("child", "child"),
    "granddaughter": ("child", "child"),
    "father-in-law": ("spouse", "father"),
    "mother-in-law": ("spouse", "mother"),
    "child-in-law": ("child", "spouse"),
    "son-in-law": ("child", "spouse"),
    "daughter-in-law": ("child", "spouse"),
    "sibling-in-law": ("sibling", "spouse"),
    "brother-in-law": ("sibling", "spouse"),
    "sister-in-law": ("sibling", "spouse"),
    "stepmother": ("father", "spouse"),
    "stepfather": ("mother", "spouse"),
    "stepchild": ("spouse", "child"),
    "uncle": ("father", "sibling"),
    "aunt": ("father", "sibling"),
    "father": ("father",),
    "mother": ("mother",),
    "husband": ("spouse",),
    "wife": ("spouse",),
    "spouse": ("spouse",),
    "child": ("child",),
    "son": ("child",),
    "daughter": ("child",),
    "sibling": ("sibling",),
    "brother": ("sibling",),
    "sister": ("sibling",),
    "director": ("director",),
    "composer": ("composer",),
    "performer": ("performer",),
    "singer": ("performer",),
    "author": ("writer",),
    "writer": ("writer",),
    "screenwriter": ("writer",),
    "producer": ("producer",),
    "editor": ("editor",),
    "founder": ("founder",),
    "creator": ("founder",),
    "publisher": ("publisher",),
    "company that published": ("publisher",),
    "teacher": ("teacher",),
    "place of birth": ("birth_place",),
    "birthplace": ("birth_place",),
    "place of death": ("death_place",),
    "place of burial": ("burial_place",),
    "date of birth": ("birth_date",),
    "birthday": ("birth_date",),
    "date of death": ("death_date",),
    "cause of death": ("death_cause",),
    "nationality": ("nationality",),
    "country of citizenship": ("nationality",),
    "country of origin": ("country",),
    "occupation": ("occupation",),
    "employer": ("employer",),
    "alma mater": ("education",),
}
_KINDS = (
    "film|movie|song|album|single|magazine|book|novel|series|show|play|opera|game|company|band|"
    "university|school|museum"
)
_WORDS = "|".join(sorted((re.escape(word) for word in RELATION_WORDS), key=len, reverse=True))
_OF = re.compile(rf"^(?:the |an? )?(?P<word>{_WORDS})s?(?: of)? (?P<rest>.+)$", re.IGNORECASE)
_POSSESSIVE = re.compile(
    rf"^(?P<rest>.+?)(?:['\u2019]s|['\u2019]|(?<=s)) (?P<word>{_WORDS})$", re.IGNORECASE
)
_KIND = re.compile(rf"^(?:the |an? )?(?P<kind>{_KINDS}):? (?P<rest>.+)$", re.IGNORECASE)

_ATTRIBUTES: tuple[tuple[str, str], ...] = (
    (r"where (?:was|were|is) (?P<rest>.+) born", "birth_place"),
    (r"(?:when|what year|in which year) (?:was|were) (?P<rest>.+) born", "birth_date"),
    (r"where (?:did|does) (?P<rest>.+) die", "death_place"),
    (r"when (?:did|does) (?P<rest>.+) die", "death_date"),
    (r"(?:why|how) did (?P<rest>.+) die", "death_cause"),
    (r"where (?:was|is) (?P<rest>.+) (?:buried|interred)", "burial_place"),
    (r"where (?:was|is) (?P<rest>.+) (?:detained|imprisoned)", "prison"),
    (r"where did (?P<rest>.+) go to prison", "prison"),
    (r"where (?:was|is) (?P<rest>.+) educated", "education"),
    (r"where (?:did|does) (?P<rest>.+?) (?:study|graduate)(?: from| at)?", "education"),
    (r"where (?:did|does) (?P<rest>.+?) work(?: at| for)?", "employer"),
    (r"(?:what|which) (?:nationality|citizenship) (?:is|was|does) (?P<rest>.+)", "nationality"),
    (
        r"(?:what|which) country (?:is |was )?(?P<rest>.+?) (?:is |was )?(?:from|a citizen of)",
        "nationality",
    ),
    (
        r"(?:what|which)(?: is| was)?(?: the)? awards?(?: that| which)?(?: did| has)? (?P<rest>.+) "
        r"(?:won|win|received?|earned|earn|got|get)",
        "award",
    ),
    (r"who did (?P<rest>.+) marry", "spouse"),
    (r"who (?:is|was) (?P<rest>.+) married to", "spouse"),
    (r"who (?:founded|established) (?P<rest>.+)", "founder"),
    (r"who (?:directed) (?P<rest>.+)", "director"),
    (r"who (?:wrote) (?P<rest>.+)", "writer"),
    (r"who (?:composed) (?P<rest>.+)", "composer"),
    (r"who (?:performed|sang|sings) (?P<rest>.+)", "performer"),
    (r"when was (?P<rest>.+) (?:founded|established|released|published)", "start_date"),
)
_ASKED = tuple((re.compile(f"{text}$", re.IGNORECASE), relation) for text, relation in _ATTRIBUTES)
_PLAIN = re.compile(
    r"^(?:who|what|where|when|which)(?:'s| is| was| are| were)? (?P<rest>.+)$", re.IGNORECASE
)

_SAME = re.compile(r"^(?:are|is|were|was|do|does|did|have|has)\b", re.IGNORECASE)
_MAKERS = re.compile(r"\b(director|producer|composer|performer|writer|author)s?\b", re.IGNORECASE)
_CHOICE = (
    re.compile(
        r"^(?:was|is|did) (?P<pair>.+ or .+) (?P<head>born \w+|die \w+|older|younger)$",
        re.IGNORECASE,
    ),
    re.compile(r"^(?P<head>[^,]+?), (?P<pair>.+ or .+)$"),
    re.compile(r"^(?P<head>.+?) out of (?P<pair>.+ (?:and|or) .+)$"),
)
_LATE = re.compile(r"\b(?:later|last|younger|youngest|recently|newer|latest|second)\b")
_SAME_TAIL = re.compile(
    r"[ ,]*\b(?:both |all )*(?:located|situated|from|of the same|in the same|born|originate\w*|"
    r"share|sharing|have|having|the same|come|based|released|made|produced|(?:that|who) are)\b.*$",
    re.IGNORECASE,
)
_SAME_HEAD = re.compile(
    r"^(?:are|is|were|was|do|does|did|have|has)\b[ ,]*"
    r"(?:(?:both|the|of|directors?|performers?|composers?|movies?|films?|songs?|albums?|bands?|"
    r"villages?|towns?|cit(?:y|ies)|lakes?|rivers?|mountains?|schools?|universit(?:y|ies)|"
    r"businesses|companies|magazines?|airports?|stations?|buildings|places|two)\b[,:]? *)*",
)


def parse_question(question: str) -> ChainQuestion:
    """Return what a question asks for; a question of unknown form is a branch without relations.

    >>> parse_question("Who is the mother of the director of film Salt Road?").branches[0]
    Branch(entity='Salt Road', relations=('director', 'mother'), kind='film')
    """
    text = " ".join(question.split()).removesuffix("?").strip()
    choice = _parse_choice(text)
    if choice is not None:
        return choice
    if _SAME.match(text) and re.search(r" (?:and|as) ", text):
        return _parse_same(text)
    for pattern, relation in _ASKED:
        match = pattern.match(text)
        if match:
            branch = _parse_thing(match["rest"])
            return ChainQuestion("value", (_extend(branch, (relation,)),))
    plain = _PLAIN.match(text)
    return ChainQuestion("value", (_parse_thing(plain["rest"] if plain else text),))


def _extend(branch: Branch, relations: tuple[str, ...]) -> Branch:
    return branch._replace(relations=branch.relations + relations)


def _parse_thing(text: str) -> Branch:
    text = text.strip(" ,")
    for pattern in (_OF, _POSSESSIVE):
        match = pattern.match(text)
        if match and (pattern is _POSSESSIVE or _is_phrase(text, match)):
            return _extend(_parse_thing(match["rest"]), RELATION_WORDS[match["word"].casefold()])
    kind = _KIND.match(text)
    if kind and text[:1].islower():
        return Branch(kind["rest"], (), kind["kind"].casefold())
    return Branch(text, ())


def _is_phrase(text: str, match: re.Match[str]) -> bool:
    """Return whether "the mother of X" is meant, not a title such as "Mother of Pearl"."""
    return text[:1].islower() and match["word"][:1].islower()


def _parse_choice(text: str) -> ChainQuestion | None:
    for pattern in _CHOICE:
        match = pattern.match(text)
        if match:
            head = match["head"].casefold()
            left, right = _split_pair(match["pair"], (" or ", " and "))
            goal, relations = _criterion(head)
            kind = _KIND.search(re.sub(r"^(?:which|what) ", "", head))
            name = kind["kind"] if kind else ""
            branches = tuple(Branch(side, relations, name) for side in (left, right))
            return ChainQuestion(goal, branches)
    return None


def _criterion(head: str) -> tuple[Goal, tuple[str, ...]]:
    goal: Goal = "latest" if _LATE.search(head) else "earliest"
    if re.search(r"\b(?:lived|live) (?:longer|longest)\b", head):
        return "longest", ("life",)
    about = _maker_named(head)
    is_person = bool(about) or head.startswith("who") or "born" in head
    if re.search(r"\b(?:died?|death)\b", head):
        return goal, (*about, "death_date")
    if is_person or re.search(r"\b(?:born|older|younger)\b", head):
        return goal, (*about, "birth_date")
    return goal, ("start_date",)


def _maker_named(text: str) -> tuple[str, ...]:
    match = _MAKERS.search(text)
    return RELATION_WORDS[match[1].casefold()] if match else ()


def _split_pair(text: str, joints: tuple[str, ...]) -> tuple[str, str]:
    """Split "X or Y" where the two sides are most alike in length."""
    for joint in joints:
        pieces = text.split(joint)
        if len(pieces) > 1:
            cuts = [(joint.join(pieces[:i]), joint.join(pieces[i:])) for i in range(1, len(pieces))]
            left, right = min(cuts, key=lambda cut: abs(len(cut[0]) - len(cut[1])))
            return left.strip(" ,"), right.strip(" ,")
    return text, ""


def _parse_same(text: str) -> ChainQuestion:
    lowered = text.casefold()
    relations: tuple[str, ...] = ("country",)
    if _MAKERS.search(lowered):
        relations = (*_maker_named(lowered), "nationality")
    elif re.search(r"\bborn\b|place of birth", lowered):
        relations = ("birth_place",)
    elif "nationality" in lowered or "citizenship" in lowered:
        relations = ("nationality",)
    kind = "film" if re.search(r"\b(?:films?|movies?)\b", lowered) else ""
    body = _SAME_TAIL.sub("", _SAME_HEAD.sub("", text[:1].lower() + text[1:]))
    body = re.sub(r" (?:films|movies|have|both|same nationality as)$", "", body.strip(" ,"))
    left, right = _split_pair(body, (" and ", " have the same nationality as ", " as "))
    sides = [
        re.sub(
            r"^(?:the )?(?:(?:director|performer|composer|producer) of )?(?:the )?(?:film |movie )",
            "",
            side,
        )
        for side in (left, right)
    ]
    return ChainQuestion("same", tuple(Branch(side, relations, kind) for side in sides))
