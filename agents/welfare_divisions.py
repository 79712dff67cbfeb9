"""Scripted policies for the welfare environment's modes `budget`, `indivisible` and `dilemma`.

And the factories by which every mode's policies are found.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmgym.agents.text import TextPolicy, context_rng
from rmgym.agents.welfare import flow_of, flow_rng, name_member, swf_policy
from rmgym.protocols import Policy
from rmgym.trajectory import Context

Worth = NDArray[np.float64]


def read_worth(context: Context) -> tuple[list[str], Worth]:
    """Return the recipients and their needs or values now, as last shown."""
    text = context.observation[-1]["content"]
    table = text[text.rindex("\nrecipient | ") + 1 :].split("\n")[1:]
    rows = [line.split(" | ") for line in table]
    return [row[0] for row in rows], np.array([float(row[-1]) for row in rows])


class BudgetPolicy(TextPolicy):
    """Divides each budget by shares.

    Args:
        budget: Amount of a round.
        seed: Of its draws.
        action_format: "tags" or "tool_call".
    """

    def __init__(self, budget: float, *, seed: int = 0, action_format: str = "tags") -> None:
        self.budget = budget
        self.seed = seed
        self.action_format = action_format

    @abstractmethod
    def shares(self, needs: Worth, context: Context) -> Worth:
        """Return shares of at least 0, of any sum above 0."""

    def say(self, context: Context) -> str:
        """Return the turn."""
        names, needs = read_worth(context)
        shares = self.shares(needs, context)
        amounts = (self.budget * shares / shares.sum()).tolist()
        text = json.dumps(dict(zip(names, amounts, strict=True)))
        if self.action_format == "tags":
            return f"<allocate>{text}</allocate>"
        arguments = f'{{"name": "allocate", "arguments": {{"amounts": {text}}}}}'
        return f"<tool_call>{arguments}</tool_call>"


class RandomShares(BudgetPolicy):
    """Any division, uniformly."""

    def shares(self, needs: Worth, context: Context) -> Worth:
        """Return random shares."""
        drawn: Worth = flow_rng(context, self.seed).dirichlet(np.ones(len(needs)))
        return drawn


class EqualShares(BudgetPolicy):
    """The same for all, which is also the Nash optimum where all start alike."""

    def shares(self, needs: Worth, context: Context) -> Worth:
        """Return equal shares."""
        return np.ones(len(needs))


class NeediestFirst(BudgetPolicy):
    """All to the one with the largest need."""

    def shares(self, needs: Worth, context: Context) -> Worth:
        """Return one share."""
        shares = np.zeros(len(needs))
        shares[int(needs.argmax())] = 1.0
        return shares


class PlannedShares(BudgetPolicy):
    """Plays divisions that were computed for the whole flow.

    Args:
        plan_of: From a flow's number to amounts by round and recipient.
        budget: Amount of a round.
        action_format: "tags" or "tool_call".
    """

    def __init__(
        self, plan_of: Callable[[int], Worth], budget: float, *, action_format: str = "tags"
    ) -> None:
        super().__init__(budget, action_format=action_format)
        self.plan_of = plan_of

    def shares(self, needs: Worth, context: Context) -> Worth:
        """Return the shares of this round."""
        amounts: Worth = self.plan_of(flow_of(context))[len(context.turns)]
        return amounts


class ItemPolicy(TextPolicy):
    """Names who gets each item.

    Args:
        seed: Of its draws.
        action_format: "tags" or "tool_call".
    """

    def __init__(self, *, seed: int = 0, action_format: str = "tags") -> None:
        self.seed = seed
        self.action_format = action_format

    @abstractmethod
    def choose(self, values: Worth, context: Context) -> int:
        """Return the place of the recipient."""

    def say(self, context: Context) -> str:
        """Return the turn."""
        names, values = read_worth(context)
        return name_member(names[self.choose(values, context)], self.action_format)


class RandomRecipient(ItemPolicy):
    """Anyone, uniformly."""

    def choose(self, values: Worth, context: Context) -> int:
        """Return the place of the recipient."""
        return int(flow_rng(context, self.seed).integers(len(values)))


class TakeTurns(ItemPolicy):
    """One after another, in the order of the table."""

    def choose(self, values: Worth, context: Context) -> int:
        """Return the place of the recipient."""
        return len(context.turns) % len(values)


class HighestValue(ItemPolicy):
    """Who values the item most: the largest sum of utilities."""

    def choose(self, values: Worth, context: Context) -> int:
        """Return the place of the recipient."""
        return int(values.argmax())


class PlannedItems(ItemPolicy):
    """Plays owners that were computed for the whole flow.

    Args:
        plan_of: From a flow's number to the owner of each item.
        action_format: "tags" or "tool_call".
    """

    def __init__(
        self, plan_of: Callable[[int], Sequence[int]], *, action_format: str = "tags"
    ) -> None:
        super().__init__(action_format=action_format)
        self.plan_of = plan_of

    def choose(self, values: Worth, context: Context) -> int:
        """Return the place of the recipient."""
        return self.plan_of(flow_of(context))[len(context.turns)]


class FirstChoice(TextPolicy):
    """Takes the action that is shown first, or one at random.

    Args:
        at_random: Whether to draw.
        seed: Of the draws.
        action_format: "tags" or "tool_call".
    """

    def __init__(
        self, *, at_random: bool = False, seed: int = 0, action_format: str = "tags"
    ) -> None:
        self.at_random = at_random
        self.seed = seed
        self.action_format = action_format

    def say(self, context: Context) -> str:
        """Return the turn."""
        option = 1 + int(context_rng(context, self.seed).integers(2)) if self.at_random else 1
        if self.action_format == "tags":
            return f"<choose>{option}</choose>"
        return (
            '<tool_call>{"name": "choose", "arguments": {"option": '
            + str(option)
            + "}}</tool_call>"
        )


def make_welfare_policy(name: str, env: Any, seed: int = 0) -> Policy:
    """Return a policy by name for the mode of an environment.

    Raises:
        ValueError: If the mode has no policy of that name; names those it has.
    """
    mode = env.unwrapped.mode
    if mode == "swf":
        return swf_policy(name, env, seed)
    makers: dict[str, dict[str, Callable[[Any, int], Policy]]] = {
        "budget": {
            "random": partial(_of_budget, RandomShares),
            "fair": partial(_of_budget, EqualShares),
            "efficient": partial(_of_budget, NeediestFirst),
            "exact": _exact_budget,
        },
        "indivisible": {
            "random": lambda env, seed: RandomRecipient(seed=seed, action_format=_form(env)),
            "fair": lambda env, seed: TakeTurns(seed=seed, action_format=_form(env)),
            "efficient": lambda env, seed: HighestValue(seed=seed, action_format=_form(env)),
            "exact": _exact_items,
        },
        "dilemma": {
            "random": lambda env, seed: FirstChoice(
                at_random=True, seed=seed, action_format=_form(env)
            ),
            "first": lambda env, seed: FirstChoice(action_format=_form(env)),
        },
    }
    if name not in makers[mode]:
        raise ValueError(f"expected a policy of {sorted(makers[mode])} in {mode!r}, got {name!r}")
    return makers[mode][name](env, seed)


def _form(env: Any) -> str:
    return str(env.unwrapped.action_format)


def _of_budget(kind: type[BudgetPolicy], env: Any, seed: int) -> Policy:
    return kind(env.unwrapped.settings.budget, seed=seed, action_format=_form(env))


def _exact_budget(env: Any, seed: int) -> Policy:
    world = env.unwrapped
    plan = lru_cache(maxsize=4096)(world.best_budgets)
    return PlannedShares(plan, world.settings.budget, action_format=_form(env))


def _exact_items(env: Any, seed: int) -> Policy:
    plan = lru_cache(maxsize=4096)(env.unwrapped.best_owners)
    return PlannedItems(plan, action_format=_form(env))


random_choice = partial(make_welfare_policy, "random")
fair = partial(make_welfare_policy, "fair")
efair = partial(make_welfare_policy, "efair")
efficient = partial(make_welfare_policy, "efficient")
hybrid = partial(make_welfare_policy, "hybrid")
single_best = partial(make_welfare_policy, "single_best")
greedy = partial(make_welfare_policy, "greedy")
optimal = partial(make_welfare_policy, "optimal")
exact = partial(make_welfare_policy, "exact")
first = partial(make_welfare_policy, "first")
