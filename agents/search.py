"""Scripted policies for the search environment.

Each reads the conversation alone; what an oracle knows beyond it is given to it by the environment
when it is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from rmgym.agents.text import TextPolicy, context_rng
from rmgym.trajectory import Context

Reader = Callable[[str, str], str | None]
"""From a question and a passage to an answer, or None."""

_PASSAGE = re.compile(
    r"^(?:<information>)?Doc (\d+)\(Title: (.*?)\) (.*?)(?=\nDoc \d+\(Title: |</information>|\Z)",
    re.MULTILINE | re.DOTALL,
)
_UNKNOWN = "unknown"


class GoldPlan(Protocol):
    """What an oracle knows of a question."""

    @property
    def sub_queries(self) -> tuple[str, ...]:
        """Searches that find the gold passages, in order."""
        ...

    @property
    def references(self) -> tuple[str, ...]:
        """Accepted answers."""
        ...


class SeenPassage(NamedTuple):
    """A passage as the conversation showed it."""

    title: str
    text: str


def question_of(context: Context) -> str:
    """Return the question that the conversation opened with."""
    opening = _opening(context)
    return opening.rpartition("Question: ")[2].strip()


def known_facts(context: Context) -> list[tuple[str, str, str]]:
    """Return the facts (subject, relation, object) that the agent is told it knows."""
    lines = re.findall(r"^- (.+?) \| (.+?) \| (.+)$", _opening(context), re.MULTILINE)
    return [(subject, relation, item) for subject, relation, item in lines]


def _opening(context: Context) -> str:
    first = context.turns[0].observation if context.turns else context.observation
    return first[-1]["content"]


def shown_passages(context: Context) -> list[list[SeenPassage]]:
    """Return the passages of each search so far, best first."""
    answers = [turn.observation for turn in context.turns[1:]]
    if context.turns:
        answers.append(context.observation)
    texts = ["\n".join(message["content"] for message in answer) for answer in answers]
    return [
        [SeenPassage(title, text.strip()) for _, title, text in _PASSAGE.findall(answer)]
        for answer in texts
    ]


class SearchPolicy(TextPolicy):
    """Writes searches and answers in the environment's grammar.

    Args:
        action_format: "tags" or "tool_call".
    """

    def __init__(self, action_format: str = "tags") -> None:
        self.action_format = action_format

    def search(self, query: str, thought: str = "I need to look this up.") -> str:
        """Return a turn that searches."""
        if self.action_format == "tags":
            return f"<think>{thought}</think><search>{query}</search>"
        arguments = '{"name": "web_search", "arguments": {"query": ' + _json_text(query) + "}}"
        return f"<think>{thought}</think><tool_call>{arguments}</tool_call>"

    def answer(self, text: str, thought: str = "I can answer now.") -> str:
        """Return a turn that answers."""
        return f"<think>{thought}</think><answer>{text}</answer>"


def _json_text(text: str) -> str:
    import json

    return json.dumps(text)


class NoSearch(SearchPolicy):
    """Answers at once, from the facts it is told; without them it says that it does not know."""

    def say(self, context: Context) -> str:
        """Return the turn."""
        facts = known_facts(context)
        return self.answer(facts[-1][2] if facts else _UNKNOWN)


class SingleShot(SearchPolicy):
    """One search with the question itself; answers what it reads in the first passage."""

    def __init__(self, reader: Reader, action_format: str = "tags") -> None:
        super().__init__(action_format)
        self.reader = reader

    def say(self, context: Context) -> str:
        """Return the turn."""
        question = question_of(context)
        if not context.turns:
            return self.search(question)
        first = next(iter(shown_passages(context)[0]), None)
        found = self.reader(question, first.text) if first else None
        return self.answer(found or (first.title if first else _UNKNOWN))


class AlwaysSearch(SearchPolicy):
    """Searches whatever it is told, then answers the first thing it can read anywhere."""

    def __init__(self, reader: Reader, action_format: str = "tags") -> None:
        super().__init__(action_format)
        self.reader = reader

    def say(self, context: Context) -> str:
        """Return the turn."""
        question = question_of(context)
        if not context.turns:
            return self.search(question)
        passages = [passage for found in shown_passages(context) for passage in found]
        for passage in passages:
            answer = self.reader(question, passage.text)
            if answer:
                return self.answer(answer)
        if len(context.turns) == 1 and passages:
            return self.search(f"{passages[0].title} {question}")
        return self.answer(passages[0].title if passages else _UNKNOWN)


class ChainOracle(SearchPolicy):
    """Issues the gold searches in order, then gives the reference answer.

    Args:
        plan_of: From a question to what an oracle knows of it.
        trust_facts: Answer without a search where the facts are told.
        action_format: "tags" or "tool_call".
    """

    def __init__(
        self,
        plan_of: Callable[[str], GoldPlan | None],
        *,
        trust_facts: bool = False,
        action_format: str = "tags",
    ) -> None:
        super().__init__(action_format)
        self.plan_of = plan_of
        self.trust_facts = trust_facts

    def say(self, context: Context) -> str:
        """Return the turn."""
        plan = self.plan_of(question_of(context))
        if plan is None:
            return self.answer(_UNKNOWN)
        done = len(context.turns)
        told = self.trust_facts and bool(known_facts(context))
        if done < len(plan.sub_queries) and not told:
            return self.search(plan.sub_queries[done])
        return self.answer(plan.references[0])


class NoisyChain(SearchPolicy):
    """The oracle's chain with mistakes: a wasted search or a wrong answer now and then.

    It gives the reference answer only once every word of it stands in a passage that it was shown;
    before that it searches what the chain still lacks, and guesses when there is nothing left.

    Args:
        plan_of: From a question to what an oracle knows of it.
        titles: Where wrong answers and wasted searches are drawn from.
        noise: Probability of a mistake at each turn, 0 to 1.
        seed: Of the mistakes.
        action_format: "tags" or "tool_call".
    """

    def __init__(
        self,
        plan_of: Callable[[str], GoldPlan | None],
        titles: Sequence[str],
        *,
        noise: float = 0.3,
        seed: int = 0,
        action_format: str = "tags",
    ) -> None:
        super().__init__(action_format)
        self.plan_of = plan_of
        self.titles = list(titles)
        self.noise = noise
        self.seed = seed

    def say(self, context: Context) -> str:
        """Return the turn."""
        rng = context_rng(context, self.seed)
        plan = self.plan_of(question_of(context))
        if plan is None:
            return self.answer(_UNKNOWN)
        said = "\n".join(turn.completion.text for turn in context.turns)
        missing = [query for query in plan.sub_queries if query not in said]
        slip = rng.random() < self.noise
        if missing:
            return self.search(self._wrong(rng) if slip else missing[0])
        shown = " ".join(p.text for found in shown_passages(context) for p in found)
        known = all(word in shown for word in plan.references[0].split())
        return self.answer(plan.references[0] if known and not slip else self._wrong(rng))

    def _wrong(self, rng: np.random.Generator) -> str:
        return self.titles[int(rng.integers(len(self.titles)))]


class RandomTitle(SearchPolicy):
    """Answers with the title of a passage drawn at random."""

    def __init__(
        self, titles: Sequence[str], *, seed: int = 0, action_format: str = "tags"
    ) -> None:
        super().__init__(action_format)
        self.titles = list(titles)
        self.seed = seed

    def say(self, context: Context) -> str:
        """Return the turn."""
        rng = context_rng(context, self.seed)
        return self.answer(self.titles[int(rng.integers(len(self.titles)))])


def no_search(env: Any) -> NoSearch:
    """Make `NoSearch` for an environment."""
    return NoSearch(env.unwrapped.action_format)


def single_shot(env: Any) -> SingleShot:
    """Make `SingleShot` with the environment's reader, or one for any English text."""
    from rmgym.agents.entity_chain import read_answer

    return SingleShot(env.unwrapped.reader or read_answer, env.unwrapped.action_format)


