"""Scores of a short answer against references, and the outcome terms made of them.

The terms read two hidden facts that the environment states: `info["task"]["references"]`, the
accepted answers, and `info["event"]`, what the last turn did (`{"kind": "answer", "answer": ...}`).
Only what the agent answered is scored; an example answer in the prompt never counts.
"""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rmgym.errors import RewardError
from rmgym.protocols import Grant
from rmgym.trajectory import Context

IGPO_FLOOR = -2.0
"""IGPO's outcome in training when tags are unbalanced or no answer is given."""
ANSWER_SPLIT = "<|answer_split|>"
"""Separates alternatives inside one IGPO reference."""

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_DROP_PUNCTUATION = str.maketrans("", "", string.punctuation)
_BLANK_PUNCTUATION = str.maketrans(string.punctuation, " " * len(string.punctuation))
_BALANCED_TAGS = ("code", "tool_call", "think", "answer")


def normalize_answer(text: str) -> str:
    """Return the answer as SQuAD and Search-R1 compare it.

    Lower case, ASCII punctuation removed, articles removed, runs of white space collapsed.

    >>> normalize_answer("The  U.S. Senate!")
    'us senate'
    """
    return " ".join(_ARTICLES.sub(" ", _lower_words(text)).split())


def exact_match(answer: str, reference: str) -> bool:
    """Return whether answer and reference are equal after normalisation.

    A reference of articles or punctuation alone ("A", "?") would equal every empty answer, so it
    is compared in the first of three forms that leaves something of it: normalised, with its
    articles, as written.

    >>> exact_match("the Eiffel Tower.", "Eiffel tower"), exact_match("the", "A")
    (True, False)
    """
    for form in (normalize_answer, _lower_words, str.strip):
        wanted = form(reference)
        if wanted:
            return form(answer) == wanted
    return False


def token_f1(answer: str, reference: str) -> float:
    """Return SQuAD's F1 of the normalised tokens, counted with multiplicity, 0 to 1.

    >>> token_f1("Paris in France", "Paris")
    0.5
    """
    said, wanted = normalize_answer(answer).split(), normalize_answer(reference).split()
    if not wanted:
        return float(exact_match(answer, reference))
    common = sum((Counter(said) & Counter(wanted)).values())
    return _f1(common, len(said), len(wanted))


def sub_exact_match(answer: str, reference: str) -> bool:
    """Return whether the normalised reference is a substring of the normalised answer.

    >>> sub_exact_match("It was Marie Curie", "marie curie"), sub_exact_match("anything", "the")
    (True, False)
    """
    wanted = normalize_answer(reference)
    return wanted in normalize_answer(answer) if wanted else exact_match(answer, reference)


def igpo_word_set_f1(answer: str, reference: str) -> float:
    """Return IGPO's F1 of word sets, 0 to 1.

    Lower case; ASCII punctuation becomes a blank; articles stay; repeated words count once.

    >>> igpo_word_set_f1("the the Cat", "the cat")
    1.0
    """
    said, wanted = _igpo_words(answer), _igpo_words(reference)
    return _f1(len(said & wanted), len(said), len(wanted))


def best_over_references(
    metric: Callable[[str, str], float], answer: str, references: Sequence[str]
) -> float:
    """Return the best score of the answer over all references.

    >>> best_over_references(token_f1, "Paris", ["London", "paris"])
    1.0
    """
    return max((float(metric(answer, reference)) for reference in references), default=0.0)


def igpo_alternatives(references: Sequence[str]) -> list[str]:
    """Return the accepted answers of IGPO references, in order.

    Alternatives are split at `<|answer_split|>`. A fact-check reference, a JSON list of objects
    with a label, collapses to "false" if any label is false, else to "true".

    >>> igpo_alternatives(["Rome<|answer_split|>Roma"])
    ['Rome', 'Roma']
    >>> igpo_alternatives(['[{"label": "True"}, {"label": "False"}]'])
    ['false']
    """
    found: list[str] = []
    for reference in references:
        labels = _fact_check_labels(reference)
        if labels is None:
            found.extend(part.strip() for part in reference.split(ANSWER_SPLIT))
        else:
            found.append("false" if "false" in labels else "true")
    return found


def tags_balanced(text: str) -> bool:
    """Return whether code, tool_call, think and answer tags open and close in pairs.

    Case is ignored. Each opening tag needs a closing one after it, and the counts must agree.

    >>> tags_balanced("<think>x</think><answer>y</answer>"), tags_balanced("</think>x<think>")
    (True, False)
    """
    lowered = text.lower()
    return all(_tag_balanced(lowered, tag) for tag in _BALANCED_TAGS)


