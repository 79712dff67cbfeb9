from __future__ import annotations

import importlib
from dataclasses import fields
from typing import Any

import pytest

from rmgym.rewards._methods import METHODS, cards


def target(name: str) -> Any:
    module, attribute = METHODS[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def test_every_method_has_a_card_in_order() -> None:
    assert [card.name for card in cards()] == list(METHODS) == sorted(METHODS)


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_a_card_says_what_the_method_is(card: Any) -> None:
    found = target(card.name)
    assert found.__doc__
    is_term = isinstance(found, type) and hasattr(found, "grant")
    assert is_term is (card.grant in ("turn", "outcome", "parts"))
    if is_term and card.grant != "parts":
        granted = _grant_of(found)
        assert granted == card.grant or hasattr(found, "per_turn")


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_stand_ins_live_under_experimental_and_carry_a_name_of_ours(card: Any) -> None:
    if card.paper.startswith("stand-in") and "experimental" in METHODS[card.name]:
        paper = card.paper.removeprefix("stand-in for ").split("'")[0].lower()
        assert card.confidence == "reconstructed"
        assert card.name.replace("_", "") not in paper.replace("-", "").replace(" ", "")
    if "experimental" in METHODS[card.name]:
        assert card.paper.startswith("stand-in for ")


@pytest.mark.parametrize("name", ["ppr", "delta", "r3rag"])
def test_hindsight_methods_are_marked_in_their_equation(name: str) -> None:
    card = next(card for card in cards() if card.name == name)
    assert "at the end" in card.equation
    assert hasattr(target(name), "per_turn")


def _grant_of(term: Any) -> str:
    """Return the grant of a term's class: a property, or the default of a field."""
    if isinstance(term.grant, property):
        return str(term.grant.fget(None)) if term.grant.fget else ""
    return next(str(field.default) for field in fields(term) if field.name == "grant")
