"""An invented encyclopaedia: articles, facts and questions, all from one seed.

Nothing in it is true of the real world, so no model can know the answers beforehand, and every fact
is known as a triple, so retrieval, support and chains of reasoning can be scored exactly.

    world = make_world(seed=0)
    world.passages[0].contents
    world.questions[0].text, world.questions[0].answers
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from rmgym.envs.search.world_entities import Entity
from rmgym.envs.search.world_extract import extract_answer, extract_facts, extract_relation
from rmgym.envs.search.world_facts import WorldBuilder
from rmgym.envs.search.world_model import AnswerType, Question, QuestionKind, Triple, World
from rmgym.envs.search.world_names import Dice
from rmgym.envs.search.world_questions import Asker
from rmgym.envs.search.world_write import write_article
from rmgym.protocols import Passage

__all__ = [
    "AnswerType",
    "Question",
    "QuestionKind",
    "Triple",
    "World",
    "extract_answer",
    "extract_facts",
    "extract_relation",
    "make_world",
    "question_counts",
]

FEWEST_PASSAGES = 100


def make_world(seed: int = 0, passages: int = 2000, questions: int = 500) -> World:
    """Return the world of that seed.

    The articles depend on `seed` and `passages` alone, not on how many questions are asked.

    Args:
        seed: Any non-negative integer.
        passages: Number of articles, at least 100.
        questions: Number of questions: 40 % one-hop, 40 % two-hop, 12 % comparisons, the rest
            sets, ordered lists and tables.

    Raises:
        ValueError: If there are fewer than 100 passages, a negative number of questions, or more
            questions of one kind than the world has facts for.
    """
    if passages < FEWEST_PASSAGES or questions < 0:
        raise ValueError(
            f"expected passages >= {FEWEST_PASSAGES} and questions >= 0, "
            f"got passages={passages}, questions={questions}"
        )
    streams = np.random.SeedSequence(seed).spawn(3)
    facts, prose, asking = (Dice(np.random.default_rng(stream)) for stream in streams)
    entities = facts.shuffled(WorldBuilder(facts, passages).entities)
    articles = tuple(
        Passage(id=f"p{number:06d}", title=entity.title, text=write_article(entity, prose))
        for number, entity in enumerate(entities)
    )
    facts_of = {a.id: stated_by(e) for a, e in zip(articles, entities, strict=True)}
    return World(
        seed=seed,
        passages=articles,
        questions=_ask(asking, entities, articles, facts_of, questions),
        facts_of=MappingProxyType(facts_of),
    )


def question_counts(questions: int) -> dict[QuestionKind, int]:
    """Return how many questions of each kind make `questions` questions.

    >>> question_counts(500)
    {'one_hop': 200, 'two_hop': 200, 'comparison': 60, 'set': 16, 'list': 14, 'table': 10}
    """
    shares: tuple[tuple[QuestionKind, int], ...] = (
        ("two_hop", 400),
        ("comparison", 120),
        ("set", 32),
        ("list", 28),
        ("table", 20),
    )
    counts: dict[QuestionKind, int] = {kind: questions * part // 1000 for kind, part in shares}
    return {"one_hop": questions - sum(counts.values()), **counts}


def stated_by(entity: Entity) -> tuple[Triple, ...]:
    """Return every triple that the entity's article states, implied ones last."""
    title, facts = entity.title, entity.facts
    triples = [Triple(title, relation, item) for relation in facts for item in facts[relation]]
    triples += [Triple(work, "creator", title) for work in facts.get("work", ())]
    triples += [Triple(town, "region", title) for town in facts.get("capital", ())]
    return tuple(triples)


def _ask(
    dice: Dice,
    entities: Sequence[Entity],
    articles: Sequence[Passage],
    facts_of: Mapping[str, tuple[Triple, ...]],
    count: int,
) -> tuple[Question, ...]:
    stated_in = Counter(triple for triples in facts_of.values() for triple in triples)
    passage_of = {article.title: (article.id, article.text) for article in articles}
    asker = Asker(dice, entities, passage_of, stated_in)
    drawn = [q for kind, number in question_counts(count).items() for q in asker.ask(kind, number)]
    return tuple(
        replace(question, id=f"q{number:05d}")
        for number, question in enumerate(dice.shuffled(drawn))
    )
