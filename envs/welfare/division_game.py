"""Modes `budget` and `indivisible` in words: a budget or items, divided among recipients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rmgym.conversation import Facts, Reply
from rmgym.envs.welfare.division import TOLERANCE, Division, DivisionState
from rmgym.envs.welfare.envy import ef1_holds, envy_of_budget, most_envy
from rmgym.envs.welfare.view import View, profile_table, value_table
from rmgym.errors import ParseError
from rmgym.protocols import Call, Tool
from rmgym.rewards.welfare import gini, nash

ALLOCATE_TOOL = Tool(
    name="allocate",
    description="divide the budget: an amount for each recipient by name",
    parameters={"amounts": {"type": "object", "description": "from names to amounts"}},
    required=("amounts",),
    text_argument="amounts",
)
BUDGET_RULES = """\
You divide money. Flow {flow} holds {rounds} budget(s) of {budget:g}, to be divided among {n} \
recipients. A recipient with need w gets the utility w * x^{curvature:g} from an amount x, and \
utilities add up. Write an amount of at least 0 for each name, {budget:g} in all, as in \
<allocate>{{"name": amount, ...}}</allocate>; who is not named gets 0."""
ITEM_RULES = """\
You divide things. Flow {flow} holds {rounds} items, which come one after another, and {n} \
recipients. Name who gets the item that is shown, as in <agent>name</agent>. What an item is worth \
to whom stands in its table; the utility of a recipient is the sum over their items."""


@dataclass(slots=True)
class DivisionGame:
    """One division as a conversation.

    Args:
        kind: "budget" or "indivisible".
        flow: Number of the flow.
        state: The simulator.
        view: What is shown.
    """

    kind: Division
    flow: int
    state: DivisionState
    view: View
    turns: int = 0
    shown_as: str = ""
    """Name of the view."""
    _index: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Prepare the names."""
        self.shown_as = self.view.digest
        self._index = {name.casefold(): i for i, name in enumerate(self.view.names)}

    def opening(self) -> str:
        """Return the rules and what comes first."""
        rules = self.state.rules
        form = BUDGET_RULES if self.kind == "budget" else ITEM_RULES
        text = form.format(
            flow=self.flow,
            rounds=len(self.state.worth),
            n=len(self.view.names),
            budget=rules.budget,
            curvature=rules.curvature,
        )
        table = [profile_table(self.view)] if self.view.groups else []
        return "\n\n".join([text, *self.view.notes, *table, self._next()])

    def check(self, call: Call) -> None:
        """Hold a call against recipients and budget.

        Raises:
            ParseError: If it names somebody else, or the amounts do not make up the budget.
        """
        if self.kind == "budget":
            self._amounts(call)
        elif call.text.strip().casefold() not in self._index:
            raise ParseError("expected the name of one recipient, got another")

    def _amounts(self, call: Call) -> list[float]:
        given: Mapping[str, Any] = call.arguments["amounts"]
        amounts, budget = [0.0] * len(self.view.names), self.state.rules.budget
        for name, amount in given.items():
            place = self._index.get(name.strip().casefold())
            if place is None:
                raise ParseError("expected the names of the recipients, got another")
            if isinstance(amount, bool) or not isinstance(amount, (int, float)):
                raise ParseError("expected a number as each amount, got something else")
            if not 0 <= amount <= 2 * budget:
                raise ParseError(f"expected amounts from 0 to {budget:g}, got another")
            amounts[place] += float(amount)
        if abs(sum(amounts) - budget) > TOLERANCE * budget:
            raise ParseError(
                f"expected amounts that sum to {budget:g}, got a sum of {sum(amounts):g}"
            )
        return amounts

    def play(self, call: Call) -> Reply:
        """Divide the round's budget, or give the item."""
        self.turns += 1
        if self.kind == "budget":
            self.state.divide(self._amounts(call))
            said, who = "The budget is divided.", None
        else:
            who = self._index[call.text.strip().casefold()]
            value = self.state.give(who)
            said = f"Item {self.state.round} went to {self.view.names[who]}, worth {value:g}."
        shown = self.state.ended or self.state.round % self.view.every == 0
        table = [value_table(self.view, "utility so far", self.state.utilities)] if shown else []
        return Reply(
            messages=({"role": "user", "content": "\n\n".join([said, *table, self._next()])},),
            stop_reason="all_given" if self.state.ended else None,
            event=self._event("give" if who is not None else "allocate", who),
            metrics=self.metrics(),
        )

    def explain(self, error: ParseError) -> Reply:
        """Say what was expected; the turn is spent and nothing is given."""
        self.turns += 1
        text = f"Nothing was given ({error}).\n\n{self._next()}"
        return Reply(
            messages=({"role": "user", "content": text},),
            event=self._event("invalid", None),
            metrics=self.metrics(),
        )

    def facts(self) -> dict[str, Any]:
        """Return the hidden facts of the division."""
        return {"mode": self.kind, "flow": self.flow, "worth": self.state.worth}

    def _event(self, kind: str, member: int | None) -> Facts:
        stands: dict[str, Any] = {"kind": kind, "utilities": tuple(self.state.utilities)}
        return Facts(stands if member is None else {**stands, "member": member})

    def metrics(self) -> dict[str, float]:
        """Return figures so far; whether there is envy, once everything is given."""
        state = self.state
        utilities = np.array(state.utilities)
        figures = {
            "total": float(utilities.sum()),
            "least": float(utilities.min()),
            "nash": float(nash(utilities)),
            "fairness": 1.0 - float(gini(utilities)),
        }
        if state.ended and self.kind == "indivisible":
            figures["most_envy"] = most_envy(state.worth, state.owners)
            figures["ef1"] = float(ef1_holds(state.worth, state.owners))
        elif state.ended:
            figures["most_envy"] = envy_of_budget(state.worth, state.amounts, state.rules.curvature)
        return figures

    def given(self) -> list[float]:
        """Return the amount, or the number of items, that each recipient has."""
        n = len(self.view.names)
        if self.kind == "budget":
            return [sum(amounts[i] for amounts in self.state.amounts) for i in range(n)]
        return [float(self.state.owners.count(i)) for i in range(n)]

    def state_key(self) -> str:
        """Name the state by the flow, the view, and who has what."""
        state = self.state
        return (
            f"{self.kind}/{self.flow}/{self.shown_as}/{self.turns}/{state.round}/"
            f"{state.utilities}/{state.owners}/{state.amounts}"
        )

    def _next(self) -> str:
        state = self.state
        if state.ended:
            return "Everything is given."
        what = "Budget" if self.kind == "budget" else "Item"
        title = "need" if self.kind == "budget" else "value"
        table = value_table(self.view, title, state.worth[state.round])
        return f"{what} {state.round + 1} of {len(state.worth)}:\n{table}"
