"""What is debated: arithmetic, motions, or questions from a file; and when an answer is right."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import numpy as np

from rmgym.envs.debate.motions import MOTIONS
from rmgym.envs.search.tasks import load_tasks
from rmgym.rewards.answers import exact_match, normalize_answer

Questions: TypeAlias = (
    Literal["arithmetic", "motions"] | str | os.PathLike[str] | Iterable[Mapping[str, Any]]
)

FOR = "for"
AGAINST = "against"
_NUMBER = re.compile(r"[-+]?(?:[0-9][0-9,]{0,29}(?:\.[0-9]{1,20})?|\.[0-9]{1,20})")
_FINAL = "####"
_SPREAD = 9
"""Largest distance of a wrong number from the right one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebateTask:
    """One thing to debate."""

    id: str
    question: str
    references: tuple[str, ...] = ()
    """Accepted answers; empty for a motion, which has none."""
    wrong: str = ""
    """A wrong answer, for planted agents and scripted debaters that err."""

    @property
    def has_answer(self) -> bool:
        """Whether there is a right answer."""
        return bool(self.references)


def number_in(text: str) -> Decimal | None:
    """Return the one number that a text holds, or None if it holds none or several.

    >>> number_in("$1,234.50"), number_in("3 or 4"), number_in("it is -7.")
    (Decimal('1234.5'), None, Decimal('-7'))
    """
    found = {_decimal(each) for each in _NUMBER.findall(text[:2_000])}
    return next(iter(found)) if len(found) == 1 else None


def _decimal(digits: str) -> Decimal:
    number = Decimal(digits.replace(",", "") or "0").normalize()
    return number if number else Decimal(0)


def answer_key(answer: str) -> str:
    """Return one name for all spellings of an answer; empty for an answer without content.

    >>> answer_key("The 1,200."), answer_key("1200.0"), answer_key("An Apple")
    ('1200', '1200', 'apple')
    """
    number = number_in(answer)
    return f"{number:f}" if number is not None else normalize_answer(answer)


def is_right(answer: str | None, references: Sequence[str]) -> bool:
    """Return whether an answer is an accepted one; what cannot be read is wrong.

    Numbers are compared by value; an answer with two different numbers is none. Other answers are
    compared after normalisation.

    >>> is_right("It is $18.00", ["18"]), is_right("17 or 18", ["18"]), is_right("", ["18"])
    (True, False, False)
    """
    if answer is None or not answer.strip():
        return False
    return any(_equals(answer, reference) for reference in references)


def _equals(answer: str, reference: str) -> bool:
    wanted = number_in(reference)
    if wanted is not None and _NUMBER.fullmatch(reference.strip().lstrip("$")):
        return number_in(answer) == wanted
    return exact_match(answer, reference)


def arithmetic_tasks(count: int = 200, seed: int = 0) -> list[DebateTask]:
    """Return sums of the form a + b * c + d - e * f with whole numbers from 0 to 29 (Du et al.)."""
    rng = np.random.default_rng([seed, 4])
    tasks = []
    for number in range(count):
        a, b, c, d, e, f = (int(n) for n in rng.integers(0, 30, size=6))
        slip = int(rng.integers(1, _SPREAD + 1)) * (1 if rng.random() < 0.5 else -1)
        right = a + b * c + d - e * f
        question = f"What is {a} + {b} * {c} + {d} - {e} * {f}?"
        tasks.append(
            DebateTask(
                id=f"arithmetic-{number:04d}",
                question=question,
                references=(str(right),),
                wrong=str(right + slip),
            )
        )
    return tasks


def motion_tasks() -> list[DebateTask]:
    """Return the motions; the answer to each is "for" or "against"."""
    return [
        DebateTask(
            id=f"motion-{number:02d}",
            question=f'Motion: {motion} Answer "{FOR}" or "{AGAINST}".',
        )
        for number, motion in enumerate(MOTIONS)
    ]


def make_debate_tasks(questions: Questions, count: int, seed: int) -> list[DebateTask]:
    """Return sums, motions, or the questions of a file or of rows.

    Args:
        questions: "arithmetic", "motions", a path or rows.
        count: How many sums.
        seed: Their seed.

    Raises:
        DataError: If a file or a row is broken; names it.
    """
    if questions == "arithmetic":
        return arithmetic_tasks(count, seed)
    if questions == "motions":
        return motion_tasks()
    return load_questions(questions)


def load_questions(
    source: str | os.PathLike[str] | Iterable[Mapping[str, Any]],
) -> list[DebateTask]:
    """Read questions from a JSONL or JSON file, or rows, as `rmgym.envs.search.tasks.load_tasks`.

    An answer that ends in `#### 18`, as GSM8K's do, is cut to what follows the mark. A wrong
    answer is made for each: a number nearby, or the answer of the next question.

    Raises:
        DataError: If the file cannot be read or a row lacks a question or an answer; names it.
    """
    rows = source if isinstance(source, (str, os.PathLike)) else list(source)
    loaded = [
        DebateTask(
            id=task.id,
            question=task.question,
            references=tuple(r.rpartition(_FINAL)[2].strip() for r in task.references),
        )
        for task in load_tasks(rows)
    ]
    return [
        replace(task, wrong=_wrong_answer(task, loaded[(i + 1) % len(loaded)]))
        for i, task in enumerate(loaded)
    ]


def _wrong_answer(task: DebateTask, other: DebateTask) -> str:
    number = number_in(task.references[0])
    if number is not None:
        return f"{number + 1 + len(task.question) % _SPREAD:f}"
    differs = not is_right(other.references[0], task.references)
    return other.references[0] if differs else "none of these"
