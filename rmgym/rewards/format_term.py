"""The format term: what a turn that cannot be read costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.protocols import Grant
from rmgym.trajectory import Context


@dataclass(frozen=True, slots=True)
class ReadableTurn:
    """-1 for a turn that the environment could not read (`event["kind"]` "invalid"), else 0."""

    name: str = "format"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return the raw score of each context's last turn."""
        return [
            -1.0 if context.last.info["event"].get("kind") == "invalid" else 0.0
            for context in contexts
        ]
