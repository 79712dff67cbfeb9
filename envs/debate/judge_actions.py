"""What a judge can do: call tools that tell, and give a verdict, scores or a ranking."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rmgym.envs.debate.judge_tasks import LETTERS
from rmgym.errors import ParseError
from rmgym.protocols import Call, Tool

SEARCH = Tool(
    name="search",
    description="look something up in the encyclopaedia",
    parameters={"query": {"type": "string"}},
    required=("query",),
    text_argument="query",
)
RUN = Tool(
    name="run",
    description="run the tests on the code of one answer, e.g. A",
    parameters={"answer": {"type": "string"}},
    required=("answer",),
    text_argument="answer",
)
_VERDICT = Tool(
    name="verdict",
    description="the best answer, and if you like how sure you are, e.g. A 0.9",
    parameters={"best": {"type": "string"}},
    required=("best",),
    text_argument="best",
)
_SCORES = Tool(
    name="scores",
    description='a number for each answer, e.g. {"A": 7, "B": 2}',
    parameters={"scores": {"type": "object"}},
    required=("scores",),
    text_argument="scores",
)
_RANKING = Tool(
    name="ranking",
    description="all answers, best first, e.g. B > A",
    parameters={"order": {"type": "string"}},
    required=("order",),
    text_argument="order",
)
VERDICTS = (_VERDICT, _SCORES, _RANKING)
_BEST = re.compile(
    r"([A-H])(?:[\s,;:]+(?:confidence\s*)?(0(?:\.\d{1,6})?|1(?:\.0{1,6})?|\.\d{1,6}))?"
)
VERDICT_NAMES = tuple(tool.name for tool in VERDICTS)
_LARGEST = 1e6
_LONGEST_RANKING = 200


def read_verdict(call: Call, order: Sequence[int]) -> tuple[dict[int, float], float | None]:
    """Return the score of each answer by its place in the task, and the confidence if stated.

    Args:
        call: A verdict (the best scores 1, the others 0), a ranking (0 for the best, then -1, ...)
            or scores.
        order: Which answer stands at each letter.

    Raises:
        ParseError: If it names anything but the letters shown.
    """
    letters = LETTERS[: len(order)]
    if call.name == "verdict":
        return _best(call.text, letters, order)
    if call.name == "ranking":
        return _ranked(call.text, letters, order), None
    said = call.arguments["scores"]
    if sorted(said) != list(letters) or not all(map(_is_number, said.values())):
        raise ParseError(f"expected a number from -1e6 to 1e6 for each of {', '.join(letters)}")
    return {order[letters.index(name)]: float(value) for name, value in said.items()}, None


def _best(text: str, letters: str, order: Sequence[int]) -> tuple[dict[int, float], float | None]:
    found = _BEST.fullmatch(text.strip())
    if found is None or found[1] not in letters:
        wanted = ", ".join(letters)
        raise ParseError(f"expected one of {wanted}, and if you like how sure, e.g. A 0.9")
    scores = {n: float(letters[place] == found[1]) for place, n in enumerate(order)}
    return scores, float(found[2]) if found[2] else None


def _ranked(text: str, letters: str, order: Sequence[int]) -> dict[int, float]:
    named = [part.strip() for part in text[:_LONGEST_RANKING].split(">")]
    if sorted(named) != list(letters):
        raise ParseError(f"expected each of {', '.join(letters)} once, e.g. B > A")
    return {order[letters.index(name)]: -float(place) for place, name in enumerate(named)}


def _is_number(value: object) -> bool:
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _LARGEST
    )
