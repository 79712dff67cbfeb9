"""Turns what is true of an entity into an encyclopaedia article."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

from rmgym.envs.search.world_entities import MAKERS, Entity
from rmgym.envs.search.world_names import Dice, words
from rmgym.envs.search.world_phrases_arts import PHRASES
from rmgym.envs.search.world_prose import Article
from rmgym.envs.search.world_prose_arts import ARTICLES

WORDS = (60, 110)
"""Fewest and most words of an article."""
SENTENCES = (3, 6)
RELATIONS = words(
    "birth_year death_year occupation born_in died_in studied_at teacher work creator year house "
    "setting hero region river population chartered product eponym length source mouth tributary "
    "capital language peak export founder founded seat head faculty"
)
LISTS = ("work", "tributary", "export", "faculty")
"""Relations with three objects."""

_WITH_THE = re.compile(r"(River|Gulf of|University of) .+|.+ (Gallery|Opera)")
_NAMED_TWICE = ("work", "organisation")
"""Kinds with names made of common words, which a search by name finds only if they recur."""
ACTIVE = {"novel": "wrote", "film": "directed", "painting": "painted", "opera": "composed"}
PASSIVE = {"novel": "written", "film": "directed", "painting": "made", "opera": "composed"}


def surface(title: str) -> str:
    """Return how running text names the entity of that title.

    >>> surface("River Oste"), surface("The Salt Road (1954 novel)")
    ('the River Oste', 'The Salt Road')
    """
    name = title.partition(" (")[0]
    if _WITH_THE.fullmatch(name) and not name.startswith("The "):
        return f"the {name}"
    return name


def join(items: Sequence[str]) -> str:
    """Return `a, b and c`."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else items[0]


def with_article(noun: str) -> str:
    """Return the noun with `a` or `an`."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def capitalised(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Template:
    """A sentence with slots."""

    parts: tuple[tuple[str, str | None], ...]
    """Literal text and the slot after it."""
    relations: tuple[str, ...]
    """The relations that it states, in order."""

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read a sentence of `world_prose`."""
        parts = tuple((literal, slot) for literal, slot, _, _ in Formatter().parse(text))
        names = [relation_of(slot) for _, slot in parts if slot]
        return cls(parts, tuple(name for name in names if name in RELATIONS))

    def fill(self, slots: Mapping[str, str], pronouns: Sequence[str], dice: Dice) -> str:
        """Return the sentence for one entity, with freshly drawn phrases."""
        pieces: list[str] = []
        for literal, slot in self.parts:
            pieces.append(literal)
            if slot is None:
                continue
            if slot in ("sub", "Sub"):
                pieces.append(dice.pick(pronouns))
            elif slot.startswith("x_"):
                pieces.append(dice.pick(PHRASES[slot[2:]]))
            else:
                pieces.append(slots[slot])
        return capitalised("".join(pieces))


def relation_of(slot: str) -> str:
    """Return the relation that a slot states: `a_occupation` states `occupation`."""
    return slot[2:] if slot.startswith("a_") else slot


@dataclass(frozen=True, slots=True)
class ParsedArticle:
    """The sentences of one kind of article, ready to be filled or matched."""

    openers: tuple[Template, ...]
    body: tuple[Template, ...]
    fillers: tuple[Template, ...]

    @classmethod
    def parse(cls, article: Article) -> ParsedArticle:
        """Read all sentences of an article."""
        columns = (article.openers, article.body, article.fillers)
        return cls(*(tuple(Template.parse(text) for text in column) for column in columns))


PARSED: dict[str, ParsedArticle] = {
    kind: ParsedArticle.parse(article) for kind, article in ARTICLES.items()
}


def article_kind(entity: Entity) -> str:
    """Return the key of the entity's sentences in `ARTICLES`."""
    return entity.form if entity.kind in ("work", "organisation") else entity.kind


def write_article(entity: Entity, dice: Dice) -> str:
    """Return an article that states every fact of the entity once."""
    slots, pronouns = _slots(entity), _pronouns(entity)
    article = PARSED[article_kind(entity)]
    while True:
        sentences = _draft(article, entity, slots, pronouns, dice)
        text = " ".join(sentences)
        length = text.count(" ") + 1
        if not (SENTENCES[0] <= len(sentences) <= SENTENCES[1] and WORDS[0] <= length <= WORDS[1]):
            continue
        if entity.kind not in _NAMED_TWICE or text.count(entity.name) > 1:
            return text


def _slots(entity: Entity) -> dict[str, str]:
    slots = {
        relation: join([surface(item) for item in objects])
        for relation, objects in entity.facts.items()
    }
    slots["S"] = surface(entity.title)
    slots["form"] = entity.form
    he, his, him = ("she", "her", "her") if entity.is_woman else ("he", "his", "him")
    if entity.kind == "person":
        slots |= {"he": he, "his": his, "him": him, "He": he, "His": his}
        slots["short"] = entity.name.split()[-1]
        slots["a_occupation"] = with_article(entity.form)
        form = MAKERS.get(entity.form, "novel")
        slots |= {"made": ACTIVE[form], "works": f"{form}s"}
    else:
        full = entity.kind == "organisation"
        slots["short"] = slots["S"] if full else f"the {entity.form}"
        if entity.kind == "work":
            slots |= {"made": PASSIVE[entity.form], "made_active": ACTIVE[entity.form]}
    return slots


def _pronouns(entity: Entity) -> tuple[str, ...]:
    if entity.kind == "person":
        he = "she" if entity.is_woman else "he"
        return (he, entity.name.split()[-1])
    if entity.kind == "organisation":
        return ("it", surface(entity.title), surface(entity.title))
    if entity.kind == "work":
        return ("it", f"the {entity.form}", surface(entity.title))
    return ("it", "it", f"the {entity.form}")


def _draft(
    article: ParsedArticle,
    entity: Entity,
    slots: Mapping[str, str],
    pronouns: Sequence[str],
    dice: Dice,
) -> list[str]:
    left = set(entity.facts)
    opener = dice.pick([t for t in article.openers if left.issuperset(t.relations)])
    left.difference_update(opener.relations)
    chosen: list[Template] = []
    for relation in _order(entity, dice):
        if relation in left:
            fitting = [
                t for t in article.body if relation in t.relations and left.issuperset(t.relations)
            ]
            chosen.append(dice.pick(fitting))
            left.difference_update(chosen[-1].relations)
    sentences = [opener.fill(slots, pronouns, dice)]
    sentences += [template.fill(slots, pronouns, dice) for template in chosen]
    length = sum(sentence.count(" ") + 1 for sentence in sentences)
    enough = dice.between(WORDS[0] + 2, WORDS[1] - 26)
    for filler in dice.sample(article.fillers, SENTENCES[1]):
        if length >= enough or len(sentences) == SENTENCES[1]:
            break
        sentence = filler.fill(slots, pronouns, dice)
        sentences.insert(dice.between(1, len(sentences)), sentence)
        length += sentence.count(" ") + 1
    return sentences


def _order(entity: Entity, dice: Dice) -> list[str]:
    """Return the order in which facts are told: a life from its start, the rest at random."""
    relations = list(entity.facts)
    if entity.kind != "person":
        return dice.shuffled(relations)
    life = ("born_in", "studied_at", "teacher", "work", "died_in")
    return [relation for relation in life if relation in entity.facts]
