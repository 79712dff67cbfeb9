"""Rubrics as data: YAML or JSON files, checked as they are read.

    name: short-answer
    criteria:
      - name: town
        text: Names the town of birth.
        weight: 2                        # positive; 1 if left out
        choices: [no, partly, yes]       # worst to best; [no, yes] if left out
        rule: {contains: [Ulm]}          # what the best choice demands; may be left out
        rules: {partly: {contains: [Germany]}}   # what other choices demand
        fact: false                      # true if the text is itself what a good answer says

Statements with gaps such as `<E1>` make a citation rubric (CaRR): then every statement must name an
entity, and a chain of statements must join it to `<E0>`, the answer. `entities: [E0, E1]` may
repeat the gaps, and must agree with them.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from rmgym.errors import MissingExtraError, RubricError
from rmgym.judges.rules import Rule, RuledCriterion
from rmgym.protocols import Rubric
from rmgym.rewards.carr import placeholders, rubric_graph

_RUBRIC_KEYS = ("name", "criteria")
_CRITERION_KEYS = ("name", "text", "weight", "choices", "entities", "rule", "rules", "fact")
_TEXT_LISTS = ("equals", "contains", "contains_all", "absent")
_TEXTS = ("pattern", "overlap")
_NUMBERS = ("number", "tolerance", "at_least", "max_words")
_ROOT = "E0"


def load_rubric(path: str | Path) -> Rubric:
    """Return the rubric of a `.yaml`, `.yml` or `.json` file.

    Raises:
        RubricError: If the file is not such a rubric; names the file and the place.
        MissingExtraError: If YAML is asked for without the extra "judges".
        OSError: If the file cannot be read.
    """
    path = Path(path)
    try:
        return rubric_of(_parse(path.read_text(encoding="utf-8-sig"), path.suffix.lower()))
    except UnicodeDecodeError as error:
        raise RubricError(f"{path}: expected UTF-8, got {error.reason}") from None
    except RubricError as error:
        raise RubricError(f"{path}: {error}") from None


def example_rubrics() -> list[str]:
    """Return the names of the rubrics that come with the package."""
    folder = files("rmgym.judges") / "data"
    found = [f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")]
    return sorted(found)


def load_example(name: str) -> Rubric:
    """Return a rubric that comes with the package.

    Raises:
        KeyError: If there is none of that name.
    """
    if name not in example_rubrics():
        raise KeyError(f"expected one of the rubrics {example_rubrics()}, got {name!r}")
    text = (files("rmgym.judges") / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    return rubric_of(_parse(text, ".yaml"))


def rubric_of(data: object) -> Rubric:
    """Return the rubric that parsed data describes.

    Raises:
        RubricError: If a key is unknown, doubled or missing; a value has another type; a name is
            there twice; a weight is not positive; a rule decides no choice; or a statement of a
            citation rubric cannot be reached from the answer. Names the place.
    """
    top = _mapping("the rubric", data, _RUBRIC_KEYS, _RUBRIC_KEYS)
    name = _text("name", top["name"])
    entries = top["criteria"]
    if not isinstance(entries, list) or not entries:
        raise RubricError(f"expected a list of criteria, got {_short(entries)}")
    criteria = tuple(_criterion(f"criteria[{i}]", entry) for i, entry in enumerate(entries))
    if any(criterion.entities for criterion in criteria):
        _check_reach(criteria)
    return Rubric(name=name, criteria=criteria)


def _criterion(where: str, data: object) -> RuledCriterion:
    entry = _mapping(where, data, _CRITERION_KEYS, ("name", "text"))
    text = _text(f"{where}.text", entry["text"])
    weight = _number(f"{where}.weight", entry.get("weight", 1))
    if weight <= 0:
        raise RubricError(f"{where}.weight: expected a positive number, got {weight:g}")
    choices = tuple(_text_list(f"{where}.choices", entry.get("choices", ["no", "yes"])))
    if len(choices) < 2 or len(set(choices)) < len(choices):
        raise RubricError(f"{where}.choices: expected two or more, each once, got {list(choices)}")
    is_fact = entry.get("fact", False)
    if not isinstance(is_fact, bool):
        raise RubricError(f"{where}.fact: expected true or false, got {_short(is_fact)}")
    return RuledCriterion(
        name=_text(f"{where}.name", entry["name"]),
        text=text,
        weight=weight,
        choices=choices,
        entities=_entities(where, text, entry),
        rules=_rules(where, entry, choices),
        is_fact=is_fact,
    )


def _entities(where: str, text: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    named = placeholders(text)
    listed = _text_list(f"{where}.entities", entry.get("entities", named))
    if sorted(listed) != sorted(named):
        raise RubricError(
            f"{where}.entities: expected the gaps of the text, {named}, got {listed}; write each "
            "entity into the text as <E0>, <E1>, ..."
        )
    return tuple(named)


def _rules(
    where: str, entry: Mapping[str, Any], choices: tuple[str, ...]
) -> tuple[tuple[str, Rule], ...]:
    declared = entry.get("rules", {})
    found = dict(_mapping(f"{where}.rules", declared, choices[1:], ()))
    if "rule" in entry:
        if choices[-1] in found:
            raise RubricError(f"{where}: expected one rule of {choices[-1]!r}, got two")
        found[choices[-1]] = entry["rule"]
    return tuple(
        (choice, _rule(f"{where}.rules.{choice}", found[choice]))
        for choice in choices
        if choice in found
    )


def _rule(where: str, data: object) -> Rule:
    entry = _mapping(where, data, (*_TEXT_LISTS, *_TEXTS, *_NUMBERS), ())
    given: dict[str, Any] = {}
    for key, value in entry.items():
        if key in _TEXT_LISTS:
            given[key] = tuple(_text_list(f"{where}.{key}", value))
        elif key in _TEXTS:
            given[key] = _text(f"{where}.{key}", value)
        else:
            given[key] = _number(f"{where}.{key}", value)
    try:
        return Rule(**given)
    except RubricError as error:
        raise RubricError(f"{where}: {error}") from None


def _check_reach(criteria: tuple[RuledCriterion, ...]) -> None:
    """Check that each statement of a citation rubric could count.

    Raises:
        RubricError: If one names no entity, or no chain of statements joins it to the answer.
    """
    for i, criterion in enumerate(criteria):
        if not criterion.entities:
            raise RubricError(
                f"criteria[{i}] ({criterion.name!r}): expected an entity such as <E0> in the text, "
                "got none; a statement that names no entity can never be reached from the answer "
                "and would lower every score for good"
            )
    entities = [criterion.entities for criterion in criteria]
    names = {entity: "x" for row in entities for entity in row}
    reached = rubric_graph(entities, [True] * len(criteria), names, _ROOT).connected
    lost = [c.name for i, c in enumerate(criteria) if i not in reached]
    if lost:
        raise RubricError(
            f"expected a chain of statements from <{_ROOT}>, the answer, to each one, got none to "
            f"{lost}; they could never count"
        )


def _parse(text: str, suffix: str) -> object:
    if suffix == ".json":
        try:
            return json.loads(text, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            if isinstance(error, RubricError):
                raise
            raise RubricError(f"expected JSON, got {error}") from None
    if suffix in (".yaml", ".yml"):
        return _parse_yaml(text)
    raise RubricError(f"expected a file ending in .yaml, .yml or .json, got {suffix!r}")


def _parse_yaml(text: str) -> object:
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError:
        raise MissingExtraError("Reading rubrics from YAML", "judges") from None
    try:
        return yaml.load(text, _yaml_loader(yaml))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, RubricError):
            raise
        raise RubricError(f"expected YAML, got {' '.join(str(error).split())}") from None


def _yaml_loader(yaml: Any) -> Any:
    """Return a safe loader that reads yes, no, on and off as words, and no key twice."""

    def construct_mapping(self: Any, node: Any, deep: bool = False) -> Any:
        if isinstance(node, yaml.MappingNode):
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            doubled = [str(key) for i, key in enumerate(keys) if key in keys[:i]]
            if doubled:
                line = node.start_mark.line + 1
                raise RubricError(f"line {line}: expected each key once, got {doubled} twice")
        return yaml.SafeLoader.construct_mapping(self, node, deep)

    resolvers = {
        first: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:bool" or first in "tTfF"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    members = {"yaml_implicit_resolvers": resolvers, "construct_mapping": construct_mapping}
    return type("RubricLoader", (yaml.SafeLoader,), members)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise RubricError(f"expected each key once, got {doubled} twice")
    return dict(pairs)


def _mapping(
    where: str, data: object, allowed: tuple[str, ...], required: tuple[str, ...]
) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise RubricError(f"{where}: expected keys and values, got {_short(data)}")
    strangers = [str(key) for key in data if key not in allowed]
    missing = [key for key in required if key not in data]
    if strangers or missing:
        raise RubricError(
            f"{where}: expected keys of {list(allowed)}, got the unknown {strangers} and none of "
            f"{missing}"
        )
    return data


def _text(where: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RubricError(f"{where}: expected a text, got {_short(value)}")
    return value.strip()


def _text_list(where: str, value: object) -> list[str]:
    if not isinstance(value, list):
        raise RubricError(f"{where}: expected a list of texts, got {_short(value)}")
    return [_text(f"{where}[{i}]", item) for i, item in enumerate(value)]


def _number(where: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RubricError(f"{where}: expected a finite number, got {_short(value)}")
    return value


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."
