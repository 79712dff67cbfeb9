from __future__ import annotations

import numpy as np

from rmgym.testing import malformed_actions
from rmgym.testing.echo import TOOLS
from rmgym.testing.malformed import KINDS


def drawn(seed: int, n: int) -> list[str]:
    return list(malformed_actions(np.random.default_rng(seed), n))


def test_same_seed_gives_the_same_actions() -> None:
    assert drawn(1, KINDS) == drawn(1, KINDS)
    assert drawn(1, KINDS) != drawn(2, KINDS)


def test_number_is_exact() -> None:
    assert [len(drawn(0, n)) for n in (0, 1, KINDS + 1)] == [0, 1, KINDS + 1]


def test_one_round_holds_every_kind_of_trouble() -> None:
    actions = drawn(0, KINDS)
    assert "" in actions
    assert max(map(len, actions)) > 1_000_000
    assert any("\x00" in text for text in actions)
    assert any("\ud800" <= letter <= "\udfff" for text in actions for letter in text[:60])
    assert any("[" * 50 in text or '{"a":' * 50 in text for text in actions)
    assert any("9" * 300 in text for text in actions)
    assert any("<tool_call>{</tool_call>" in text or "<tool_call>" in text for text in actions)


def test_names_of_given_tools_are_used() -> None:
    rng = np.random.default_rng(0)
    actions = list(malformed_actions(rng, 3 * KINDS, tools=TOOLS))
    assert any("<leave>" in text for text in actions)
    assert any('"word"' in text for text in actions)
