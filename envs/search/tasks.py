"""Questions to search for, from the invented encyclopaedia or from a user's file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rmgym.envs.search.world_model import Question, World
from rmgym.errors import DataError
from rmgym.tools.retrieval import load_jsonl

_QUESTION_KEYS = ("question", "query", "text")
_ANSWER_KEYS = ("golden_answers", "answers", "answer", "references")
_GOLD_KEYS = ("gold_passages", "supporting_ids")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTask:
    """One question with what scores it."""

    id: str
    question: str
    references: tuple[str, ...]
    """Accepted answers."""
    kind: str = "question"
    """What it takes to answer: `one_hop`, `two_hop`, ... in the invented world."""
    answer_type: str = "text"
    gold_passages: tuple[str, ...] = ()
    """Ids of the passages that hold the answer, in hop order; empty where unknown."""
    sub_queries: tuple[str, ...] = ()
    """Searches that find them, in hop order."""
    gold_table: Mapping[str, Any] = field(default_factory=dict)
    """The answer as `columns` and `rows`, for sets, lists and tables."""
    known_facts: tuple[str, ...] = ()
    """Facts that the agent is told it knows; enough to answer without a search."""

    @property
    def known(self) -> bool:
        """Whether the agent is told enough to answer without a search."""
        return bool(self.known_facts)

    def hidden_facts(self) -> dict[str, Any]:
        """Return what reward terms may read, as `info["task"]`."""
        return {
            "question": self.question,
            "references": self.references,
            "kind": self.kind,
            "answer_type": self.answer_type,
            "gold_passages": self.gold_passages,
            "sub_queries": self.sub_queries,
            "gold_table": self.gold_table,
            "known": self.known,
        }


def world_tasks(
    world: World, *, known_fraction: float, mask_seed: int, kinds: Sequence[str] | None
) -> list[SearchTask]:
    """Return the world's questions as tasks, some of them with the facts told.

    Only questions whose answer ends a chain of facts (one-hop, two-hop) can be told: of these, each
    is with probability `known_fraction`, drawn from `mask_seed` and nothing else.

    Raises:
        ValueError: If `kinds` names a kind of question that the world does not have.
    """
    present = {question.kind for question in world.questions}
    strangers = sorted(set(kinds or ()) - present)
    if strangers:
        raise ValueError(f"expected kinds of {sorted(present)}, got {strangers}")
    draws = np.random.default_rng([mask_seed, world.seed]).random(len(world.questions))
    tasks = []
    for question, draw in zip(world.questions, draws, strict=True):
        if kinds is not None and question.kind not in kinds:
            continue
        told = question.kind in ("one_hop", "two_hop") and draw < known_fraction
        tasks.append(_world_task(question, told))
    return tasks


def _world_task(question: Question, told: bool) -> SearchTask:
    header, *rows = question.rows or ((),)
    return SearchTask(
        id=question.id,
        question=question.text,
        references=question.answers,
        kind=question.kind,
        answer_type=question.answer_type,
        gold_passages=question.gold_passages,
        sub_queries=question.sub_queries,
        gold_table={"columns": list(header), "rows": [list(row) for row in rows]},
        known_facts=tuple(" | ".join(triple) for triple in question.triples) if told else (),
    )


def load_tasks(source: str | os.PathLike[str] | Iterable[Mapping[str, Any]]) -> list[SearchTask]:
    """Read questions from a JSONL or JSON file, a Hugging Face dataset or any iterable of rows.

    A row holds the question under `question` (or `query`, `text`) and one answer or a list of them
    under `golden_answers` (or `answers`, `answer`, `references`); `id` and `gold_passages` may be
    given.

    Raises:
        DataError: If the file cannot be read or a row lacks a question or an answer; names it.
    """
    if isinstance(source, (str, os.PathLike)):
        rows, name = _file_rows(Path(source)), str(source)
    else:
        rows, name = [(f"row {i}", row) for i, row in enumerate(source)], type(source).__name__
    if not rows:
        raise DataError(f"{name}: expected at least one question, got none")
    return [_row_task(row, f"{name}, {place}", i) for i, (place, row) in enumerate(rows)]


def _file_rows(path: Path) -> list[tuple[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            is_array = stream.read(64).lstrip()[:1] == "["
        if is_array:
            rows = json.loads(path.read_text(encoding="utf-8-sig"))
            return [(f"row {i}", row) for i, row in enumerate(rows)]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected a readable JSON or JSONL file, got {error}") from error
    return [(f"line {number}", row) for number, row in load_jsonl(path)]


def _row_task(row: Any, place: str, index: int) -> SearchTask:
    if not isinstance(row, Mapping):
        raise DataError(f"{place}: expected an object, got {type(row).__name__}")
    question = next((row[key] for key in _QUESTION_KEYS if row.get(key)), None)
    if not isinstance(question, str):
        raise DataError(f"{place}: expected a question under 'question', got keys {list(row)}")
    answers = next((row[key] for key in _ANSWER_KEYS if row.get(key) is not None), None)
    references = [answers] if isinstance(answers, (str, int, float)) else list(answers or ())
    if not references:
        raise DataError(f"{place}: expected an answer under 'answer', got keys {list(row)}")
    gold = next((row[key] for key in _GOLD_KEYS if row.get(key)), ())
    return SearchTask(
        id=str(row.get("id", row.get("_id", index))),
        question=question,
        references=tuple(str(reference) for reference in references),
        gold_passages=tuple(str(passage) for passage in gold),
    )
