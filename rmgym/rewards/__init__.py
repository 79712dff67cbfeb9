"""Reward terms: one a file, by name.

`get(name)` returns what is registered, `make(name, **arguments)` a ready reward term, `cards()` the
table of all methods: what each needs, its equation, its source, and how far it can be trusted.
A name in `gym.make(..., rewards=["em", ("information_gain", 0.5)])` means `make(name)`.
"""

from __future__ import annotations

from typing import Any, cast

from rmgym.protocols import RewardTerm
from rmgym.registry import Registry
from rmgym.rewards._methods import METHODS, MethodCard, cards

_REWARDS = Registry(
    "reward",
    METHODS
    | {
        "em": "rmgym.rewards.answers:ExactMatch",
        "f1": "rmgym.rewards.answers:TokenF1",
        "subem": "rmgym.rewards.answers:SubExactMatch",
        "igpo_f1": "rmgym.rewards.answers:IgpoOutcome",
        "format": "rmgym.rewards.format_term:ReadableTurn",
        "gisa": "rmgym.rewards.gisa:GisaAnswer",
        "format_em": "rmgym.rewards.format_shaped:FormatShapedExactMatch",
        "information_gain": "rmgym.rewards.information_gain:information_gain",
    },
)

names = _REWARDS.names
get = _REWARDS.get
register = _REWARDS.register


def make(name: str, **arguments: Any) -> RewardTerm:
    """Return the reward term registered under `name`, built with `arguments`.

    Raises:
        KeyError: If no reward has that name.
        TypeError: If what is registered needs other arguments.
    """
    return cast(RewardTerm, get(name)(**arguments))


__all__ = ["MethodCard", "cards", "get", "make", "names", "register"]
