"""Scripted players of `Negotiation`: they read the rules and the prices, and follow a plan."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence

from rmgym.parsing import ActionFormat
from rmgym.trajectory import Completion, Context

_SEAT = re.compile(r"You are the (seller|buyer) ")
_LIMIT = re.compile(r"(?:cost you|it is worth) (\d+)\.")
_OFFER = re.compile(r"The (?:seller|buyer) offers (\d+)\.")


class Negotiator:
    """Accepts a price that is at least as good as its own next one, else names that.

    Args:
        rounds: How often each seat speaks.
        margin: The gain that it asks for in its first offer.
        action_format: "tags" or "tool_call".
    """

    def __init__(
        self, *, rounds: int = 4, margin: int = 30, action_format: ActionFormat = "tags"
    ) -> None:
        self.rounds = rounds
        self.margin = margin
        self._is_tool_call = action_format == "tool_call"

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return one turn for each context."""
        return [Completion(text=self._turn(context)) for context in contexts]

    @abstractmethod
    def gain(self, turn: int) -> int:
        """Return the gain to ask for in a turn, counted from 0."""

    def _turn(self, context: Context) -> str:
        said = [each["content"] for each in context.messages if each["role"] == "user"]
        seat, limit = _SEAT.match(said[0]), _LIMIT.search(said[0])
        if seat is None or limit is None:
            raise ValueError(f"expected the rules of a negotiation, got {said[0][:80]!r}")
        sign = 1 if seat[1] == "seller" else -1
        price = min(max(int(limit[1]) + sign * self.gain(len(context.turns)), 0), 100)
        offers = [int(found[1]) for text in said[1:] if (found := _OFFER.fullmatch(text))]
        if offers and sign * (offers[-1] - price) >= 0:
            return self._write("accept", None)
        return self._write("offer", price)

    def _write(self, name: str, price: int | None) -> str:
        if self._is_tool_call:
            arguments = "{}" if price is None else f'{{"price": {price}}}'
            return f'<tool_call>{{"name": "{name}", "arguments": {arguments}}}</tool_call>'
        return f"<{name}/>" if price is None else f"<{name}>{price}</{name}>"


class Stubborn(Negotiator):
    """Asks for the same gain to the end."""

    def gain(self, turn: int) -> int:
        """Return the margin."""
        return self.margin


class Conceder(Negotiator):
    """Gives way in equal steps, down to no gain in the last round."""

    def gain(self, turn: int) -> int:
        """Return what is left of the margin."""
        left = max(self.rounds - 1 - turn, 0)
        return self.margin * left // max(self.rounds - 1, 1)
