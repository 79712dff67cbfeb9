"""Tool-call format and match (ToolRL).

Source: qiancheng0/ToolRL, `verl/utils/reward_score/rlla.py`. Confidence: source.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rmgym.errors import ParseError, RewardError
from rmgym.parsing import load_json
from rmgym.protocols import Grant, Score
from rmgym.rewards.facts import each, event_fact, event_of
from rmgym.trajectory import Context

ToolCall: TypeAlias = Mapping[str, Any]
"""`{"name": ..., "parameters": {...}}`."""
Match: TypeAlias = Literal["graded", "strict", "whole", "all_or_nothing"]

_TAGS = ("think", "tool_call", "response")
_LENGTH_WORDS = 512


def match_ratio(wanted: Sequence[str], said: Sequence[str]) -> float:
    """Return the multiset intersection over the union: 1 if identical, 0 if one side is empty.

    >>> match_ratio(["a", "b"], ["b"])
    0.5
    """
    if list(wanted) == list(said):
        return 1.0
    common = (Counter(wanted) & Counter(said)).total()
    return common / (len(wanted) + len(said) - common)


def call_correctness(
    predicted: Sequence[ToolCall] | None,
    gold: Sequence[ToolCall] | None,
    *,
    match: Match = "graded",
    low: float = -3.0,
    high: float = 3.0,
) -> float:
    """Return how well the calls match, from `low` to `high`.

    (high - low) * S / S_max + low, where S = match of names + for each gold call, in order, the
    best unused predicted call of that name: match of keys + number of equal values. The order of
    calls matters for nothing; a wrong value with right keys still scores well.

    Args:
        predicted: The calls; None if a tag was missing or the JSON broken, which earns `low`.
        gold: The wanted calls; none (or None) wanted earns 0.
        match: "graded" (default); "strict", names and keys must be identical lists to count;
            "whole", a gold call counts 1 if an equal one was made; "all_or_nothing".
        low: Least reward, -3 (or -1).
        high: Greatest reward, 3 (or 1).

    Raises:
        RewardError: If a gold call is not `{"name", "parameters"}`.
    """
    if not gold:
        return 0.0
    if not all(map(_is_call, gold)):
        raise RewardError(f'expected gold calls {{"name", "parameters"}}, got {list(gold)!r}')
    if predicted is None or not all(map(_is_call, predicted)):
        return low
    if list(predicted) == list(gold):
        return high
    if match == "all_or_nothing":
        return low
    reached, best = _match_score(predicted, gold, match)
    return (high - low) * reached / best + low


def _match_score(
    predicted: Sequence[ToolCall], gold: Sequence[ToolCall], match: Match
) -> tuple[float, float]:
    strict = match == "strict"
    reached = _ratio([g["name"] for g in gold], [p["name"] for p in predicted], strict)
    best = 1.0
    unused = list(range(len(predicted)))
    for call in gold:
        best += 1.0 if match == "whole" else 1.0 + len(call["parameters"])
        scores = [(_pair_score(call, predicted[i], match), -i) for i in unused]
        score, place = max(scores, default=(0.0, 0))
        if score > 0.0:
            reached += score
            unused.remove(-place)
    return reached, best


def _pair_score(gold: ToolCall, said: ToolCall, match: Match) -> float:
    if gold["name"] != said["name"]:
        return 0.0
    if match == "whole":
        return float(gold == said)
    wanted, given = gold["parameters"], said["parameters"]
    equal = sum(bool(key in given and given[key] == value) for key, value in wanted.items())
    return _ratio(list(wanted), list(given), match == "strict") + equal


def _ratio(wanted: list[str], said: list[str], strict: bool) -> float:
    return float(wanted == said) if strict else match_ratio(wanted, said)


def _is_call(call: object) -> bool:
    return (
        isinstance(call, Mapping)
        and isinstance(call.get("name"), str)
        and isinstance(call.get("parameters"), Mapping)
    )


def parse_calls(text: str) -> list[ToolCall] | None:
    """Return the calls of the first tool_call block, one JSON object a line; None if unreadable."""
    _, opened, rest = text.partition("<tool_call>")
    block, closed, _ = rest.partition("</tool_call>")
    if not (opened and closed):
        return None
    try:
        calls = [load_json(line) for line in block.strip().split("\n")]
    except ParseError:
        return None
    return calls if all(map(_is_call, calls)) else None


def format_score(text: str, *, calls: bool, response: bool) -> float:
    """Return 1.0 if the whole message is think, then tool_call and response as wanted, else 0.0.

    Each tag must stand there exactly once.

    >>> format_score("<think>x</think><response>y</response>", calls=False, response=True)
    1.0
    """
    wanted = ["think", *(["tool_call"] if calls else []), *(["response"] if response else [])]
    order = r"\s*".join(rf"<{tag}>(?:(?!</{tag}>).)*</{tag}>" for tag in wanted)
    counts = all(
        text.count(f"<{tag}>") == text.count(f"</{tag}>") == int(tag in wanted) for tag in _TAGS
    )
    return float(counts and re.fullmatch(order, text.strip(), re.DOTALL) is not None)


def length_bonus(text: str) -> float:
    """Return min(words of the thought / 512, 1): the release's optional bonus."""
    _, opened, rest = text.partition("<think>")
    thought, closed, _ = rest.partition("</think>")
    return min(len(thought.split()) / _LENGTH_WORDS, 1.0) if opened and closed else 0.0


@dataclass(frozen=True, slots=True)
class ToolCallMatch:
    """ToolRL's reward of a message: format plus correctness of its calls.

    Range: -3 to 4 (format 0 or 1, correctness `low` to `high`), plus 0 to 1 with `length`. Needs:
    `event["gold_calls"]`, a list (empty if none is wanted), and, where the message should also
    hold a response, `event["gold_response"]` true. Equation: `format_score` + `call_correctness`.
    The length bonus (off, as in the release's default) pays for words: expect padding.
    """

    match: Match = "graded"
    low: float = -3.0
    high: float = 3.0
    length: bool = False
    name: str = "toolrl"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one score per context."""
        return each(self._score, contexts)

    def _score(self, context: Context) -> Score:
        turn, text = context.last, context.last.completion.text
        gold = event_fact(turn, "gold_calls")
        answers = bool(event_of(turn).get("gold_response", not gold))
        form = format_score(text, calls=bool(gold), response=answers)
        correct = call_correctness(
            parse_calls(text), gold, match=self.match, low=self.low, high=self.high
        )
        value = form + correct + (length_bonus(text) if self.length else 0.0)
        return Score(value, {f"{self.name}/format": form, f"{self.name}/correctness": correct})


def dump_calls(calls: Sequence[ToolCall]) -> str:
    """Return calls as ToolRL writes them: a tool_call block with one JSON object a line."""
    lines = "\n".join(json.dumps(dict(call), ensure_ascii=False) for call in calls)
    return f"<tool_call>\n{lines}\n</tool_call>"
