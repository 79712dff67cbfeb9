"""Metrics of select-all-that-apply questions (SATA-BENCH).

Answers are strings of option letters, e.g. "AC". Source: sata-bench/sata-bench,
`src/satabench/evaluation/metrics/metrics.py`. Confidence: source; the release rounds the bias
figures to four decimals, these are not rounded.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from rmgym.errors import RewardError
from rmgym.protocols import Grant, Score
from rmgym.rewards.answers import answer_of
from rmgym.rewards.facts import each, same_length, task_fact
from rmgym.trajectory import Context

Paid: TypeAlias = Literal["exact", "jaccard", "f1"]

_TINY = 1e-10


@dataclass(frozen=True, slots=True)
class SataAccuracy:
    """The accuracy and count family over a set of questions."""

    exact_match_code: float
    """Equal strings / non-empty predictions, as released: order matters, blanks are forgiven."""
    exact_match_all_rows: float
    """Equal strings / questions."""
    jaccard: float
    precision: float
    recall: float
    f1_of_means: float
    """Harmonic mean of mean precision and mean recall."""
    count_difference: float
    """Mean of predicted minus gold count."""
    count_difference_abs: float
    count_accuracy: float


def sata_accuracy(predicted: Sequence[str], gold: Sequence[str]) -> SataAccuracy:
    """Return the accuracy family.

    Raises:
        RewardError: If lengths differ, there is no question, or a gold answer is empty.
    """
    _check(predicted, gold)
    rows = list(zip(predicted, gold, strict=True))
    n = len(rows)
    equal = sum(said == wanted for said, wanted in rows)
    precision = sum(len({*said} & {*wanted}) / max(len(said), 1) for said, wanted in rows) / n
    recall = sum(len({*said} & {*wanted}) / len(wanted) for said, wanted in rows) / n
    differences = [len(said) - len(wanted) for said, wanted in rows]
    return SataAccuracy(
        exact_match_code=equal / max(sum(map(bool, predicted)), 1),
        exact_match_all_rows=equal / n,
        jaccard=sum(len({*s} & {*w}) / len({*s} | {*w}) for s, w in rows) / n,
        precision=precision,
        recall=recall,
        f1_of_means=_harmonic(precision, recall),
        count_difference=sum(differences) / n,
        count_difference_abs=sum(map(abs, differences)) / n,
        count_accuracy=sum(d == 0 for d in differences) / n,
    )


def recall_spread(predicted: Sequence[str], gold: Sequence[str]) -> float:
    """Return RStd, the population standard deviation of the labels' recalls, times 100."""
    _check(predicted, gold)
    labels = sorted(set("".join(gold)))
    recalls = [_label_figures(label, predicted, gold)[0] for label in labels]
    mean = sum(recalls) / len(recalls)
    return 100 * math.sqrt(sum((r - mean) ** 2 for r in recalls) / len(recalls))


def relative_f1_spread(predicted: Sequence[str], gold: Sequence[str]) -> float | None:
    """Return RSD, the labels' root mean square F1 deviation from the overall F1, relative to it.

    As released, over the labels that were predicted. None (released: -1) if the overall F1 is 0.
    """
    overall = sata_accuracy(predicted, gold).f1_of_means
    labels = sorted(set("".join(predicted)))
    if not overall or not labels:
        return None
    squares = [(_label_figures(label, predicted, gold)[1] - overall) ** 2 for label in labels]
    return math.sqrt(sum(squares) / len(squares)) / overall


