"""Criteria that a program can decide: declared strings, patterns, numbers and lengths."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, fields

from rmgym.errors import JudgeError, RubricError
from rmgym.judges.guarded import GuardedJudge
from rmgym.judges.protocols import Transcript
from rmgym.judges.transcripts import final_answer
from rmgym.protocols import Criterion, Rubric, Verdict
from rmgym.rewards.answers import exact_match

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What an answer must fulfil; of several conditions all of them.

    Texts are compared word by word, without case and punctuation. Patterns are the rubric author's
    own and run as they are.

    Raises:
        RubricError: If there is no condition, one is empty, or a pattern cannot be compiled.
    """

    equals: tuple[str, ...] = ()
    """The answer is one of these, after normalisation (`rmgym.rewards.answers.exact_match`)."""
    contains: tuple[str, ...] = ()
    """One of these occurs."""
    contains_all: tuple[str, ...] = ()
    """All of these occur."""
    absent: tuple[str, ...] = ()
    """None of these occurs: the cure for answers that list every candidate."""
    pattern: str | None = None
    """A regular expression that is found in the answer."""
    number: float | None = None
    """The last number of the answer."""
    tolerance: float = 0.0
    """How far that number may be off."""
    overlap: str | None = None
    """A statement whose words must occur in one sentence of the answer, as a share of them."""
    at_least: float = 0.6
    """That share, above 0, at most 1."""
    max_words: int | None = None

    def __post_init__(self) -> None:
        """Check that the rule says something."""
        texts = [*self.equals, *self.contains, *self.contains_all, *self.absent]
        if self.overlap is not None:
            texts.append(self.overlap)
        empty = [text for text in texts if not words(text)]
        if empty:
            raise RubricError(f"expected texts with at least one word in a rule, got {empty}")
        if not (texts or self.pattern or self.number is not None or self.max_words is not None):
            names = [f.name for f in fields(self) if f.name not in ("tolerance", "at_least")]
            raise RubricError(f"expected a condition in a rule, one of {names}, got none")
        self._check_numbers()
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise RubricError(
                f"expected a regular expression, got {self.pattern!r}: {error}"
            ) from None

    def _check_numbers(self) -> None:
        if not 0 < self.at_least <= 1:
            raise RubricError(f"expected at_least above 0 and at most 1, got {self.at_least}")
        if not (self.tolerance >= 0 and math.isfinite(self.tolerance)):
            raise RubricError(f"expected a tolerance of 0 or more, got {self.tolerance}")
        if self.number is not None and not math.isfinite(self.number):
            raise RubricError(f"expected a finite number, got {self.number}")
        if self.max_words is not None and self.max_words < 1:
            raise RubricError(f"expected max_words of at least 1, got {self.max_words}")

    def holds(self, answer: str) -> bool:
        """Return whether the answer fulfils every condition."""
        return (
            (not self.equals or any(exact_match(answer, text) for text in self.equals))
            and (not self.contains or any(mentions(answer, text) for text in self.contains))
            and all(mentions(answer, text) for text in self.contains_all)
            and not any(mentions(answer, text) for text in self.absent)
            and (self.pattern is None or re.search(self.pattern, answer) is not None)
            and (self.number is None or self._right_number(answer, self.number))
            and (self.overlap is None or best_overlap(answer, self.overlap) >= self.at_least)
            and (self.max_words is None or len(words(answer)) <= self.max_words)
        )

    def _right_number(self, answer: str, number: float) -> bool:
        said = last_number(answer)
        return said is not None and abs(said - number) <= self.tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledCriterion(Criterion):
    """A criterion with rules that decide it."""

    rules: tuple[tuple[str, Rule], ...] = ()
    """Choices with what each demands; the best choice whose rule holds is taken."""
    is_fact: bool = False
    """The text states a fact, as a nugget does: to repeat it is an answer, not a copy."""

    def decide(self, answer: str) -> str:
        """Return the choice for an answer: the best one whose rule holds, else the worst."""
        by_choice = dict(self.rules)
        for choice in reversed(self.choices[1:]):
            if choice in by_choice and by_choice[choice].holds(answer):
                return choice
        return self.choices[0]


class ExactJudge(GuardedJudge):
    """Grades by the rubric's rules alone, on the agent's final answer.

    Every criterion must be a `RuledCriterion` with a rule for some choice above the worst.
    """

    def _grade(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        return [
            tuple(_ruled(criterion, final_answer(said)) for criterion in rubric.criteria)
            for said, rubric in zip(transcripts, rubrics, strict=True)
        ]


def _ruled(criterion: Criterion, answer: str) -> Verdict:
    if not isinstance(criterion, RuledCriterion) or not criterion.rules:
        raise JudgeError(
            f"criterion {criterion.name!r}: expected a rule, got none; declare one or take a judge "
            "that needs none"
        )
    choice = criterion.decide(answer)
    return Verdict(criterion=criterion.name, choice=choice, reason="by rule")


def words(text: str) -> list[str]:
    """Return the words of a text, in one case and width.

    >>> words("The U.S. Senate!")
    ['the', 'u', 's', 'senate']
    """
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def mentions(text: str, phrase: str) -> bool:
    """Return whether a text has the words of a phrase in a row.

    Scripts that do not part their words by blanks are searched letter by letter.

    >>> mentions("It is in New York.", "new york"), mentions("Parisian", "Paris")
    (True, False)
    """
    hay, needle = " ".join(words(text)), " ".join(words(phrase))
    if any(unicodedata.category(letter) == "Lo" for letter in needle):
        return needle.replace(" ", "") in hay.replace(" ", "")
    return f" {needle} " in f" {hay} "


def last_number(text: str) -> float | None:
    """Return the last number of a text, or None.

    >>> last_number("between 3 and 1,250.5 metres"), last_number("none")
    (1250.5, None)
    """
    found = _NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None


def sentences(text: str) -> list[str]:
    """Return the sentences of a text; a line end ends a sentence, too."""
    return [part for part in _SENTENCE_END.split(text) if part.strip()]


def best_overlap(answer: str, statement: str) -> float:
    """Return the largest share of a statement's distinct words that one sentence has, 0 to 1.

    >>> best_overlap("Well. The bridge opened in 1932.", "The bridge opened in 1932")
    1.0
    """
    wanted = set(words(statement))
    return max(
        (len(wanted & set(words(part))) / len(wanted) for part in sentences(answer)), default=0.0
    )
