"""Scores of structured answers: an item, a set, a list or a table (GISA).

An answer is a tab-separated block with a header line. Cells are compared after normalisation:
blank, nan, none and null are empty; commas and dollar signs go; a percentage is divided by 100;
numbers keep six decimals at most; other text loses case, blanks and asterisks.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, TypeAlias, get_args

from rmgym.errors import RewardError
from rmgym.protocols import Grant, Score
from rmgym.rewards.answers import answer_of
from rmgym.trajectory import Context

AnswerType: TypeAlias = Literal["item", "set", "list", "table"]

_FENCED = re.compile(r"```(?:tsv)?\s*(.*?)```", re.DOTALL)
_EMPTY_WORDS = ("nan", "none", "null")
_DROPPED = str.maketrans("", "", " *\r\n")
_DECIMALS = 6
_ROUND = 4


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows, both normalised; every row has one cell per column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def normalize_cell(cell: object) -> str:
    """Return a cell as GISA compares it.

    >>> [normalize_cell(cell) for cell in ("$1,200", "12.50%", "New York ", None)]
    ['1200', '0.125', 'newyork', '']
    """
    text = str(cell).strip()
    if not text or text.lower() in _EMPTY_WORDS:
        return ""
    figure = text.replace(",", "").replace("$", "")
    percent = figure.endswith("%")
    try:
        number = float(figure.removesuffix("%"))
    except ValueError:
        return text.lower().translate(_DROPPED)
    return _format_number(number / 100 if percent else number)


def normalize_column(name: object) -> str:
    """Return a column name as GISA compares it: lower case, no blanks.

    >>> normalize_column("City Name ")
    'cityname'
    """
    return str(name).strip().lower().replace(" ", "")


def make_table(columns: Sequence[object], rows: Sequence[Sequence[object]]) -> Table:
    """Return a normalised table; a short row is filled with empty cells.

    A repeated column name is told apart by a counter, so that it cannot be counted twice.

    Raises:
        ValueError: If a row has more cells than there are columns.
    """
    names: list[str] = []
    for column in columns:
        name = normalize_column(column)
        twins = sum(seen == name or seen.startswith(f"{name}.") for seen in names)
        names.append(f"{name}.{twins}" if name in names else name)
    longest = max((len(row) for row in rows), default=0)
    if longest > len(names):
        raise ValueError(f"expected at most {len(names)} cells a row, got {longest}")
    filled = (tuple(row) + ("",) * (len(names) - len(row)) for row in rows)
    return Table(tuple(names), tuple(tuple(map(normalize_cell, row)) for row in filled))


def parse_table(text: str) -> Table | None:
    r"""Return the tab-separated table of an answer, or None when there is none.

    The first fenced block is read (with or without the word tsv), else the whole text; blank
    lines are skipped and the first line is the header.

    >>> parse_table("city\tpop\nParis\t2.10")
    Table(columns=('city', 'pop'), rows=(('paris', '2.1'),))
    """
    block = _FENCED.search(text)
    content = block.group(1) if block else text
    lines = [line for line in content.split("\n") if line.strip()]
    if not lines:
        return None
    try:
        header, *rows = list(csv.reader(lines, delimiter="\t"))
        return make_table(header, rows)
    except (csv.Error, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Overlap:
    """Precision, recall and their harmonic mean, each 0 to 1."""

    precision: float
    recall: float
    f1: float


def score_item(predicted: Table, gold: Table) -> bool:
    """Return whether the first rows, joined, are equal."""
    return bool(predicted.rows) and "".join(predicted.rows[0]) == "".join(gold.rows[0])


def score_set(predicted: Sequence[str], gold: Sequence[str]) -> Overlap:
    """Return the overlap of two sets of normalised cells."""
    said, wanted = frozenset(predicted), frozenset(gold)
    return _overlap(len(said & wanted), len(said), len(wanted))


def score_list(predicted: Sequence[str], gold: Sequence[str]) -> tuple[float, float]:
    """Return (content F1, order score) of two lists of normalised cells, to four decimals.

    Content is a multiset overlap; order is 2 M / T, M the cells in matching blocks in order and
    T the cells of both lists.
    """
    if not predicted:
        return 0.0, 0.0
    common = sum((Counter(predicted) & Counter(gold)).values())
    content = _overlap(common, len(predicted), len(gold)).f1
    order = SequenceMatcher(None, list(gold), list(predicted)).ratio()
    return round(content, _ROUND), round(order, _ROUND)


def score_table(predicted: Table, gold: Table) -> tuple[Overlap, Overlap]:
    """Return the overlap of rows and of items.

    Rows are compared as sets, on the columns that both tables have; items are the multisets of
    (column, value) over all columns.
    """
    if not predicted.rows:
        return _overlap(0, 0, 0), _overlap(0, 0, 0)
    shared = [column for column in gold.columns if column in predicted.columns]
    rows = _overlap(0, 0, 0)
    if shared:
        said, wanted = _projected(predicted, shared), _projected(gold, shared)
        rows = _overlap(len(said & wanted), len(said), len(wanted))
    said_items, wanted_items = _items(predicted), _items(gold)
    common = sum((said_items & wanted_items).values())
    return rows, _overlap(common, said_items.total(), wanted_items.total())


def gisa_metrics(predicted: Table | None, gold: Table, answer_type: AnswerType) -> dict[str, float]:
    """Return GISA's figures for one answer; an answer that cannot be parsed scores 0 everywhere.

    Keys by type: item `item_em`; set `precision`, `recall`, `f1`; list `content_f1`, `order`;
    table `row_precision` ... `row_f1`, `item_precision` ... `item_f1`; and always `em`, the
    overall exact match (for a set that of the first column, else of all cells in order).
    """
    found = predicted or Table((), ())
    figures: dict[str, float]
    if answer_type == "item":
        figures = {"item_em": float(score_item(found, gold))}
    elif answer_type == "set":
        overlap = score_set(_column(found, -1), _column(gold, -1))
        figures = {"precision": overlap.precision, "recall": overlap.recall, "f1": overlap.f1}
    elif answer_type == "list":
        content, order = score_list(_column(found, -1), _column(gold, -1))
        figures = {"content_f1": content, "order": order}
    else:
        figures = _table_figures(found, gold)
    if answer_type == "set":
        equal = frozenset(_column(found, 0)) == frozenset(_column(gold, 0))
    else:
        equal = found.rows == gold.rows
    return {**figures, "em": float(equal)}


@dataclass(frozen=True, slots=True)
class GisaAnswer:
    """GISA's score of a structured answer, 0 to 1.

    By `task["answer_type"]`: item, exact match; set, F1; list, mean of content F1 and order score;
    table, mean of row F1 and item F1. The means are ours: content F1 alone pays for a shuffled
    list, row F1 alone for a table with one column, item F1 alone for shuffled rows. All figures of
    the paper stand in the metrics.
    """

    name: str = "gisa"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        """Return one score per context; 0.0 without an answer."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> Score:
        answer = answer_of(context)
        answer_type, gold = _gold_of(context)
        predicted = None if answer is None else parse_table(answer)
        figures = gisa_metrics(predicted, gold, answer_type)
        value = sum(figures[key] for key in _PAID[answer_type]) / len(_PAID[answer_type])
        return Score(value, {f"{self.name}/{key}": figure for key, figure in figures.items()})


