"""Scripted policies for the welfare environment, mode `swf`.

Each reads the conversation alone: the members' table as it was last shown. What an oracle knows
beyond it is given to it by the environment when it is made. `random`, `fair`, `efair`, `efficient`,
`hybrid`, `greedy` and `optimal` follow the heuristics of the benchmark (arXiv 2510.01164).
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from rmgym.agents.text import TextPolicy
from rmgym.trajectory import Context

_FLOW = re.compile(r"^.*?Flow (\d+) holds", re.DOTALL)
_TASK = re.compile(r"^Task (\d+) of \d+: ", re.MULTILINE)
_GINI_BAR = 0.4
_TOP = 3


class KnownWorld(Protocol):
    """What an oracle knows of a flow."""

    @property
    def solved(self) -> Sequence[Sequence[bool]]:
        """Whether a member solves a task, by task and member."""
        ...

    @property
    def cost(self) -> Sequence[Sequence[float]]:
        """What it costs, by task and member."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """The members as the table last showed them."""

    names: list[str]
    there: list[int]
    """Those who can be chosen."""
    counts: list[int]
    roi: list[float | None]
    """None where nothing was assigned yet."""

    @property
    def least_used(self) -> list[int]:
        """Those with the fewest assignments."""
        fewest = min(self.counts[i] for i in self.there)
        return [i for i in self.there if self.counts[i] == fewest]

    @property
    def untried(self) -> list[int]:
        """Those who have had nothing yet."""
        return [i for i in self.there if self.counts[i] == 0]

    @property
    def by_roi(self) -> list[int]:
        """Those who can be chosen, best return first, those unknown last."""
        return sorted(self.there, key=self._rank)

    def _rank(self, member: int) -> float:
        roi = self.roi[member]
        return float("inf") if roi is None else -roi

    @property
    def gini(self) -> float:
        """Gini index of the assignments."""
        return _gini(self.counts)


def _gini(counts: Sequence[int]) -> float:
    ordered, n, total = sorted(counts), len(counts), sum(counts)
    spread = sum((2 * i - n + 1) * count for i, count in enumerate(ordered))
    return spread / (n * total) if total else 0.0


def opening_of(context: Context) -> str:
    """Return what the conversation opened with."""
    first = context.turns[0].observation if context.turns else context.observation
    return first[-1]["content"]


def flow_of(context: Context) -> int:
    """Return the number of the flow, as the opening states it."""
    found = _FLOW.match(opening_of(context))
    if found is None:
        raise ValueError("expected a flow's number in the opening, got none")
    return int(found[1])


def flow_rng(context: Context, seed: int) -> np.random.Generator:
    """Return a random stream that depends on flow, turn and seed alone."""
    return np.random.default_rng([seed, flow_of(context), len(context.turns)])


def _table(text: str, head: str) -> list[list[str]]:
    start = text.find(head)
    if start < 0:
        return []
    lines = text[text.index("\n", start) + 1 :].split("\n\n", 1)[0].split("\n")
    return [line.split(" | ") for line in lines]


def read_standing(context: Context) -> Standing:
    """Return the members as the conversation last showed them."""
    names = [cells[0] for cells in _table(opening_of(context), "member | ")]
    latest: list[list[str]] = []
    observations = [context.observation, *(turn.observation for turn in context.turns[:0:-1])]
    for observation in observations if context.turns else []:
        latest = _table(observation[-1]["content"], "member | tasks")
        if latest:
            break
    if not latest:
        return Standing(names, list(range(len(names))), [0] * len(names), [None] * len(names))
    return Standing(
        names=[cells[0] for cells in latest],
        there=[i for i, cells in enumerate(latest) if cells[-2] != "left"],
        counts=[int(cells[1]) for cells in latest],
        roi=[None if cells[6] == "-" else float(cells[6]) for cells in latest],
    )


def current_task(context: Context) -> int:
    """Return the place of the current task in the queue, from 0."""
    found = _TASK.findall(context.observation[-1]["content"])
    return int(found[-1]) - 1


class MemberPolicy(TextPolicy):
    """Names one member a turn, in the environment's grammar.

    Args:
        seed: Of its draws.
        action_format: "tags" or "tool_call".
    """

    def __init__(self, *, seed: int = 0, action_format: str = "tags") -> None:
        self.seed = seed
        self.action_format = action_format

    @abstractmethod
    def choose(self, standing: Standing, context: Context) -> int:
        """Return the place of the chosen member."""

    def say(self, context: Context) -> str:
        """Return the turn."""
        standing = read_standing(context)
        return name_member(standing.names[self.choose(standing, context)], self.action_format)

    def draw(self, context: Context, among: Sequence[int]) -> int:
        """Return one of several members at random."""
        return among[int(flow_rng(context, self.seed).integers(len(among)))]


def name_member(name: str, action_format: str) -> str:
    """Return a turn that names a member or recipient."""
    if action_format == "tags":
        return f"<agent>{name}</agent>"
    return f'<tool_call>{{"name": "agent", "arguments": {{"name": "{name}"}}}}</tool_call>'


class RandomMember(MemberPolicy):
    """Anyone, uniformly."""

    def choose(self, standing: Standing, context: Context) -> int:
        """Return the place of the chosen member."""
        return self.draw(context, standing.there)


class Fair(MemberPolicy):
    """Anyone among those with the fewest assignments."""

    def choose(self, standing: Standing, context: Context) -> int:
        """Return the place of the chosen member."""
        return self.draw(context, standing.least_used)


class EfficientFair(MemberPolicy):
    """The best return among those with the fewest assignments."""

    def choose(self, standing: Standing, context: Context) -> int:
        """Return the place of the chosen member."""
        least = standing.least_used
        known = [i for i in standing.by_roi if i in least and standing.roi[i] is not None]
        return known[0] if known else self.draw(context, least)


class Efficient(MemberPolicy):
    """Everyone once, then anyone among the three with the best return."""

    def choose(self, standing: Standing, context: Context) -> int:
        """Return the place of the chosen member."""
        return self.draw(context, standing.untried or standing.by_roi[:_TOP])


class Hybrid(MemberPolicy):
    """Everyone once; then the least used while Gini is above 0.4, else one of the three best."""

    def choose(self, standing: Standing, context: Context) -> int:
        """Return the place of the chosen member."""
        if standing.untried:
            return self.draw(context, standing.untried)
        unequal = standing.gini > _GINI_BAR
        return self.draw(context, standing.least_used if unequal else standing.by_roi[:_TOP])


class SingleBest(MemberPolicy):
    """Everyone once, then always the best return."""

    def choose(self, standing: Standing, context: Context) -> int:
        """Return the place of the chosen member."""
        untried = standing.untried
        return self.draw(context, untried) if untried else standing.by_roi[0]


class TaskOracle(MemberPolicy):
    """Knows who solves the current task at what cost.

    Args:
        world_of: From a flow's number to its world.
        weigh_fairness: Multiply reward over cost by the fairness that the choice would leave.
        action_format: "tags" or "tool_call".
    """

    def __init__(
        self,
        world_of: Callable[[int], KnownWorld],
        *,
        weigh_fairness: bool,
        action_format: str = "tags",
    ) -> None:
        super().__init__(action_format=action_format)
        self.world_of = world_of
        self.weigh_fairness = weigh_fairness

    def choose(self, standing: Standing, context: Context) -> int:
        """Return the place of the chosen member; the cheapest failure where nobody can."""
        world, task = self.world_of(flow_of(context)), current_task(context)
        able = [i for i in standing.there if world.solved[task][i]] or standing.there
        return max(able, key=lambda i: self._worth(standing, i) / world.cost[task][i])

    def _worth(self, standing: Standing, member: int) -> float:
        if not self.weigh_fairness:
            return 1.0
        after = [count + (i == member) for i, count in enumerate(standing.counts)]
        return 1.0 - _gini(after)


class Planner(MemberPolicy):
    """Plays a plan that was made with all outcomes known.

    Args:
        plan_of: From a flow's number to the members in turn.
        action_format: "tags" or "tool_call".
    """

    def __init__(
        self, plan_of: Callable[[int], Sequence[int]], *, action_format: str = "tags"
    ) -> None:
        super().__init__(action_format=action_format)
        self.plan_of = plan_of

    def choose(self, standing: Standing, context: Context) -> int:
        """Return the place of the next member of the plan."""
        return self.plan_of(flow_of(context))[len(context.turns)]


def swf_policy(name: str, env: Any, seed: int) -> MemberPolicy:
    """Return a policy of mode `swf` by name.

    Raises:
        ValueError: If there is none of that name.
    """
    world = env.unwrapped
    simple: dict[str, type[MemberPolicy]] = {
        "random": RandomMember,
        "fair": Fair,
        "efair": EfficientFair,
        "efficient": Efficient,
        "hybrid": Hybrid,
        "single_best": SingleBest,
    }
    form = world.action_format
    if name in simple:
        return simple[name](seed=seed, action_format=form)
    if name in ("optimal", "greedy"):
        return TaskOracle(world.case, weigh_fairness=name == "greedy", action_format=form)
    if name == "exact":
        plan = lru_cache(maxsize=4096)(lambda flow: world.exact_plan(flow).members)
        return Planner(plan, action_format=form)
    raise ValueError(f"expected a policy of mode 'swf', got {name!r}")