def extract_answer(text: str, which: Literal["first", "last"] = "last") -> str | None:
    """Return the content of an `<answer>` block, stripped, or None when there is none.

    Search-R1 scores the last block of a response, IGPO and the turn parser take the first.

    >>> extract_answer("<answer>a</answer> <answer> b </answer>")
    'b'
    """
    blocks = _ANSWER.findall(text)
    if not blocks:
        return None
    chosen: str = blocks[0 if which == "first" else -1]
    return chosen.strip()


def igpo_outcome(text: str, references: Sequence[str], floor: float = IGPO_FLOOR) -> float:
    """Return IGPO's outcome of a whole response: word-set F1, or `floor` for a broken format.

    Args:
        text: The response.
        references: Accepted answers, each possibly with alternatives.
        floor: What unbalanced tags or a missing answer earn; 0.0 in validation.
    """
    answer = extract_answer(text.lower(), "first")
    if answer is None or not tags_balanced(text):
        return floor
    return best_over_references(igpo_word_set_f1, answer, igpo_alternatives(references))


def answer_of(context: Context) -> str | None:
    """Return the answer that the last turn gave, or None when it gave none.

    Raises:
        RewardError: If the environment did not say what the turn did.
    """
    event = context.last.info.get("event")
    if not isinstance(event, Mapping) or "kind" not in event:
        raise RewardError(
            'expected info["event"] = {"kind": ..., "answer": ...} after each turn, got '
            f"{event!r}; the environment must say what the turn did"
        )
    answer = event.get("answer") if event["kind"] == "answer" else None
    return None if answer is None else str(answer)


def references_of(context: Context) -> list[str]:
    """Return the accepted answers of the task.

    Raises:
        RewardError: If the task has no list of references.
    """
    task = context.last.info.get("task")
    references = task.get("references") if isinstance(task, Mapping) else None
    if isinstance(references, str) or not isinstance(references, Sequence) or not references:
        raise RewardError(
            'expected info["task"]["references"], a non-empty list of accepted answers, got '
            f"{references!r}; give the task its references"
        )
    return [str(reference) for reference in references]


@dataclass(frozen=True, slots=True)
class ExactMatch:
    """1.0 if the answer equals a reference after normalisation, else 0.0 (Search-R1)."""

    name: str = "em"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context; 0.0 without an answer."""
        return [_best(exact_match, context) for context in contexts]


@dataclass(frozen=True, slots=True)
class TokenF1:
    """Token F1 of the answer, best over the references, 0 to 1 (SQuAD)."""

    name: str = "f1"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context; 0.0 without an answer."""
        return [_best(token_f1, context) for context in contexts]


@dataclass(frozen=True, slots=True)
class SubExactMatch:
    """1.0 if the answer contains a reference after normalisation, else 0.0.

    An agent that lists every candidate earns it too: a figure to watch, not one to train on alone.
    """

    name: str = "subem"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context; 0.0 without an answer."""
        return [_best(sub_exact_match, context) for context in contexts]


@dataclass(frozen=True, slots=True)
class IgpoOutcome:
    """IGPO's outcome: word-set F1, 0 to 1, or `floor` for a broken format.

    The tags of the agent's own turns must balance; tags in retrieved text do not count.
    """

    name: str = "igpo_f1"
    floor: float = IGPO_FLOOR
    """-2.0 in training; 0.0 for validation."""

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context; `floor` without an answer."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float:
        answer = answer_of(context)
        said = "\n".join(turn.completion.text for turn in context.turns)
        if answer is None or not tags_balanced(said):
            return self.floor
        references = igpo_alternatives(references_of(context))
        return best_over_references(igpo_word_set_f1, answer, references)


def _best(metric: Callable[[str, str], float], context: Context) -> float:
    answer = answer_of(context)
    return 0.0 if answer is None else best_over_references(metric, answer, references_of(context))


def _lower_words(text: str) -> str:
    return " ".join(text.lower().translate(_DROP_PUNCTUATION).split())


def _igpo_words(text: str) -> frozenset[str]:
    return frozenset(text.lower().translate(_BLANK_PUNCTUATION).split())


def _f1(common: int, said: int, wanted: int) -> float:
    if common == 0:
        return 0.0
    precision, recall = common / said, common / wanted
    return 2 * precision * recall / (precision + recall)


def _tag_balanced(text: str, tag: str) -> bool:
    opening, closing = f"<{tag}>", f"</{tag}>"
    if text.count(opening) != text.count(closing):
        return False
    start = text.find(opening)
    while start >= 0:
        end = text.find(closing, start)
        if end < 0:
            return False
        start = text.find(opening, end)
    return True


def _fact_check_labels(reference: str) -> list[str] | None:
    if not reference.lstrip().startswith("["):
        return None
    try:
        items = json.loads(reference)
    except json.JSONDecodeError:
        return None
    if not items or not all(isinstance(item, dict) and "label" in item for item in items):
        return None
    return [str(item["label"]).strip().lower() for item in items]
