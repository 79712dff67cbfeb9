"""How questions about the invented world are worded."""

from __future__ import annotations

QUESTIONS: dict[str, tuple[str, ...]] = {
    "birth_year": ("In which year was {S} born?", "When was {S} born?"),
    "death_year": ("In which year did {S} die?", "What is the year of death of {S}?"),
    "born_in": (
        "In which town was {S} born?",
        "What is the birthplace of {S}?",
        "Where was {S} born?",
    ),
    "died_in": ("In which town did {S} die?", "Where did {S} die?"),
    "studied_at": (
        "At which university did {S} study?",
        "Which university did {S} attend?",
        "Where did {S} go to university?",
    ),
    "teacher": ("Who taught {S}?", "Who was the teacher of {S}?", "Of whom was {S} a pupil?"),
    "occupation": ("What was the profession of {S}?", "What did {S} do for a living?"),
    "creator:novel": ("Who wrote {S}?", "Who is the author of {S}?"),
    "creator:film": ("Who directed {S}?", "Who was the director of {S}?"),
    "creator:painting": ("Who painted {S}?", "Which artist painted {S}?"),
    "creator:opera": ("Who composed {S}?", "Who wrote the music of {S}?"),
    "house:novel": ("Which company published {S}?", "Who was the publisher of {S}?"),
    "house:film": ("Which studio produced {S}?", "Which company was behind {S}?"),
    "house:painting": ("In which gallery does {S} hang?", "Which gallery owns {S}?"),
    "house:opera": (
        "Which opera company first staged {S}?",
        "Which company gave the first performance of {S}?",
    ),
    "year": ("From which year does {S} date?", "In which year was {S} completed?"),
    "setting": ("In which town is {S} set?", "Where is {S} set?"),
    "setting:painting": ("Which town is shown in {S}?", "What place does {S} depict?"),
    "hero": ("Who is the hero of {S}?", "Who is the main character in {S}?"),
    "region:town": ("In which region does {S} lie?", "To which region does {S} belong?"),
    "region:river": ("Through which region does {S} flow?",),
    "river": ("On which river does {S} stand?", "Which river flows past {S}?"),
    "population": ("How many inhabitants does {S} have?", "What is the population of {S}?"),
    "chartered": (
        "In which year did {S} receive its charter?",
        "When was {S} granted a charter?",
    ),
    "product": ("For which product is {S} known?", "What is the speciality of {S}?"),
    "eponym": ("After whom is {S} named?", "To whom does {S} owe its present name?"),
    "length": ("How long is {S}?", "What is the length of {S}?"),
    "source": ("On which mountain does {S} rise?", "Where is the source of {S}?"),
    "mouth": ("Into what does {S} empty?", "Where does {S} end?"),
    "capital": ("What is the capital of {S}?", "Which town is the capital of {S}?"),
    "language": (
        "What is the official language of {S}?",
        "Which language is official in {S}?",
    ),
    "peak": ("What is the highest mountain of {S}?", "What is the highest point in {S}?"),
    "founder": ("Who founded {S}?", "Who was the founder of {S}?"),
    "founded": ("In which year was {S} founded?", "When was {S} established?"),
    "seat": ("In which town does {S} have its seat?", "Where is {S} based?"),
    "head": ("Who is the present head of {S}?", "Who runs {S} at present?"),
}
"""Questions for the object of a relation; `relation:form` where the subject's form matters.

`{S}` is a name (`Ana Keld`, `the novel The Salt Road`) or a description, such as `the teacher of
Ana Keld`.
"""

