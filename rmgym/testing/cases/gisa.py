"""Cases of GISA."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rmgym.rewards.gisa import make_table, normalize_cell, score_list, score_set, score_table
from rmgym.testing.cases.registry import Inputs, adapter


@adapter("GISA", "cell normaliser")
def gisa_cells(inputs: Inputs) -> dict[str, Any]:
    """Return two normalised cells and whether they agree."""
    a, b = normalize_cell(inputs["a"]), normalize_cell(inputs["b"])
    return {"a": a, "b": b, "equal": a == b}


@adapter("GISA", "set")
def gisa_set(inputs: Inputs) -> dict[str, Any]:
    """Return the overlap of two sets."""
    return asdict(score_set(*_cells(inputs)))


@adapter("GISA", "list")
def gisa_list(inputs: Inputs) -> dict[str, Any]:
    """Return content F1 and order score of two lists."""
    content, order = score_list(*_cells(inputs))
    return {"content_f1": content, "order": order}


@adapter("GISA", "table")
def gisa_table(inputs: Inputs) -> dict[str, Any]:
    """Return the overlap of rows and items of two tables."""
    rows, items = score_table(
        make_table(inputs["pred_columns"], inputs["pred_rows"]),
        make_table(inputs["gold_columns"], inputs["gold_rows"]),
    )
    return {"row": asdict(rows), "item": asdict(items)}


def _cells(inputs: Inputs) -> tuple[list[str], list[str]]:
    predicted, gold = inputs["predicted"], inputs["gold"]
    return [normalize_cell(cell) for cell in predicted], [normalize_cell(cell) for cell in gold]