_PAID: dict[AnswerType, tuple[str, ...]] = {
    "item": ("item_em",),
    "set": ("f1",),
    "list": ("content_f1", "order"),
    "table": ("row_f1", "item_f1"),
}


def _gold_of(context: Context) -> tuple[AnswerType, Table]:
    task = context.last.info.get("task", {})
    answer_type, gold = task.get("answer_type"), task.get("gold_table")
    if answer_type not in get_args(AnswerType):
        raise RewardError(
            f'expected info["task"]["answer_type"] in {list(get_args(AnswerType))}, got '
            f"{answer_type!r}; a GISA score needs a structured task"
        )
    if not isinstance(gold, Mapping) or not gold.get("rows"):
        raise RewardError(
            'expected info["task"]["gold_table"] = {"columns": [...], "rows": [[...], ...]} with '
            f"at least one row, got {gold!r}; give the task its gold table"
        )
    return answer_type, make_table(gold["columns"], gold["rows"])


def _format_number(number: float) -> str:
    if math.isfinite(number) and number.is_integer():
        return str(int(number))
    text = f"{number:.{_DECIMALS}f}"
    trimmed = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if trimmed in ("", "-0") else trimmed


def _overlap(common: int, said: int, wanted: int) -> Overlap:
    precision = common / said if said else 0.0
    recall = common / wanted if wanted else 0.0
    total = precision + recall
    return Overlap(precision, recall, 2 * precision * recall / total if total else 0.0)


def _column(table: Table, index: int) -> list[str]:
    return [row[index] for row in table.rows]


def _projected(table: Table, columns: Sequence[str]) -> frozenset[tuple[str, ...]]:
    indices = [table.columns.index(column) for column in columns]
    return frozenset(tuple(row[i] for i in indices) for row in table.rows)


def _items(table: Table) -> Counter[tuple[str, str]]:
    return Counter(pair for row in table.rows for pair in zip(table.columns, row, strict=True))


def _table_figures(predicted: Table, gold: Table) -> dict[str, float]:
    rows, items = score_table(predicted, gold)
    return {
        "row_precision": rows.precision,
        "row_recall": rows.recall,
        "row_f1": rows.f1,
        "item_precision": items.precision,
        "item_recall": items.recall,
        "item_f1": items.f1,
    }
