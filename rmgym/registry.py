"""Names for things that are imported when first asked for."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from typing import Any


class Registry:
    """Maps names to objects given as `module:attribute`.

    Args:
        kind: What is registered, for error messages, e.g. "reward".
        entries: `module:attribute` by name.
    """

    def __init__(self, kind: str, entries: Mapping[str, str]) -> None:
        self.kind = kind
        self._entries = dict(entries)

    def names(self) -> list[str]:
        """Return the registered names, sorted."""
        return sorted(self._entries)

    def register(self, name: str, target: str) -> None:
        """Add a name.

        Raises:
            ValueError: If the name is taken or `target` is not `module:attribute`.
        """
        if name in self._entries:
            raise ValueError(f"expected a new name of a {self.kind}, got {name!r} again")
        if target.count(":") != 1:
            raise ValueError(f"expected 'module:attribute', got {target!r}")
        self._entries[name] = target

    def get(self, name: str) -> Any:
        """Return the object registered under `name`.

        Raises:
            KeyError: If there is none; names the nearest.
        """
        if name not in self._entries:
            near = difflib.get_close_matches(name, self._entries, n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise KeyError(f"expected a registered {self.kind}, got {name!r}{hint}")
        module, attribute = self._entries[name].split(":")
        return getattr(importlib.import_module(module), attribute)
