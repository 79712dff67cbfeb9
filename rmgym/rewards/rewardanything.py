"""Reward of a listwise judge: order of pairs and format of the reply (RewardAnything).

Source: zhuohaoyu/RewardAnything, `rewardanything/processing.py`. Confidence: source.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from rmgym.errors import ParseError
from rmgym.parsing import load_json
from rmgym.protocols import Grant, Score
from rmgym.rewards.facts import each, finite, task_fact
from rmgym.trajectory import Context

_THINK = re.compile(r"<think>(.*?)</think>", re.DOTALL)
_FENCE = re.compile(r"```(?:json)?")
_LONG_THOUGHT = 50


def pair_score(predicted: Mapping[str, float], gold: Mapping[str, float]) -> float:
    """Return 1 - penalties / weights over pairs of answers that both sides score, 0 to 1.

    A pair weighs 1 + its gold gap. A reversal costs its weight, a predicted tie where gold has none
    half of it. A gold tie weighs 1 and is never penalised. Fewer than two shared answers score 1,
    as released: check coverage beside it.

    >>> pair_score({"a": 1, "b": 5}, {"a": 5, "b": 1})
    0.0
    """
    shared = [name for name in gold if name in predicted]
    said = {name: finite(f"predicted[{name!r}]", predicted[name]) for name in shared}
    wanted = {name: finite(f"gold[{name!r}]", gold[name]) for name in shared}
    penalty = weight = 0.0
    for a, b in combinations(shared, 2):
        gap = wanted[a] - wanted[b]
        weight += 1.0 + abs(gap)
        order = (said[a] - said[b]) * gap
        if order < 0:
            penalty += 1.0 + abs(gap)
        elif gap and said[a] == said[b]:
            penalty += 0.5 * (1.0 + abs(gap))
    return max(0.0, 1.0 - penalty / weight) if weight else 1.0


def parse_reply(text: str) -> tuple[dict[str, Any] | None, bool]:
    """Return the JSON object after the thought, and whether other text stood around it.

    The release also repairs quotes and trailing commas; a reply that needs that is None here.
    """
    rest = _FENCE.sub("", _THINK.sub("", text)).strip()
    start, end = rest.find("{"), rest.rfind("}")
    try:
        found = load_json(rest[start : end + 1])
    except ParseError:
        return None, False
    if not isinstance(found, dict) or not found:
        return None, False
    return found, start > 0 or end < len(rest) - 1


def format_score(text: str, names: Sequence[str]) -> float:
    """Return the format part of a reply, 0 to 1.

    0.15 for both thought tags (0.05 for one), 0.05 for a thought of over 50 characters, 0.20 for
    JSON (0.15 with text around it), 0.10 for each of the keys "scores" and "best-to-worst", 0.20
    for the share of `names` scored, 0.20 for an order that fits the scores.
    """
    opened, closed = "<think>" in text, "</think>" in text
    score = 0.15 if opened and closed else 0.05 * (opened or closed)
    thought = _THINK.search(text)
    score += 0.05 * bool(thought and len(thought[1].strip()) > _LONG_THOUGHT)
    reply, loose = parse_reply(text)
    if reply is None:
        return score
    score += 0.15 if loose else 0.20
    scores, order = reply.get("scores"), reply.get("best-to-worst", reply.get("best-to-worse"))
    score += 0.10 * ("scores" in reply) + 0.10 * (order is not None)
    if isinstance(scores, dict) and names:
        score += 0.20 * sum(name in scores for name in names) / len(names)
        score += 0.20 * order_consistency(scores, order)
    return min(1.0, score)


def order_consistency(scores: Mapping[str, Any], order: object) -> float:
    """Return the share of neighbours in the order whose scores do not rise; 0 if it is not one.

    >>> order_consistency({"a": 5, "b": 1}, ["a", "b"])
    1.0
    """
    if not isinstance(order, list) or sorted(map(str, order)) != sorted(scores) or len(order) < 2:
        return 0.0
    if not all(map(_is_number, scores.values())):
        return 0.0
    pairs = list(pairwise(map(str, order)))
    return sum(bool(scores[a] >= scores[b]) for a, b in pairs) / len(pairs)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


@dataclass(frozen=True, slots=True)
class ListwiseJudge:
    """RewardAnything's reward of an agent that scores several answers by a principle.

    Range: 0 to 1. Needs: `task["gold_scores"]`, by answer. Equation: `pair_score` times the share
    of gold answers scored; metrics `<name>/format` and `<name>/accuracy`, `pair_score` as released.
    The release gives full accuracy to a reply that scores fewer than two answers; here it earns 0.
    """

    name: str = "rewardanything"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one score per context."""
        return each(self._score, contexts)

    def _score(self, context: Context) -> Score:
        gold: Mapping[str, float] = task_fact(context, "gold_scores")
        text = context.last.completion.text
        reply, _ = parse_reply(text)
        found = reply.get("scores") if reply else None
        numbers = found.items() if isinstance(found, dict) else ()
        said = {n: float(v) for n, v in numbers if n in gold and _is_number(v)}
        metrics = {f"{self.name}/format": format_score(text, list(gold))}
        if len(said) < 2:
            return Score(0.0, metrics)
        accuracy = pair_score(said, gold)
        metrics[f"{self.name}/accuracy"] = accuracy
        return Score(accuracy * len(said) / len(gold), metrics)
