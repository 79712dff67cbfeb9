"""A small world of people and their relations, as passages and questions for `rmgym/Search-v0`.

Each passage is about one person and names two others: "karo: teacher toma, heir lena." All worlds
have the same people but other facts, so facts cannot be learned by heart and must be searched for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rmgym.agents.search import NoisyChain
from rmgym.composition import RewardSpec
from rmgym.envs.search.env import SearchEnv
from rmgym.protocols import Retriever
from rmgym.tools.retrieval import Bm25Retriever, load_corpus
from rmgym.vector import ChatVectorEnv

PEOPLE = 100
RELATIONS = ("teacher", "heir", "rival", "cousin")
FACTS_EACH = 2
ONE_HOP_SHARE = 0.25
MAX_SEARCHES = 3
REWARDS: tuple[RewardSpec, ...] = ("em", ("format", 0.1), ("gold_passage", 0.5))
"""What every scheme plays under; each scheme trains on the terms that it names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the scripted player knows of a question."""

    sub_queries: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class TinyWorld:
    """Passages about people, and questions over one or two of them."""

    titles: tuple[str, ...]
    retriever: Retriever
    tasks: tuple[Mapping[str, Any], ...]
    """Rows for `SearchEnv(tasks=...)`."""
    plans: Mapping[str, Plan]
    """By question."""

    def hops(self, question: str) -> int:
        """Return how many passages a question needs: 1 or 2."""
        return len(self.plans[question].sub_queries)

    def noisy_player(self, noise: float, seed: int) -> NoisyChain:
        """Return scripted play with a mistake in a share `noise` of the turns."""
        return NoisyChain(self.plans.get, self.titles, noise=noise, seed=seed)

    def vector(self, num_envs: int, attempts: int = 1) -> ChatVectorEnv:
        """Return environments in which `attempts` seeds in a row draw the same question."""
        return ChatVectorEnv(partial(_Attempts, self, attempts), num_envs)


class _Attempts(SearchEnv):
    """Seeds `n * attempts` to `(n + 1) * attempts - 1` ask the same question."""

    def __init__(self, world: TinyWorld, attempts: int) -> None:
        super().__init__(
            tasks=world.tasks,
            retriever=world.retriever,
            topk=1,
            max_searches=MAX_SEARCHES,
            rewards=REWARDS,
        )
        self._attempts = attempts

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return super().reset(seed=None if seed is None else seed // self._attempts, options=options)


def people_names() -> list[str]:
    """Return the names of the people, the same in every world."""
    made = [a + b + c + d for a in "bdfgklmnprst" for b in "aeiou" for c in "lmnrst" for d in "ao"]
    names: list[str] = np.random.default_rng(0).permutation(made)[:PEOPLE].tolist()
    return names


def make_world(seed: tuple[int, ...], questions: int) -> TinyWorld:
    """Return the world of that seed.

    Args:
        seed: Numbers that name the world.
        questions: How many to ask, a few hundred at most.
    """
    rng = np.random.default_rng(seed)
    names = people_names()
    facts = {name: _facts(rng, name, names) for name in names}
    rows = [
        {"id": name, "title": name, "text": f"{name}: {_listed(facts[name])}."} for name in names
    ]
    plans: dict[str, Plan] = {}
    tasks: list[dict[str, Any]] = []
    while len(plans) < questions:
        question, plan, way = _ask(rng, names, facts)
        is_told_at_once = plan.references[0] in (way[0], *facts[way[0]].values())
        if question in plans or (len(way) == 2 and is_told_at_once):
            continue
        plans[question] = plan
        tasks.append(
            {
                "id": f"t{len(tasks)}",
                "question": question,
                "answers": list(plan.references),
                "gold_passages": list(way),
            }
        )
    return TinyWorld(
        titles=tuple(names),
        retriever=Bm25Retriever(load_corpus(rows)),
        tasks=tuple(tasks),
        plans=plans,
    )


def _facts(rng: np.random.Generator, name: str, names: Sequence[str]) -> dict[str, str]:
    relations = rng.permutation(RELATIONS)[:FACTS_EACH].tolist()
    others = [other for other in rng.choice(names, FACTS_EACH + 1, replace=False) if other != name]
    return dict(zip(relations, map(str, others), strict=False))


def _listed(facts: Mapping[str, str]) -> str:
    return ", ".join(f"{relation} {name}" for relation, name in facts.items())


def _ask(
    rng: np.random.Generator, names: Sequence[str], facts: Mapping[str, Mapping[str, str]]
) -> tuple[str, Plan, tuple[str, ...]]:
    """Return a question, what the script knows of it, and the people on the way."""
    subject = str(rng.choice(names))
    relation, person = _drawn(rng, facts[subject])
    way, queries, described = [subject], [f"{subject} {relation}"], f"the {relation} of {subject}"
    if rng.random() >= ONE_HOP_SHARE:
        way.append(person)
        relation, person = _drawn(rng, facts[person])
        queries.append(f"{way[-1]} {relation}")
        described = f"the {relation} of {described}"
    return (
        f"Who is {described}?",
        Plan(sub_queries=tuple(queries), references=(person,)),
        tuple(way),
    )


def _drawn(rng: np.random.Generator, facts: Mapping[str, str]) -> tuple[str, str]:
    relation = str(rng.choice(list(facts)))
    return relation, facts[relation]
