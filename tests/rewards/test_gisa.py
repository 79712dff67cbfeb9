from __future__ import annotations

from typing import Any

import pytest

from rmgym.errors import RewardError
from rmgym.protocols import RewardTerm, Score
from rmgym.rewards.gisa import (
    GisaAnswer,
    gisa_metrics,
    make_table,
    normalize_cell,
    parse_table,
    score_list,
    score_set,
    score_table,
)
from rmgym.trajectory import Completion, Context, Turn

CITIES: dict[str, Any] = {"columns": ["city", "pop"], "rows": [["Paris", "2.1"], ["Rome", "2.8"]]}


def score(answer: str | None, answer_type: str, gold: Any) -> Score:
    event = {"kind": "answer" if answer is not None else "invalid", "answer": answer}
    task = {"answer_type": answer_type, "gold_table": gold}
    info = {"event": event, "task": task}
    turn = Turn(observation=(), completion=Completion(text="x"), terminated=True, info=info)
    return GisaAnswer()([Context((turn,), ())])[0]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("", ""),
        (" NaN ", ""),
        (None, ""),
        ("1,234,567", "1234567"),
        ("$3.50", "3.5"),
        ("50%", "0.5"),
        ("200%", "2"),
        ("0.12345678", "0.123457"),
        ("-0.0000001", "0"),
        ("007", "7"),
        ("**Bold Text**", "boldtext"),
        ("%", "%"),
        ("inf", "inf"),
        ("3 %", "0.03"),
        (2.0, "2"),
    ],
)
def test_cells_are_normalised(cell: object, expected: str) -> None:
    assert normalize_cell(cell) == expected


def test_the_first_fenced_block_is_parsed() -> None:
    text = "Here:\n```tsv\nCity Name\tPop\n\nParis\t2\n```\n```\nx\ny\n```"
    assert parse_table(text) == make_table(["cityname", "pop"], [["paris", "2"]])


def test_a_bare_table_is_parsed_and_short_rows_are_filled() -> None:
    assert parse_table("a\tb\nx") == make_table(["a", "b"], [["x", ""]])


@pytest.mark.parametrize("text", ["", "  \n ", "a\nx\ty", "``` ```"])
def test_a_text_that_is_no_table_parses_to_none(text: str) -> None:
    assert parse_table(text) is None


def test_repeated_columns_are_told_apart() -> None:
    assert make_table(["a", "A ", "b"], []).columns == ("a", "a.1", "b")


def test_set_f1_ignores_repeats() -> None:
    overlap = score_set(["a", "a", "b", "x"], ["a", "b"])
    assert overlap.precision == pytest.approx(2 / 3)
    assert overlap.recall == 1.0
    assert overlap.f1 == pytest.approx(0.8)


def test_list_order_counts_matching_blocks() -> None:
    assert score_list(["b", "a", "c"], ["a", "b", "c"]) == (1.0, 0.6667)


def test_table_rows_are_compared_on_shared_columns_and_items_on_all() -> None:
    gold = make_table(CITIES["columns"], CITIES["rows"])
    predicted = make_table(["city", "area"], [["paris", "1"], ["rome", "2"]])
    rows, items = score_table(predicted, gold)
    assert rows.f1 == 1.0
    assert items.f1 == 0.5


def test_tables_without_a_shared_column_score_zero() -> None:
    gold = make_table(["city"], [["Paris"]])
    rows, items = score_table(make_table(["town"], [["Paris"]]), gold)
    assert rows.f1 == items.f1 == 0.0


def test_overall_match_of_a_set_looks_at_the_first_column() -> None:
    gold = make_table(["n", "name"], [["1", "a"], ["2", "b"]])
    predicted = make_table(["n", "name"], [["2", "x"], ["1", "y"]])
    figures = gisa_metrics(predicted, gold, "set")
    assert (figures["em"], figures["f1"]) == (1.0, 0.0)


def test_item_answer_is_right_whatever_its_header() -> None:
    found = score("answer\n1,200", "item", {"columns": ["n"], "rows": [["1200"]]})
    assert found.value == 1.0
    assert found.metrics == {"gisa/item_em": 1.0, "gisa/em": 1.0}


def test_a_shuffled_list_earns_less_than_the_list() -> None:
    gold = {"columns": ["x"], "rows": [["a"], ["b"], ["c"]]}
    assert score("x\na\nb\nc", "list", gold).value == 1.0
    assert score("x\nb\na\nc", "list", gold).value == pytest.approx((1 + 0.6667) / 2)


def test_a_table_with_one_column_only_does_not_earn_full_marks() -> None:
    found = score("city\nParis\nRome", "table", CITIES)
    assert found.metrics["gisa/row_f1"] == 1.0
    assert found.value == pytest.approx((1 + 2 / 3) / 2)


def test_values_shuffled_between_rows_do_not_earn_full_marks() -> None:
    found = score("city\tpop\nParis\t2.8\nRome\t2.1", "table", CITIES)
    assert found.metrics["gisa/item_f1"] == 1.0
    assert found.value == 0.5


@pytest.mark.parametrize("answer", [None, "", "header only", "a\nx\ty"])
@pytest.mark.parametrize("answer_type", ["item", "set", "list", "table"])
def test_an_answer_without_rows_scores_zero(answer: str | None, answer_type: str) -> None:
    assert score(answer, answer_type, CITIES).value == 0.0


def test_a_task_without_a_gold_table_is_an_error() -> None:
    with pytest.raises(RewardError, match="gold_table"):
        score("a\nb", "set", None)
    with pytest.raises(RewardError, match="answer_type"):
        score("a\nb", "tree", CITIES)


def test_the_term_is_granted_at_the_end() -> None:
    term = GisaAnswer()
    assert isinstance(term, RewardTerm)
    assert (term.name, term.grant) == ("gisa", "outcome")
