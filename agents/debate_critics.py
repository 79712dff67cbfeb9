"""Scripted critics for `rmgym/Critique-v0`, planners and grounders for `rmgym/PlanGround-v0`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from rmgym.agents.text import TextPolicy
from rmgym.trajectory import Context

_CASE = re.compile(r"^Case (\d+)\.")
_QUESTION = re.compile(r"^Question:\n\| (.*?)\nResponse A:\n\| (.*?)\nResponse B:\n", re.M | re.S)
_ORDER = re.compile(r"Order (\d+) of \d+, critique [ab]")
_BOTH = re.compile(
    r"(\d+) of the item (\w+) (?:and|cost than) (\d+) of the item (\w+)(?:.* with (\d+) percent)?"
)
_PLAN_LINE = re.compile(r"^\| \s*(\d{1,2})[.)]\s*(look up|work out|answer)\s+(.+)$", re.M | re.I)
_RESULT = re.compile(r"^Result: (.+)$")
_PLACE = re.compile(r"\[(\d{1,2})\]")


class Known(Protocol):
    """What the environment knows of a question."""

    @property
    def references(self) -> tuple[str, ...]:
        """Accepted answers."""
        ...


class Critic(TextPolicy):
    """Is right with a probability that depends on the order of the critique.

    Args:
        lookup: From a question's text to its answers.
        accuracies: Of order 1, 2, ...; the last one holds for all higher orders.
        seed: Two critics with different seeds draw differently.

    Raises:
        ValueError: If one is not a probability, or there is none.
    """

    def __init__(
        self,
        lookup: Callable[[str], Known | None],
        *,
        accuracies: Sequence[float] = (0.6, 0.7, 0.8),
        seed: int = 0,
    ) -> None:
        if not accuracies or not all(0.0 <= each <= 1.0 for each in accuracies):
            raise ValueError(f"expected probabilities, got {list(accuracies)}")
        self.lookup = lookup
        self.accuracies = tuple(accuracies)
        self.seed = seed

    def say(self, context: Context) -> str:
        """Return the critique."""
        opening = (context.turns[0].observation if context.turns else context.observation)[0]
        code, found = _CASE.match(opening["content"]), _QUESTION.search(opening["content"])
        if code is None or found is None:
            raise ValueError(f"expected a case of two responses, got {opening['content'][:80]!r}")
        known = self.lookup(found[1].replace("\n| ", "\n"))
        right = "A" if known is not None and found[2] in known.references else "B"
        order = _ORDER.findall(context.observation[-1]["content"])
        place = min(int(order[-1]) if order else 1, len(self.accuracies)) - 1
        rng = np.random.default_rng([self.seed, int(code[1]), len(context.turns)])
        is_right = rng.random() < self.accuracies[place]
        best = right if is_right else "BA"["AB".index(right)]
        return f"{best} holds up to a second look. <verdict>{best}</verdict>"


class CarefulPlanner(TextPolicy):
    """Writes a plan that answers the question."""

    def say(self, context: Context) -> str:
        """Return the plan."""
        opening = (context.turns[0].observation if context.turns else context.observation)[0]
        return self.plan(opening["content"].rpartition("Question: ")[2])

    def plan(self, question: str) -> str:
        """Return the plan for a question."""
        found = _BOTH.search(question)
        if found is None:
            return "<plan>1. answer unknown</plan>"
        a, first, b, second, off = found.groups()
        total = f"{a} * [1] {'-' if 'cost than' in found[0] else '+'} {b} * [2]"
        if off is not None:
            total = f"({total}) * {100 - int(off)} / 100"
        return (
            f"<plan>1. look up {first}\n2. look up {second}\n3. work out {total}\n"
            "4. answer [3]</plan>"
        )


class HastyPlanner(CarefulPlanner):
    """Forgets the last two lines in its first plan."""

    def say(self, context: Context) -> str:
        """Return the plan, cut short at first."""
        plan = super().say(context)
        if context.turns:
            return plan
        return "\n".join(plan.splitlines()[:2]) + "</plan>"


class LiteralGrounder(TextPolicy):
    """Follows a plan word by word, one line a turn; silent when it has no line left."""

    def say(self, context: Context) -> str:
        """Return the next call."""
        lines, results = self._progress(context)
        if len(results) < len(lines):
            number, kind, text = lines[len(results)]
            by_line = {line[0]: result for line, result in zip(lines, results, strict=False)}
            filled = _filled(text, by_line)
            tag = {"look up": "lookup", "work out": "calculator", "answer": "answer"}[kind.lower()]
            return f"Line {number}. <{tag}>{filled}</{tag}>"
        return ""

    def _progress(self, context: Context) -> tuple[list[tuple[str, str, str]], list[str]]:
        """Return the lines of the newest plan, and the result of each line done."""
        lines: list[tuple[str, str, str]] = []
        results: list[str] = []
        for seen in [turn.observation for turn in context.turns] + [context.observation]:
            for said in seen:
                text = said["content"]
                if text.startswith("Plan "):
                    lines, results = _PLAN_LINE.findall(text), []
                elif lines:
                    found = _RESULT.match(text)
                    results.append(found[1] if found else "")
        return lines, results


def _filled(text: str, results: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: results.get(found[1]) or found[0], text).strip()


def critic(env: Any, accuracies: Sequence[float] = (0.6, 0.7, 0.8), seed: int = 0) -> Critic:
    """Make `Critic` from the environment's tasks."""
    return Critic(env.unwrapped.gold_task, accuracies=accuracies, seed=seed)


def flat_critic(env: Any, seed: int = 0) -> Critic:
    """Make a `Critic` that does not get better with the order."""
    return Critic(env.unwrapped.gold_task, accuracies=(0.6,), seed=seed)


def perfect_critic(env: Any) -> Critic:
    """Make a `Critic` that is always right."""
    return Critic(env.unwrapped.gold_task, accuracies=(1.0,))


def careful_planner(env: Any) -> CarefulPlanner:
    """Make `CarefulPlanner`."""
    return CarefulPlanner()


def hasty_planner(env: Any) -> HastyPlanner:
    """Make `HastyPlanner`."""
    return HastyPlanner()


def literal_grounder(env: Any) -> LiteralGrounder:
    """Make `LiteralGrounder`."""
    return LiteralGrounder()
