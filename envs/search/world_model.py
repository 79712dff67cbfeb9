"""What the invented encyclopaedia is made of: triples, questions, the world itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

from rmgym.protocols import Passage

QuestionKind: TypeAlias = Literal["one_hop", "two_hop", "comparison", "set", "list", "table"]
AnswerType: TypeAlias = Literal["text", "item", "set", "list", "table"]


class Triple(NamedTuple):
    """One fact."""

    subject: str
    """Title of the entity it is about."""
    relation: str
    object: str
    """Title of another entity, or a literal as it stands in the prose: `1894`, `12,400`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question with everything that scores or solves it."""

    id: str
    kind: QuestionKind
    text: str
    answers: tuple[str, ...]
    """Accepted wordings, the one that stands in the gold passage first. For a set, list or table:
    one string, cells joined by `, ` and table rows by `; `."""
    answer_type: AnswerType
    gold_passages: tuple[str, ...]
    """Passage ids in hop order."""
    sub_queries: tuple[str, ...]
    """One search query per gold passage, in hop order."""
    triples: tuple[Triple, ...]
    """The chain of reasoning, in order."""
    rows: tuple[tuple[str, ...], ...]
    """The answer as a table: the header, then one row per item."""


@dataclass(frozen=True, kw_only=True)
class World:
    """An invented encyclopaedia with questions about it."""

    seed: int
    passages: tuple[Passage, ...]
    questions: tuple[Question, ...]
    facts_of: Mapping[str, tuple[Triple, ...]]
    """The triples that each passage states, by passage id."""

    @cached_property
    def _passage_by_id(self) -> dict[str, Passage]:
        return {passage.id: passage for passage in self.passages}

    @cached_property
    def _passage_by_title(self) -> dict[str, Passage]:
        return {passage.title: passage for passage in self.passages}

    @cached_property
    def _question_by_id(self) -> dict[str, Question]:
        return {question.id: question for question in self.questions}

    @cached_property
    def _question_by_text(self) -> dict[str, Question]:
        return {question.text: question for question in self.questions}

    def passage(self, passage_id: str) -> Passage:
        """Return the passage of that id.

        Raises:
            KeyError: If there is none.
        """
        return self._passage_by_id[passage_id]

    def passage_by_title(self, title: str) -> Passage | None:
        """Return the passage of that exact title, if there is one."""
        return self._passage_by_title.get(title)

    def question(self, question_id: str) -> Question:
        """Return the question of that id.

        Raises:
            KeyError: If there is none.
        """
        return self._question_by_id[question_id]

    def question_by_text(self, text: str) -> Question | None:
        """Return the question of that exact text (outer blanks apart), if there is one."""
        return self._question_by_text.get(text.strip())