def always_search(env: Any) -> AlwaysSearch:
    """Make `AlwaysSearch` with the environment's reader, or one for any English text."""
    from rmgym.agents.entity_chain import read_answer

    return AlwaysSearch(env.unwrapped.reader or read_answer, env.unwrapped.action_format)


def chain_oracle(env: Any) -> ChainOracle:
    """Make `ChainOracle` from the environment's tasks."""
    return ChainOracle(env.unwrapped.gold_task, action_format=env.unwrapped.action_format)


def aware_oracle(env: Any) -> ChainOracle:
    """Make a `ChainOracle` that searches only when the facts are not told."""
    return ChainOracle(
        env.unwrapped.gold_task, trust_facts=True, action_format=env.unwrapped.action_format
    )


def noisy_chain(env: Any, noise: float = 0.3, seed: int = 0) -> NoisyChain:
    """Make `NoisyChain` from the environment's tasks and titles."""
    return NoisyChain(
        env.unwrapped.gold_task,
        _titles(env),
        noise=noise,
        seed=seed,
        action_format=env.unwrapped.action_format,
    )


def random_doc(env: Any) -> RandomTitle:
    """Make `RandomTitle` from the titles of the environment's world."""
    return RandomTitle(_titles(env), action_format=env.unwrapped.action_format)


def _titles(env: Any) -> list[str]:
    world = env.unwrapped.world
    if world is None:
        raise ValueError("expected the invented world, got a corpus: its titles are not listed")
    return [passage.title for passage in world.passages]
