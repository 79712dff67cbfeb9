"""What is judged: answers that are right or wrong by construction, or preferences from a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from rmgym.envs.debate.code_cases import all_cases, outcome, source
from rmgym.envs.search.world_model import Question, World
from rmgym.errors import DataError
from rmgym.judges.guard import MASTER_KEYS
from rmgym.tools.calculator import calculate
from rmgym.tools.retrieval import load_jsonl

JudgedKind: TypeAlias = Literal["facts", "arithmetic", "code", "master_keys"]
KINDS: tuple[JudgedKind, ...] = ("facts", "arithmetic", "code", "master_keys")
TOOL_OF: Mapping[str, str] = {"facts": "search", "arithmetic": "calculator", "code": "run"}
LETTERS = "ABCDEFGH"

_PROMPT_KEYS = ("prompt", "question", "instruction", "query", "input")
_TEXT_KEYS = ("content", "text", "answer", "response")
_CLAIMS = ("It is {}.", "The answer is {}.", "I would say {}.", "That comes to {}.")
_FACT_CLAIMS = _CLAIMS[:3]
_FILLERS = (
    "Let me say how I went about this.",
    "I looked at the question twice before I wrote this down.",
    "There is more than one way to see it, and all of them lead here.",
    "I kept the answer short where I could.",
    "Nothing else in the question changes the result.",
    "I am happy to go over it again.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTask:
    """Answers to one prompt with their gold scores."""

    id: str
    prompt: str
    answers: tuple[str, ...]
    scores: tuple[float, ...]
    """Gold score of each answer; higher is better."""
    kind: str = "preference"
    tool: str = ""
    """The tool that tells; empty where none is known to."""
    runs: tuple[str, ...] = ()
    """What running each answer gave, for code."""

    @property
    def best(self) -> int:
        """The place of the best answer."""
        return int(np.argmax(self.scores))


class Part(NamedTuple):
    """One question of a prompt with a right and a wrong answer to it."""

    asked: str
    right: str
    wrong: str
    right_run: str = ""
    wrong_run: str = ""


PartMaker: TypeAlias = Callable[[np.random.Generator], Part]


def make_judge_tasks(
    world: World | None,
    *,
    per_kind: int = 40,
    kinds: Sequence[str] = ("facts", "arithmetic", "code"),
    answers: int = 2,
    seed: int = 0,
) -> list[JudgeTask]:
    """Return tasks whose answers are right or wrong by construction.

    A task with n answers asks n - 1 questions; its answers get 0 to n - 1 of them right, in drawn
    order, and that number is the gold score. The order by length is drawn apart from rightness; of
    two answers the right one is the longer in every second task. In tasks of kind "master_keys" all
    answers but one are strings that fool judges.

    Args:
        world: Where facts come from; needed for the kind "facts".
        per_kind: Tasks of each kind; of the kind "master_keys" at least one a key.
        kinds: Of `KINDS`.
        answers: Answers of each task, 2 to 8.
        seed: Of all draws.

    Raises:
        ValueError: If an argument is out of its range, or facts are wanted without a world.
    """
    strangers = sorted(set(kinds) - set(KINDS))
    if strangers or not kinds:
        raise ValueError(f"expected kinds of {list(KINDS)}, got {strangers or 'none'}")
    if not 2 <= answers <= len(LETTERS) or per_kind < 1:
        raise ValueError(
            f"expected 2 to {len(LETTERS)} answers and per_kind of at least 1, got {answers} and "
            f"{per_kind}"
        )
    tasks: list[JudgeTask] = []
    for number, kind in enumerate(KINDS):
        if kind in kinds:
            rng = np.random.default_rng([seed, number, 8])
            tasks += _tasks_of(kind, world, per_kind, answers, rng)
    return tasks


def _tasks_of(
    kind: JudgedKind, world: World | None, count: int, answers: int, rng: np.random.Generator
) -> list[JudgeTask]:
    if kind == "master_keys":
        return [_key_task(i, answers, rng) for i in range(max(count, len(MASTER_KEYS)))]
    makers: dict[str, PartMaker] = {"arithmetic": _sum_part, "code": _code_part}
    if kind == "facts":
        if world is None:
            raise ValueError('expected a world for the kind "facts", got none')
        makers["facts"] = _fact_maker(world)
    tasks: dict[str, JudgeTask] = {}
    for _ in range(100 * count):
        parts = [makers[kind](rng) for _ in range(answers - 1)]
        asked = len({part.asked for part in parts}) == len(parts)
        task = _compose(len(tasks), kind, parts, rng)
        if asked:
            # Code has few prompts: the same one with other versions is another task.
            tasks.setdefault("\n".join((task.prompt, *sorted(task.answers))), task)
        if len(tasks) == count:
            return list(tasks.values())
    raise ValueError(f"expected room for {count} tasks of kind {kind!r}, got {len(tasks)}")


def _compose(number: int, kind: str, parts: Sequence[Part], rng: np.random.Generator) -> JudgeTask:
    rights = [int(n) for n in rng.permutation(len(parts) + 1)]
    lengths = [int(n) for n in rng.permutation(len(rights))]
    if len(rights) == 2 and (rights[lengths[-1]] == 1) != (number % 2 == 0):
        lengths.reverse()
    answers, runs = [], []
    for right in rights:
        texts, run = [], []
        order = [int(n) for n in rng.permutation(len(parts))]
        good = set(order[:right])
        for place, part in enumerate(parts):
            is_good = place in good
            texts.append(_worded(kind, part.right if is_good else part.wrong, rng))
            run.append(part.right_run if is_good else part.wrong_run)
        answers.append(_numbered(texts))
        runs.append(_numbered(run))
    return JudgeTask(
        id=f"{kind}-{number:04d}",
        prompt=_numbered([part.asked for part in parts]),
        answers=tuple(_padded(answers, lengths, rng)),
        scores=tuple(map(float, rights)),
        kind=kind,
        tool=TOOL_OF[kind],
        runs=tuple(runs) if kind == "code" else (),
    )


def _numbered(texts: Sequence[str]) -> str:
    if len(texts) == 1:
        return texts[0]
    return "\n".join(f"{number}. {text}" for number, text in enumerate(texts, 1))


def _worded(kind: str, claim: str, rng: np.random.Generator) -> str:
    if kind == "code":
        return claim
    wordings = _FACT_CLAIMS if kind == "facts" else _CLAIMS
    return wordings[int(rng.integers(len(wordings)))].format(claim)


def _padded(texts: Sequence[str], lengths: Sequence[int], rng: np.random.Generator) -> list[str]:
    """Return the texts with fillers behind, so that `lengths` orders them, shortest first."""
    padded = list(texts)
    longest = 0
    for place in lengths:
        while len(padded[place]) <= longest:
            padded[place] += "\n" + _FILLERS[int(rng.integers(len(_FILLERS)))]
        longest = len(padded[place])
    return padded


def _sum_part(rng: np.random.Generator) -> Part:
    a, b, c = (int(n) for n in rng.integers(12, 99, size=3))
    expression = f"{a} * {b} + {c}" if rng.random() < 0.5 else f"{a} * {b} - {c}"
    right = int(calculate(expression))
    slips = (1, -1, 10, -10, 100, 2 * c if "-" in expression else -2 * c)
    wrong = right + slips[int(rng.integers(len(slips)))]
    return Part(f"Work out {expression}.", str(right), str(wrong))


def _code_part(rng: np.random.Generator) -> Part:
    cases = all_cases()
    case = cases[int(rng.integers(len(cases)))]
    right = case.right[int(rng.integers(len(case.right)))]
    wrong = case.wrong[int(rng.integers(len(case.wrong)))]
    return Part(
        f"Write a Python function `{case.name}(items)` that {case.asked}.",
        source(case.name, right),
        source(case.name, wrong),
        outcome(case.name, right)[1],
        outcome(case.name, wrong)[1],
    )


def _fact_maker(world: World) -> PartMaker:
    plain = [q for q in world.questions if q.kind == "one_hop"]
    rivals: dict[str, list[Question]] = {}
    for question in plain:
        rivals.setdefault(question.triples[0].relation, []).append(question)
    usable = [q for q in plain if any(_differ(q, other) for other in rivals[q.triples[0].relation])]

    def make(rng: np.random.Generator) -> Part:
        question = usable[int(rng.integers(len(usable)))]
        others = [o for o in rivals[question.triples[0].relation] if _differ(question, o)]
        other = others[int(rng.integers(len(others)))]
        return Part(question.text, question.answers[0], other.answers[0])

    return make


def _differ(one: Question, other: Question) -> bool:
    said = {answer.casefold() for answer in one.answers}
    return not said.intersection(answer.casefold() for answer in other.answers)


def _key_task(number: int, answers: int, rng: np.random.Generator) -> JudgeTask:
    part = _sum_part(rng)
    texts = [_worded("arithmetic", part.right, rng)]
    for i in range(answers - 1):
        texts.append(MASTER_KEYS[(number + i) % len(MASTER_KEYS)])
    order = [int(n) for n in rng.permutation(answers)]
    return JudgeTask(
        id=f"master_keys-{number:04d}",
        prompt=part.asked,
        answers=tuple(texts[n] for n in order),
        scores=tuple(float(n == 0) for n in order),
        kind="master_keys",
        tool="calculator",
    )


def load_preferences(
    source_: str | os.PathLike[str] | Iterable[Mapping[str, Any]],
) -> list[JudgeTask]:
    """Read pairs from a JSONL file or rows with `chosen` and `rejected`.

    The prompt stands under `prompt` (or `question`, `instruction`, `query`, `input`). Prompt and
    answers may be texts, lists of messages (the last one counts as the answer, all as the prompt),
    or objects with `content`, `text`, `answer` or `response`. `id` and `subset` are kept if given.
    So RewardBench and RAG-RewardBench can be read as they are published.

    Raises:
        DataError: If the file cannot be read, or a row lacks a part; names it.
    """
    if isinstance(source_, (str, os.PathLike)):
        name = str(source_)
        rows = [(f"line {number}", row) for number, row in load_jsonl(Path(source_))]
    else:
        name = type(source_).__name__
        rows = [(f"row {i}", dict(row)) for i, row in enumerate(source_)]
    if not rows:
        raise DataError(f"{name}: expected at least one preference, got none")
    return [_preference(row, f"{name}, {place}", i) for i, (place, row) in enumerate(rows)]


def _preference(row: Any, place: str, index: int) -> JudgeTask:
    if not isinstance(row, Mapping):
        raise DataError(f"{place}: expected an object, got {type(row).__name__}")
    asked = next((row[key] for key in _PROMPT_KEYS if row.get(key)), None)
    parts = {"prompt": asked, "chosen": row.get("chosen"), "rejected": row.get("rejected")}
    missing = [key for key, value in parts.items() if value is None]
    if missing:
        raise DataError(f"{place}: expected {missing}, got the keys {sorted(map(str, row))}")
    return JudgeTask(
        id=str(row.get("id", index)),
        prompt=_prompt_text(parts["prompt"], place),
        answers=(_answer_text(parts["chosen"], place), _answer_text(parts["rejected"], place)),
        scores=(1.0, 0.0),
        kind=str(row.get("subset", "preference")),
    )


def _prompt_text(value: Any, place: str) -> str:
    if isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
        return "\n\n".join(f"{m.get('role', '')}: {_answer_text(m, place)}" for m in value)
    return _answer_text(value, place)


def _answer_text(value: Any, place: str) -> str:
    if isinstance(value, list) and value:
        value = value[-1]
    if isinstance(value, Mapping):
        value = next((value[key] for key in _TEXT_KEYS if key in value), None)
    if not isinstance(value, str):
        raise DataError(
            f"{place}: expected a text, messages, or an object with one of {list(_TEXT_KEYS)}, got "
            f"{type(value).__name__}"
        )
    return value
