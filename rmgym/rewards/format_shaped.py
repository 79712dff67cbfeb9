"""Exact match shaped by the format of the whole episode (Search-R1's format-shaped variant).

The episode must read think, then any number of (search, information, think), then answer: all
tags balanced and nothing but white space between the blocks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.protocols import Grant
from rmgym.rewards.answers import (
    answer_of,
    best_over_references,
    exact_match,
    normalize_answer,
    references_of,
)
from rmgym.trajectory import Context

_TAG = re.compile(r"(</?(?:think|search|information|answer)>)")
_INFORMATION = re.compile(r"\s*<information>(.*)</information>\s*", re.DOTALL)

_OPENS = {
    ("start", "<think>"): "think",
    ("thought", "<search>"): "search",
    ("searched", "<information>"): "information",
    ("informed", "<think>"): "think",
    ("thought", "<answer>"): "answer",
}
_CLOSES = {
    ("think", "</think>"): "thought",
    ("search", "</search>"): "searched",
    ("information", "</information>"): "informed",
    ("answer", "</answer>"): "end",
}
_INSIDE = ("think", "search", "information", "answer")


def is_well_formed(text: str) -> bool:
    """Return whether the text walks from a first thought to an answer by the legal steps.

    >>> is_well_formed("<think>a</think> <answer>b</answer>")
    True
    >>> is_well_formed("<think>a</think> so <answer>b</answer>")
    False
    """
    state = "start"
    for part in _TAG.split(text):
        if _TAG.fullmatch(part):
            follower = _OPENS.get((state, part)) or _CLOSES.get((state, part))
            if follower is None:
                return False
            state = follower
        elif part.strip() and state not in _INSIDE:
            return False
    return state == "end"


def episode_text(context: Context) -> str:
    """Return what was said after the prompt, as one text whose format can be checked.

    Each turn is cut after its first complete action, as the environment reads it. The inside of
    an information block is left out, so that tags in a retrieved passage do no harm. An agent
    cannot write a block that passes for the world's: it would have to follow a closed search.
    """
    answers = [turn.observation for turn in context.turns[1:]] + [context.observation]
    parts: list[str] = []
    for turn, observation in zip(context.turns, answers, strict=True):
        parts.append(_cut(turn.completion.text))
        for message in observation:
            block = _INFORMATION.fullmatch(message["content"])
            parts.append("<information></information>" if block else message["content"])
    return "".join(parts)


def information_blocks(context: Context) -> list[str]:
    """Return the content of each information block that the environment wrote."""
    answers = [turn.observation for turn in context.turns[1:]] + [context.observation]
    contents = [message["content"] for observation in answers for message in observation]
    return [block.group(1) for text in contents if (block := _INFORMATION.fullmatch(text))]


@dataclass(frozen=True, slots=True)
class FormatShapedExactMatch:
    """Exact match with credit for format and retrieval, 0 to 1.

    | answer | format | earns |
    |---|---|---|
    | right | valid | 1 |
    | right | bad | 1 - structure |
    | wrong | valid, a reference stands in some information block | structure + retrieval |
    | wrong | valid | structure |
    | wrong | bad | final |
    | none | bad | 0 |

    Retrieval credit is not added to a right answer.
    """

    name: str = "format_em"
    structure: float = 0.2
    final: float = 0.1
    retrieval: float = 0.1

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        answer, references = answer_of(context), references_of(context)
        valid = is_well_formed(episode_text(context))
        if answer is None:
            return 0.0
        if best_over_references(exact_match, answer, references):
            return 1.0 if valid else 1.0 - self.structure
        if not valid:
            return self.final
        found = _stands_in(references, information_blocks(context))
        return self.structure + (self.retrieval if found else 0.0)


def _cut(text: str) -> str:
    end = text.find("</search>")
    if end >= 0:
        return text[: end + len("</search>")]
    end = text.find("</answer>")
    return text if end < 0 else text[: end + len("</answer>")]


def _stands_in(references: Sequence[str], blocks: Sequence[str]) -> bool:
    wanted = [normalize_answer(reference) for reference in references]
    shown = [normalize_answer(block) for block in blocks]
    return any(gold and gold in block for gold in wanted for block in shown)
