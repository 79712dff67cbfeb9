"""Shopping sums that take a price list, and plans for them that a literal grounder can follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rmgym.envs.debate.tasks import is_right
from rmgym.errors import ParseError
from rmgym.tools.calculator import calculate

ITEMS = (
    "basket", "bench", "blanket", "bowl", "brush", "bucket", "candle", "chair", "clock", "cup",
    "drum", "flute", "jug", "kettle", "lamp", "mirror", "pan", "pillow", "rug", "saw", "shelf",
    "stool", "table", "vase",
)  # fmt: skip
_PRICES = (5, 96)
_COUNTS = (2, 10)
_OFF = (5, 10, 20, 25, 50)
_ASKED = (
    "What do {a} of the item {A} and {b} of the item {B} cost together?",
    "What do {a} of the item {A} and {b} of the item {B} cost with {d} percent off the whole?",
    "How much more do {a} of the item {A} cost than {b} of the item {B}?",
)
_SUMS = ("{a} * {x} + {b} * {y}", "({a} * {x} + {b} * {y}) * {r} / 100", "{a} * {x} - {b} * {y}")
_LINE = re.compile(
    r"^\s*(\d{1,2})[.)]\s*(look up|work out|answer)\s+(\S[^\n]{0,200})$", re.M | re.I
)
_RESULT = re.compile(r"\[(\d{1,2})\]")
MOST_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTask:
    """One question about prices."""

    id: str
    question: str
    prices: Mapping[str, int]
    """What can be looked up."""
    needed: tuple[str, ...]
    """The items whose prices it takes."""
    answer: str


class Step(NamedTuple):
    """One line of a plan."""

    number: int
    kind: str
    """"look up", "work out" or "answer"."""
    text: str


def plan_tasks(count: int = 100, seed: int = 0) -> list[PlanTask]:
    """Return questions with price lists of their own, all drawn from the seed."""
    rng = np.random.default_rng([seed, 16])
    return [_plan_task(number, rng) for number in range(count)]


def _plan_task(number: int, rng: np.random.Generator) -> PlanTask:
    drawn = rng.integers(*_PRICES, size=len(ITEMS))
    prices = {item: int(price) for item, price in zip(ITEMS, drawn, strict=True)}
    first, second = (ITEMS[int(n)] for n in rng.choice(len(ITEMS), size=2, replace=False))
    a, b = (int(n) for n in rng.integers(*_COUNTS, size=2))
    form, off = int(rng.integers(len(_ASKED))), _OFF[int(rng.integers(len(_OFF)))]
    figures = {"a": a, "b": b, "x": prices[first], "y": prices[second], "r": 100 - off}
    return PlanTask(
        id=f"prices-{number:04d}",
        question=_ASKED[form].format(a=a, b=b, A=first, B=second, d=off),
        prices=prices,
        needed=(first, second),
        answer=calculate(_SUMS[form].format(**figures)),
    )


def read_plan(text: str) -> list[Step]:
    r"""Return the lines of a plan that can be followed word by word; others are left out.

    >>> read_plan("1. look up lamp\n2. think hard\n3. answer [1]")[1]
    Step(number=3, kind='answer', text='[1]')
    """
    found = [Step(int(m[1]), m[2].lower(), m[3].strip()) for m in _LINE.finditer(text)]
    return found[:MOST_LINES]


def fill_in(text: str, results: Mapping[int, str]) -> str:
    """Return a line's text with `[n]` replaced by the result of line n where there is one."""
    return _RESULT.sub(lambda found: results.get(int(found[1]), found[0]), text)


def literal_success(task: PlanTask, plan: str) -> float:
    """Return what a grounder that follows a plan word by word gets done, 0 to 1.

    A third each for the needed prices (by their share), for a right result, and for answering it.
    """
    results: dict[int, str] = {}
    found: set[str] = set()
    worked_out = answered = False
    for step in read_plan(plan):
        text = fill_in(step.text, results)
        if step.kind == "look up" and text in task.prices:
            results[step.number] = str(task.prices[text])
            found |= {text} & set(task.needed)
        elif step.kind == "work out":
            try:
                results[step.number] = calculate(text)
            except ParseError:
                continue
            worked_out |= is_right(results[step.number], (task.answer,))
        elif step.kind == "answer":
            answered = is_right(text, (task.answer,))
            break
    return (len(found) / len(task.needed) + worked_out + answered) / 3
