"""The table of adapters: which function answers which worked case.

An adapter takes a case's inputs and returns what the case expects, in the same shape. A family of
methods is one module of this folder; every module here is imported when the table is first read.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeAlias

Inputs: TypeAlias = Mapping[str, Any]
Adapter: TypeAlias = Callable[[Inputs], object]

_ADAPTERS: dict[tuple[str, str], Adapter] = {}


def adapter(method: str, variant: str = "*") -> Callable[[Adapter], Adapter]:
    """Register a function for the cases of a method whose variant fits.

    Args:
        method: The case's method, exactly.
        variant: The case's variant; `*` stands for any text, everything else for itself.

    Raises:
        ValueError: If another function has the same method and variant.
    """

    def register(function: Adapter) -> Adapter:
        if (method, variant) in _ADAPTERS:
            raise ValueError(
                f"expected one adapter for method {method!r}, variant {variant!r}, got a second: "
                f"{function.__name__}"
            )
        _ADAPTERS[method, variant] = function
        return function

    return register


def find_adapter(method: str, variant: str) -> Adapter | None:
    """Return the adapter of a case, or None; the pattern with most fixed text wins."""
    _load_families()
    fitting = [
        pattern
        for known, pattern in _ADAPTERS
        if known == method and _pattern(pattern).fullmatch(variant)
    ]
    if not fitting:
        return None
    return _ADAPTERS[method, max(fitting, key=lambda pattern: len(pattern.replace("*", "")))]


@cache
def _load_families() -> None:
    package = __package__ or "rmgym.testing.cases"
    folder = importlib.import_module(package).__path__
    for module in sorted(found.name for found in pkgutil.iter_modules(folder)):
        importlib.import_module(f"{package}.{module}")


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