DESCRIPTIONS: dict[str, tuple[str, ...]] = {
    "born_in": ("the birthplace of {S}", "the town where {S} was born"),
    "died_in": ("the town where {S} died", "the place of death of {S}"),
    "studied_at": ("the university where {S} studied", "the university that {S} attended"),
    "teacher": ("the teacher of {S}", "the person who taught {S}"),
    "creator:novel": ("the author of {S}", "the writer of {S}"),
    "creator:film": ("the director of {S}", "the person who directed {S}"),
    "creator:painting": ("the painter of {S}", "the artist who painted {S}"),
    "creator:opera": ("the composer of {S}", "the person who composed {S}"),
    "house:novel": ("the publisher of {S}", "the company that published {S}"),
    "house:film": ("the studio that produced {S}", "the studio behind {S}"),
    "house:painting": ("the gallery that owns {S}", "the gallery where {S} hangs"),
    "house:opera": ("the company that first staged {S}",),
    "setting": ("the town in which {S} is set", "the setting of {S}"),
    "setting:painting": ("the town shown in {S}", "the town depicted in {S}"),
    "region:town": ("the region in which {S} lies", "the region around {S}"),
    "region:river": ("the region through which {S} flows",),
    "river": ("the river that flows past {S}", "the river on which {S} stands"),
    "eponym": ("the person after whom {S} is named",),
    "founder": ("the founder of {S}", "the person who founded {S}"),
    "seat": ("the town where {S} has its seat", "the home town of {S}"),
}
"""The object of a relation, described by its subject: how a two-hop question hides its bridge."""

COMPARISONS: dict[str, tuple[str, str, str, str]] = {
    "person": ("birth_year", "the older of {A} and {B}", "the younger of {A} and {B}", ""),
    "town": (
        "population",
        "the smaller of the towns {A} and {B}",
        "the larger of the towns {A} and {B}",
        "",
    ),
    "river": (
        "length",
        "the shorter of the rivers {A} and {B}",
        "the longer of the rivers {A} and {B}",
        "River ",
    ),
    "organisation": (
        "founded",
        "the older of {A} and {B}",
        "the younger of {A} and {B}",
        "",
    ),
    "work": (
        "year",
        "the earlier of the {form}s {A} and {B}",
        "the later of the {form}s {A} and {B}",
        "",
    ),
}
"""By kind: the relation compared, who has the lower and the higher value, a prefix to drop."""

SETS: dict[str, tuple[str, ...]] = {
    "export": (
        "Which three goods are the main exports of {S}?",
        "Name the main exports of {S}.",
    ),
    "faculty": ("Which three faculties does {S} have?", "Name the faculties of {S}."),
    "work": ("Which three {form}s did {S} leave?", "Name the three {form}s by {S}."),
}
LISTS_IN_ORDER: dict[str, tuple[str, ...]] = {
    "tributary": (
        "List the tributaries of {S} in order from source to mouth.",
        "Going downstream, which three tributaries does {S} take in?",
    ),
    "work": (
        "List the three {form}s by {S} in order of date, the earliest first.",
        "In which order did the three {form}s by {S} appear? List them from first to last.",
    ),
}
TABLES: dict[str, tuple[str, ...]] = {
    "year": (
        "Make a table with the columns title and year of the three {form}s by {S}, earliest first.",
        "Which three {form}s did {S} leave, and when were they finished? Answer with a table in "
        "order of date, with the columns title and year.",
    ),
    "setting": (
        "Make a table with the columns title and town of the three {form}s by {S}, earliest "
        "first, and the town that each of them {shows}.",
    ),
}
"""By the relation in the second column."""

SEARCH_WORDS: dict[str, str] = {
    "birth_year": "born",
    "death_year": "died",
    "born_in": "born",
    "died_in": "died",
    "studied_at": "studied",
    "teacher": "pupil",
    "occupation": "profession",
    "creator:novel": "author",
    "creator:film": "directed by",
    "creator:painting": "artist",
    "creator:opera": "composed by",
    "house:novel": "published",
    "house:film": "produced",
    "house:painting": "gallery",
    "house:opera": "staged",
    "year": "year",
    "setting": "set in",
    "setting:painting": "shows",
    "hero": "hero",
    "region:town": "town",
    "region:river": "flows",
    "river": "town on river",
    "population": "town inhabitants",
    "chartered": "town charter",
    "product": "town known for",
    "eponym": "town present name",
    "length": "length kilometres",
    "source": "rises source",
    "mouth": "empties into",
    "tributary": "tributaries",
    "capital": "capital",
    "language": "official language",
    "peak": "highest mountain",
    "export": "main exports",
    "founder": "founded founder",
    "founded": "founded",
    "seat": "seat",
    "head": "present head",
    "faculty": "faculties",
    "work": "works",
}
"""What a search query adds to its subject: few words, so that the name weighs most."""
