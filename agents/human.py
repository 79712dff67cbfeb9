"""A person at the terminal as a policy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from rmgym.agents.text import TextPolicy
from rmgym.errors import PolicyError
from rmgym.trajectory import Context


class HumanPolicy(TextPolicy):
    """Shows what is new and reads a turn from the terminal.

    A turn ends with an empty line, so that it may have several lines.

    Args:
        show: Called with each context before the person speaks; by default prints what is new.
        source: Where the turn is read from; standard input by default.
    """

    def __init__(
        self, show: Callable[[Context], None] | None = None, source: TextIO | None = None
    ) -> None:
        self._show = show or _print_new
        self._source = source

    def say(self, context: Context) -> str:
        """Show the new messages and return what the person writes.

        Raises:
            PolicyError: If the input ends before a turn is written.
        """
        self._show(context)
        source = self._source or sys.stdin
        lines: list[str] = []
        for line in source:
            if not line.strip() and lines:
                break
            if line.strip():
                lines.append(line.rstrip("\n"))
        if not lines:
            raise PolicyError("expected a turn from the terminal, got the end of the input")
        return "\n".join(lines)


def _print_new(context: Context) -> None:
    for said in context.observation:
        sys.stdout.write(f"[{said['role']}]\n{said['content']}\n\n")
    sys.stdout.write("Your turn (end with an empty line):\n")
    sys.stdout.flush()
