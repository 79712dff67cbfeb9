from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from rmgym.errors import MissingExtraError, RubricError
from rmgym.judges.rubrics import example_rubrics, load_example, load_rubric, rubric_of
from rmgym.judges.rules import RuledCriterion

GOOD = """\
name: short-answer
criteria:
  - name: town
    text: Names the town of birth.
    weight: 2
    choices: [no, partly, yes]
    rule: {contains: [Ulm]}
    rules:
      partly: {contains: [Germany], max_words: 20}
  - name: on_topic
    text: Keeps to the question.
    fact: off the point
"""


def write(folder: Path, text: str, name: str = "rubric.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_yaml_rubric_with_rules(tmp_path: Path) -> None:
    text = GOOD.replace("    fact: off the point\n", "")
    rubric = load_rubric(write(tmp_path, text))
    town, on_topic = rubric.criteria
    assert isinstance(town, RuledCriterion)
    assert (rubric.name, town.weight, town.choices) == (
        "short-answer",
        2,
        ("no", "partly", "yes"),
    )
    assert [town.decide(said) for said in ("Ulm", "Germany", "x")] == ["yes", "partly", "no"]
    assert (on_topic.weight, on_topic.choices) == (1, ("no", "yes"))


def test_json_says_the_same(tmp_path: Path) -> None:
    data = {"name": "r", "criteria": [{"name": "c", "text": "Is it?", "rule": {"number": 3}}]}
    assert load_rubric(write(tmp_path, json.dumps(data), "r.json")) == rubric_of(data)


def test_errors_name_file_and_place(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    with pytest.raises(RubricError, match=r"rubric\.yaml: criteria\[1\]\.fact: expected true"):
        load_rubric(path)


def criterion(**changes: Any) -> dict[str, Any]:
    return {"name": "c", "text": "Is it?"} | changes


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ([], "expected keys and values"),
        ({"name": "r"}, r"none of \['criteria'\]"),
        ({"name": "r", "criteria": [], "extra": 1}, r"unknown \['extra'\]"),
        ({"name": "r", "criteria": []}, "list of criteria"),
        ({"name": " ", "criteria": [criterion()]}, "name: expected a text"),
        ({"name": "r", "criteria": ["c"]}, r"criteria\[0\]: expected keys"),
        ({"name": "r", "criteria": [criterion(heft=2)]}, r"criteria\[0\].*heft"),
        ({"name": "r", "criteria": [criterion(weight=0)]}, r"\.weight: expected a positive"),
        ({"name": "r", "criteria": [criterion(weight=-1)]}, r"\.weight: expected a positive"),
        ({"name": "r", "criteria": [criterion(weight="2")]}, r"\.weight: expected a finite"),
        ({"name": "r", "criteria": [criterion(weight=True)]}, r"\.weight: expected a finite"),
        ({"name": "r", "criteria": [criterion(weight=float("inf"))]}, "finite"),
        ({"name": "r", "criteria": [criterion(), criterion()]}, r"unique names.*'c'"),
        ({"name": "r", "criteria": [criterion(choices=["yes"])]}, "two or more"),
        ({"name": "r", "criteria": [criterion(choices=["a", "a"])]}, "each once"),
        ({"name": "r", "criteria": [criterion(choices="ab")]}, "list of texts"),
        ({"name": "r", "criteria": [criterion(text=3)]}, r"\.text: expected a text"),
        ({"name": "r", "criteria": [criterion(rule={})]}, r"rules\.yes: expected a condition"),
        ({"name": "r", "criteria": [criterion(rule={"has": ["x"]})]}, "unknown"),
        ({"name": "r", "criteria": [criterion(rule={"contains": "x"})]}, "list of texts"),
        ({"name": "r", "criteria": [criterion(rule={"pattern": "("})]}, "regular expression"),
        ({"name": "r", "criteria": [criterion(rules={"no": {"contains": ["x"]}})]}, "unknown"),
        (
            {
                "name": "r",
                "criteria": [criterion(rule={"number": 1}, rules={"yes": {"number": 2}})],
            },
            "one rule of 'yes'",
        ),
    ],
)
def test_what_is_not_a_rubric_is_refused(data: object, complaint: str) -> None:
    with pytest.raises(RubricError, match=complaint):
        rubric_of(data)


def entity_rubric(*texts: str) -> dict[str, Any]:
    return {
        "name": "r",
        "criteria": [{"name": f"c{i}", "text": text} for i, text in enumerate(texts)],
    }


def test_entities_are_read_off_the_text() -> None:
    rubric = rubric_of(entity_rubric("<E1> was born in <E0>.", "<E1> built it."))
    assert [c.entities for c in rubric.criteria] == [("E1", "E0"), ("E1",)]


def test_a_statement_naming_no_entity_is_refused_since_it_can_never_be_reached() -> None:
    with pytest.raises(RubricError, match=r"criteria\[1\] \('c1'\).*can never be reached"):
        rubric_of(entity_rubric("<E1> was born in <E0>.", "It is old."))


def test_statements_that_no_chain_joins_to_the_answer_are_refused() -> None:
    with pytest.raises(RubricError, match=r"none to \['c1'\]"):
        rubric_of(entity_rubric("<E1> was born in <E0>.", "<E2> built <E3>."))
    with pytest.raises(RubricError, match=r"none to \['c0'\]"):
        rubric_of(entity_rubric("<E1> was born."))


def test_listed_entities_must_agree_with_the_text() -> None:
    data = entity_rubric("<E1> was born in <E0>.")
    data["criteria"][0]["entities"] = ["E0"]
    with pytest.raises(RubricError, match=r"entities: expected the gaps"):
        rubric_of(data)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("r.yaml", "name: r\nname: s\n", "line 1: expected each key once"),
        ("r.json", '{"name": "r", "name": "s"}', "each key once"),
        ("r.yaml", "name: [", "expected YAML"),
        ("r.yaml", "a: !!python/object/apply:os.getcwd []", "expected YAML"),
        ("r.yaml", "!!map [a]", "expected YAML"),
        ("r.yaml", "? [a]\n: b", "expected YAML|unknown"),
        ("r.json", "{", "expected JSON"),
        ("r.toml", "", "ending in .yaml"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    with pytest.raises(RubricError, match=complaint):
        load_rubric(write(tmp_path, text, name))


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(b"name: \xff")
    with pytest.raises(RubricError, match="UTF-8"):
        load_rubric(path)


def test_without_yaml_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"rmgym\[judges\]"):
        load_rubric(write(tmp_path, GOOD))


def test_the_rubrics_that_come_with_the_package_are_sound() -> None:
    assert example_rubrics() == ["cited_chain", "research_report", "search_step"]
    for name in example_rubrics():
        assert load_example(name).criteria
    assert sum(c.weight for c in load_example("search_step").criteria) == pytest.approx(1.0)
    with pytest.raises(KeyError, match="cited_chain"):
        load_example("other")
