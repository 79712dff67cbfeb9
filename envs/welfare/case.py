"""The world of one flow: tasks, who would solve them, and at what cost; all from one number.

Success is a coin with probability logistic(ability - difficulty), drawn once for each task and
member, as in a cache of answers: whoever failed a task fails it again. Tokens are log-normal, with
a part of the task's own; cost is half of them, in thousands, times the member's GPU-seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rmgym.envs.welfare.members import Member

KINDS = ("research", "mathematics")
DIFFICULTIES = (8, 9, 10, 11)
"""In twelfths, as the benchmark shows them."""
MAX_FLOWS = 2**31
_STEEPNESS = 6.5
_HURDLE = 0.29
_PER_TWELFTH = 0.35
_TOKENS = 4100.0
_TASK_SPREAD = 0.35
_MEMBER_SPREAD = 0.45
_WEIGHTS = ((0.35, 0.25, 0.0, 0.0, 0.0, 0.4), (0.0, 0.1, 0.75, 0.15, 0.0, 0.0))
"""Of the public scores in the ability for each kind of task."""


class Tables(NamedTuple):
    """The worlds of several flows."""

    kinds: NDArray[np.int64]
    """(flows, tasks): index into `KINDS`."""
    difficulties: NDArray[np.int64]
    """(flows, tasks): in twelfths."""
    solved: NDArray[np.bool_]
    """(flows, tasks, members): whether the member solves the task."""
    cost: NDArray[np.float64]
    """(flows, tasks, members): GPU-seconds if it tries."""


@dataclass(frozen=True)
class Case:
    """The world of one flow."""

    flow: int
    kinds: tuple[int, ...]
    difficulties: tuple[int, ...]
    solved: tuple[tuple[bool, ...], ...]
    """By task and member."""
    cost: tuple[tuple[float, ...], ...] = field(repr=False)
    """GPU-seconds by task and member, whether solved or not."""

    @property
    def tasks(self) -> int:
        """How many tasks."""
        return len(self.solved)

    @property
    def members(self) -> int:
        """How many members."""
        return len(self.solved[0])


class Roster:
    """Members with what the drawing of worlds needs of them.

    Args:
        members: Who can get tasks.
        tasks: How many tasks a flow has.
    """

    def __init__(self, members: Sequence[Member], tasks: int) -> None:
        if tasks < 1:
            raise ValueError(f"expected at least 1 task, got {tasks}")
        self.members = tuple(members)
        self.tasks = tasks
        self._gpu = np.array([member.gpu_seconds for member in self.members])
        self._case = lru_cache(maxsize=256)(self._draw_case)

    @cached_property
    def abilities(self) -> NDArray[np.float64]:
        """(kinds, members): weighted public scores, 0 to 1."""
        scores = np.array([member.scores for member in self.members]) / 100.0
        return np.array(_WEIGHTS) @ scores.T

    @cached_property
    def success(self) -> NDArray[np.float64]:
        """(kinds, difficulties, members): probability of success, 0 to 1."""
        steps = np.array(DIFFICULTIES, dtype=np.float64) - DIFFICULTIES[0]
        logit = _STEEPNESS * (self.abilities[:, None, :] - _HURDLE)
        return 1.0 / (1.0 + np.exp(_PER_TWELFTH * steps[None, :, None] - logit))

    def draw(self, flows: Iterable[int]) -> Tables:
        """Return the worlds of flows; each depends on its own number alone."""
        numbers = list(flows)
        n, tasks = len(self.members), self.tasks
        uniforms = np.empty((len(numbers), tasks * (n + 2)))
        normals = np.empty((len(numbers), tasks * (n + 1)))
        for row, flow in enumerate(numbers):
            rng = np.random.default_rng(flow)
            rng.random(out=uniforms[row])
            rng.standard_normal(out=normals[row])
        cube = uniforms.reshape(len(numbers), tasks, n + 2)
        kinds = (cube[..., 0] * len(KINDS)).astype(np.int64)
        steps = (cube[..., 1] * len(DIFFICULTIES)).astype(np.int64)
        shift = normals.reshape(len(numbers), tasks, n + 1)
        tokens = np.exp(_TASK_SPREAD * shift[..., :1] + _MEMBER_SPREAD * shift[..., 1:])
        return Tables(
            kinds=kinds,
            difficulties=steps + DIFFICULTIES[0],
            solved=cube[..., 2:] < self.success[kinds, steps],
            cost=tokens * (self._gpu * (0.5 * _TOKENS / 1000.0)),
        )

    def case(self, flow: int) -> Case:
        """Return the world of one flow."""
        return self._case(flow)

    def _draw_case(self, flow: int) -> Case:
        tables = self.draw([flow])
        return Case(
            flow=flow,
            kinds=tuple(tables.kinds[0].tolist()),
            difficulties=tuple(tables.difficulties[0].tolist()),
            solved=tuple(map(tuple, tables.solved[0].tolist())),
            cost=tuple(map(tuple, tables.cost[0].tolist())),
        )

    def __reduce__(self) -> tuple[type[Roster], tuple[tuple[Member, ...], int]]:
        """Pickle the members alone: the rest follows from them."""
        return type(self), (self.members, self.tasks)
