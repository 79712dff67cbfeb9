from __future__ import annotations

from pathlib import Path

from rmgym import advantages, rewards
from rmgym.cli.methods import methods_page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "methods.md"


def test_the_page_in_docs_is_what_the_registries_say() -> None:
    assert PAGE.read_text() == methods_page()


def test_every_registered_name_has_a_row() -> None:
    rows = {
        line.split("|")[1].strip().split(" ")[0]
        for line in methods_page().splitlines()
        if "|" in line
    }
    assert {*rewards.names(), *advantages.names()} <= rows