def choice_divergence(
    predicted: Sequence[str], gold: Sequence[str], compat: Literal["paper", "release"] = "paper"
) -> float:
    """Return CKLD, the divergence of the predicted label frequencies from the gold ones.

    sum over labels of q ln(q / p), q gold, p predicted (1e-10 where never predicted). The release
    cuts both strings of labels to the shorter one before it counts.
    """
    _check(predicted, gold)
    said, wanted = "".join(predicted), "".join(gold)
    if compat == "release":
        shorter = min(len(said), len(wanted))
        said, wanted = said[:shorter], wanted[:shorter]
    if not said:
        return 0.0 if not wanted else math.log(1 / _TINY) - _entropy(wanted)
    p, q = Counter(said), Counter(wanted)
    return sum(
        q[label] / len(wanted) * math.log(q[label] / len(wanted) / (p[label] / len(said) or _TINY))
        for label in sorted(q)
    )


def selection_divergence(
    predicted: Sequence[str], gold: Sequence[str], options: Sequence[int]
) -> float:
    """Return SPD: sum over labels of (1 - p/q) ln(q/p), averaged over questions.

    p and q are the shares of questions that predict and have the label, among the questions with
    the same number of options; labels that are never gold do not count.

    Args:
        predicted: Predicted letters.
        gold: Gold letters.
        options: Number of options of each question.
    """
    _check(predicted, gold)
    same_length("questions and option counts", gold, options)
    total = 0.0
    for size in sorted(set(options)):
        rows = [i for i, count in enumerate(options) if count == size]
        for label in sorted({letter for i in rows for letter in gold[i]}):
            q = sum(label in gold[i] for i in rows) / len(rows)
            p = sum(label in predicted[i] for i in rows) / len(rows)
            total += len(rows) * (1 - p / q) * math.log(q / (p or _TINY))
    return total / len(gold)


def _check(predicted: Sequence[str], gold: Sequence[str]) -> None:
    same_length("predictions and gold answers", predicted, gold)
    if not gold:
        raise RewardError("expected at least one question, got none")
    empty = [i for i, wanted in enumerate(gold) if not wanted]
    if empty:
        raise RewardError(f"expected gold letters in every row, got none in rows {empty}")


def _label_figures(
    label: str, predicted: Sequence[str], gold: Sequence[str]
) -> tuple[float, float]:
    """Return recall and F1 of one label."""
    said = sum(label in p for p in predicted)
    wanted = sum(label in g for g in gold)
    both = sum(label in p and label in g for p, g in zip(predicted, gold, strict=True))
    return both / wanted if wanted else 0.0, 2 * both / (said + wanted) if said + wanted else 0.0


def _entropy(letters: str) -> float:
    shares = [count / len(letters) for count in Counter(letters).values()]
    return -sum(share * math.log(share) for share in shares)


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


@dataclass(frozen=True, slots=True)
class SelectAll:
    """Score of a select-all-that-apply answer.

    Range: 0 to 1. Needs: `task["gold_choices"]`, letters. The answer's letters A-Z count, in any
    order. Equation by `paid`: "exact" (default), "jaccard" or "f1"; the latter two pay an agent
    that chooses everything. All stand in the metrics.
    """

    paid: Paid = "exact"
    name: str = "sata_bench"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one score per context; 0.0 without an answer."""
        return each(self._score, contexts)

    def _score(self, context: Context) -> Score:
        gold = "".join(sorted(set("".join(task_fact(context, "gold_choices")))))
        said = choice_letters(answer_of(context) or "")
        found = asdict(sata_accuracy([said], [gold]))
        values = {
            "exact": found["exact_match_all_rows"],
            "jaccard": found["jaccard"],
            "f1": found["f1_of_means"],
        }
        metrics = {f"{self.name}/{key}": value for key, value in values.items()}
        return Score(values[self.paid], metrics)


def choice_letters(answer: str) -> str:
    """Return the distinct option letters of an answer, sorted; "" if it holds anything else.

    >>> choice_letters("C, A"), choice_letters("A because it fits")
    ('AC', '')
    """
    words = answer.upper().replace(",", " ").replace(";", " ").split()
    joined = "".join(word for word in words if word != "AND")
    is_choice = joined.isascii() and joined.isalpha() and len(set(joined)) == len(joined)
    return "".join(sorted(joined)) if is_choice else ""
