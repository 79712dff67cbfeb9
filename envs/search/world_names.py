"""Names for an invented world: six sound systems, and titles for its books, films and operas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_BLOCK = 4096


def words(text: str, separator: str | None = None) -> tuple[str, ...]:
    """Return the entries of a table written as one string, apart by blanks or by `separator`."""
    return tuple(text.split(separator))


class Dice:
    """Fast small draws from a NumPy generator, taken in blocks."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._block: list[float] = []

    def fraction(self) -> float:
        """Return a number in [0, 1)."""
        if not self._block:
            self._block = self._rng.random(_BLOCK).tolist()
        return self._block.pop()

    def chance(self, probability: float) -> bool:
        """Return True with that probability."""
        return self.fraction() < probability

    def between(self, low: int, high: int) -> int:
        """Return an integer from `low` to `high`, both included."""
        return low + int(self.fraction() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """Return one item."""
        return items[int(self.fraction() * len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return the items in random order."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = int(self.fraction() * (last + 1))
            order[last], order[other] = order[other], order[last]
        return order

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """Return `count` items from different places, in random order."""
        return self.shuffled(items)[:count]


@dataclass(frozen=True, slots=True)
class Tongue:
    """The sounds of one invented language and the endings of its names."""

    onsets: tuple[str, ...]
    vowels: tuple[str, ...]
    codas: tuple[str, ...]
    women: tuple[str, ...]
    men: tuple[str, ...]
    families: tuple[str, ...]
    towns: tuple[str, ...]
    lands: tuple[str, ...]
    waters: tuple[str, ...]


def _tongue(*columns: str) -> Tongue:
    return Tongue(*(tuple(column.split()) for column in columns))


TONGUES: tuple[Tongue, ...] = (
    _tongue(
        "b br d f g h j k kl l m n r s sk st t tr v",
        "a e i o u",
        "l n r s rd lm nd",
        "ine a hild run isa",
        "rik ulf ar en mund",
        "gaard lund sted dahl mark",
        "havn stad fors holm vik",
        "mark land heim",
        "a na ve",
    ),
    _tongue(
        "b c d f g l m n p r s t v gr pr tr",
        "a e i o u ia io",
        "l n r s",
        "ella ina essa ora etta",
        "io ando ino aldo ero",
        "ani elli oro uzzi one",
        "ara onte ova ello ente",
        "onia uria enza",
        "ino ara essa",
    ),
    _tongue(
        "b d dr g k kr l m n p r s st t v z zl",
        "a e i o u",
        "k l n r s v m",
        "ka mila ena yna ava",
        "imir islav ek omir an",
        "enko ak ovich ura ic",
        "grad ovo itsa nik ice",
        "ovia aria enia",
        "ava itsa ova",
    ),
    _tongue(
        "b c d dr g gl gw l ll m n p r rh t tr",
        "a e i o u ae ei",
        "l n r th nn dd",
        "wen eth ira ana ys",
        "an or ach aid yr",
        "wyn ach enn ridd oran",
        "dal mor pen gath combe",
        "wydd ory and",
        "wy eth an",
    ),
    _tongue(
        "h k l m n p t w f",
        "a e i o u au ai",
        "",
        "lani mea hina lua nei",
        "kona mano rangi teo kai",
        "toa laki pua hanu noe",
        "loa kea nui wai piti",
        "tua mahu nesia",
        "wai roa lei",
    ),
    _tongue(
        "b d f g h j k m n p r s sh t z",
        "a e i o u aa",
        "l m n r sh z",
        "een aya ira naz una",
        "ud esh ir bek oush",
        "zadeh iri ayan pour avi",
        "abad kent shahr qand rud",
        "istan iran esh",
        "rud ab an",
    ),
)

_CRUDE = ("anus", "arse", "cunt", "cock", "dick", "fag", "fuck", "nazi", "piss", "poo", "shit")
_COMMON = words(
    "about after again began along among before being books could every first found great house "
    "later named never novel opera other paper place press right river state still there these "
    "those three title under until where which while would write here have made mare same some "
    "sofa kara poland finland iceland pakistan romania"
)


class Namer:
    """Hands out names, none of them twice."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._taken: set[str] = set()

    def claim(self, name: str) -> bool:
        """Reserve `name`; False if it was taken before."""
        if name in self._taken:
            return False
        self._taken.add(name)
        return True

    def fresh(self, tongue: Tongue, endings: tuple[str, ...]) -> str:
        """Return an unused name; it grows by a syllable whenever short ones run out."""
        attempt = 0
        while True:
            name = self._word(tongue, endings, 1 + self._dice.between(0, 1) + attempt // 8)
            if self.claim(name):
                return name
            attempt += 1

    def _word(self, tongue: Tongue, endings: tuple[str, ...], syllables: int) -> str:
        dice = self._dice
        while True:
            parts: list[str] = []
            for _ in range(syllables):
                parts += [dice.pick(tongue.onsets), dice.pick(tongue.vowels)]
            stem = "".join(parts)
            ending = dice.pick(endings)
            if ending[0] in "aeiou":
                stem += dice.pick(tongue.onsets)[0]
            elif tongue.codas and dice.chance(0.5):
                stem += dice.pick(tongue.codas)
            if stem[-1] == ending[0]:
                continue
            word = stem + ending
            if _is_presentable(word):
                return word.capitalize()


def _is_presentable(word: str) -> bool:
    if len(word) < 4 or word in _COMMON or any(crude in word for crude in _CRUDE):
        return False
    vowels = consonants = 0
    for letter in word:
        vowels, consonants = (vowels + 1, 0) if letter in "aeiou" else (0, consonants + 1)
        if vowels > 2 or consonants > 3:
            return False
    return not any(a == b == c for a, b, c in zip(word, word[1:], word[2:], strict=False))


_QUALITIES = words(
    "Amber Ashen Bitter Borrowed Brass Broken Burning Buried Copper Crooked Distant Drowned Dusty "
    "Empty Fallen Forgotten Frozen Gilded Glass Golden Grey Hidden Hollow Hungry Idle Iron "
    "Lacquered Lonely Luminous Lost Narrow Ninth Northern Ochre Pale Paper Patient Quiet Red "
    "Restless Ruined Salt Scarlet Secret Silent Silver Sleeping Stolen Stone Tangled Unlit Velvet "
    "Wandering White Wild Winter Wooden"
)
_THINGS = words(
    "Anchor Apiary Archive Bell Bridge Candle Canal Carriage Causeway Cellar Chapel Clock Coat "
    "Compass Corridor Courtyard Dowry Echo Engine Estuary Ferry Field Fiddle Flood Fountain "
    "Garden Gate Granary Harbour Harvest Heron Hourglass Inheritance Island Key Kiln Ladder "
    "Lantern Ledger Letter Lighthouse Loom Map Market Mask Meadow Mill Mirror Oath Observatory "
    "Orchard Oven Parade Passage Pilot Quarry Quarrel Quilt Regiment Road Rookery Sextant "
    "Shepherd Shore Signal Staircase Station Storm Summer Swan Tailor Tide Toll Tower Valley "
    "Verdict Vineyard Voyage Wager Waltz Weaver Weathervane Window Witness"
)
_KEEPERS = words(
    "Apothecary Archivist Baker Beekeeper Bookbinder Cartographer Clockmaker Colonel Cooper "
    "Fisherman Gardener Glazier Governor Innkeeper Locksmith Miller Notary Organist Printer "
    "Saddler Sexton Smuggler Stonemason Surgeon Tanner Translator Usher Widow"
)
_TIMES = words("April August Autumn December February January July June March May October Winter")


def work_title(dice: Dice, towns: Sequence[str], scarce: bool) -> str:
    """Return a title; `scarce` asks for the open-ended forms, which name a town."""
    quality, thing, keeper = dice.pick(_QUALITIES), dice.pick(_THINGS), dice.pick(_KEEPERS)
    if scarce or dice.chance(0.14):
        town = dice.pick(towns)
        shapes = (f"The {thing} of {town}", f"Letters from {town}", f"The {keeper} of {town}")
        return dice.pick((*shapes, f"The {quality} {thing} of {town}"))
    shape = dice.between(0, 9)
    if shape < 5:
        return f"The {quality} {thing}"
    if shape < 7:
        return f"The {keeper}'s {thing}"
    if shape < 8:
        return f"{_article(thing)} {thing} in {dice.pick(_TIMES)}"
    if shape < 9:
        return f"Under the {quality} {thing}"
    return f"The {thing} Without a {dice.pick(('Name', 'Door', 'Shadow', 'Keeper', 'Witness'))}"


def _article(word: str) -> str:
    return "An" if word[0] in "AEIO" or word == "Hourglass" else "A"


def house_word(dice: Dice) -> str:
    """Return two common words that a press or studio might be called after."""
    return f"{dice.pick(_QUALITIES)} {dice.pick(_THINGS)}"
