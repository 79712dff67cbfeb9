"""Thousands of flows at once in NumPy: the same rules as `Allocation`, one row a flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmgym.envs.welfare.allocation import Rules
from rmgym.envs.welfare.case import Roster
from rmgym.envs.welfare.division import whole_numbers
from rmgym.envs.welfare.features import GLOBALS, MEMBER_FEATURES, flow_width, member_constants
from rmgym.rewards.welfare import POINTS

Rows: TypeAlias = NDArray[np.intp]


class BatchAllocation:
    """`n` flows side by side.

    Args:
        roster: Who can get tasks, and how worlds are drawn.
        rules: The bounds.
        n: How many flows.
    """

    def __init__(self, roster: Roster, rules: Rules, n: int) -> None:
        self.roster, self.rules = roster, rules
        members, tasks = len(roster.members), roster.tasks
        self.kinds = np.zeros((n, tasks), dtype=np.int64)
        self.difficulties = np.zeros((n, tasks), dtype=np.int64)
        self.can_solve = np.zeros((n, tasks, members), dtype=np.bool_)
        self.cost = np.zeros((n, tasks, members))
        self.flows = np.zeros(n, dtype=np.int64)
        self.task = np.zeros(n, dtype=np.int64)
        self.failures = np.zeros(n, dtype=np.int64)
        self.turns = np.zeros(n, dtype=np.int64)
        self.assignments = np.zeros(n, dtype=np.int64)
        self.total_solved = np.zeros(n, dtype=np.int64)
        self.total_cost = np.zeros(n)
        self.spread = np.zeros(n, dtype=np.int64)
        self.counts = np.zeros((n, members), dtype=np.int16)
        self.solved = np.zeros((n, members), dtype=np.int64)
        self.costs = np.zeros((n, members))
        self.alive = np.ones((n, members), dtype=np.bool_)
        self.health = np.zeros((n, members), dtype=np.int64)
        self.terminated = np.zeros(n, dtype=np.bool_)
        self.truncated = np.zeros(n, dtype=np.bool_)
        self.features = np.zeros((n, flow_width(members)), dtype=np.float32)
        self._of_members = self.features[:, : MEMBER_FEATURES * members].reshape(
            n, MEMBER_FEATURES, members
        )
        self._of_members[:, 5:] = member_constants(roster)
        self._globals = self.features[:, -GLOBALS:]

    def renew(self, rows: Rows, flows: Sequence[int]) -> None:
        """Begin flows anew in some rows."""
        tables = self.roster.draw(flows)
        self.kinds[rows], self.difficulties[rows] = tables.kinds, tables.difficulties
        self.can_solve[rows], self.cost[rows] = tables.solved, tables.cost
        self.flows[rows] = flows
        for whole in (self.task, self.failures, self.turns, self.assignments, self.total_solved):
            whole[rows] = 0
        self.spread[rows] = 0
        self.total_cost[rows] = 0.0
        self.counts[rows], self.solved[rows], self.costs[rows] = 0, 0, 0.0
        self.alive[rows] = True
        self.health[rows] = self.rules.start_health
        self.terminated[rows] = self.truncated[rows] = False
        self._of_members[rows, :4] = 0.0
        self._of_members[rows, 4] = 1.0
        self._describe(rows)

    def play(self, rows: Rows, actions: NDArray[Any]) -> None:
        """Play one turn in some rows; an action that names nobody who is there assigns nothing."""
        chosen = whole_numbers(actions)[rows]
        members = self.counts.shape[1]
        legal = (chosen >= 0) & (chosen < members)
        if self.rules.elimination:
            legal &= self.alive[rows, np.clip(chosen, 0, members - 1)]
        self.turns[rows] += 1
        if legal.all():
            given = rows
        else:
            given, chosen = rows[legal], chosen[legal]
        self._assign(given, chosen)
        if self.rules.elimination:
            self._eliminate(given, chosen)
        spent = self.turns[rows] >= self.rules.max_turns
        self.truncated[rows] |= spent & ~self.terminated[rows]
        self._describe(rows)

    def _assign(self, rows: Rows, chosen: NDArray[np.int64]) -> None:
        n, members = self.counts.shape
        whole = len(rows) == n
        task = self.task[rows]
        place = (rows * self.roster.tasks + task) * members + chosen
        won, cost = self.can_solve.reshape(-1).take(place), self.cost.reshape(-1).take(place)
        cell = rows * members + chosen
        had = self.counts.reshape(-1).take(cell)
        counts = self.counts if whole else self.counts[rows]
        self.spread[rows] += 2 * np.count_nonzero(counts <= had[:, None], axis=1) - members - 1
        self.counts.reshape(-1)[cell] = had + 1
        solved = self.solved.reshape(-1).take(cell) + won
        costs = self.costs.reshape(-1).take(cell) + cost
        self.solved.reshape(-1)[cell], self.costs.reshape(-1)[cell] = solved, costs
        self.total_solved[rows] += won
        self.total_cost[rows] += cost
        assignments = self.assignments[rows] + 1
        failures = self.failures[rows] + ~won
        done = won | (failures == self.rules.max_failures)
        task = task + done
        self.assignments[rows] = assignments
        self.failures[rows] = np.where(done, 0, failures)
        self.task[rows] = task
        empty = task == self.roster.tasks
        self.terminated[rows] = empty
        self.truncated[rows] = ~empty & (assignments == self.rules.max_assignments)
        self._show_members(rows, chosen, done, had + 1, solved, costs)

    def _show_members(
        self,
        rows: Rows,
        chosen: NDArray[np.int64],
        done: NDArray[np.bool_],
        counts: NDArray[np.int16],
        solved: NDArray[np.int64],
        costs: NDArray[np.float64],
    ) -> None:
        shown = self._of_members
        shown[rows, 0, chosen] = counts / self.rules.max_assignments
        shown[rows, 1, chosen] = solved / counts
        mean = costs / counts
        shown[rows, 2, chosen] = mean / (1.0 + mean)
        shown[rows[~done], 3, chosen[~done]] = 1.0
        shown[rows[done], 3] = 0.0

    def _eliminate(self, rows: Rows, chosen: NDArray[np.int64]) -> None:
        going = ~(self.terminated[rows] | self.truncated[rows])
        rows, chosen = rows[going], chosen[going]
        if not len(rows):
            return
        refill = 3 * self.alive[rows].sum(axis=1)
        health = self.health[rows] - self.alive[rows]
        health[np.arange(len(rows)), chosen] = refill
        alive = self.alive[rows] & (health >= 0)
        self.health[rows], self.alive[rows] = health, alive
        self._of_members[rows, 4] = alive
        lone = alive.sum(axis=1) == 1
        alone, survivor = rows[lone], alive.argmax(axis=1)[lone]
        left, who = alone, survivor
        while len(left):
            self._assign(left, who)
            on = ~(self.terminated[left] | self.truncated[left])
            left, who = left[on], who[on]
        self.terminated[alone], self.truncated[alone] = True, False

    def _describe(self, rows: Rows) -> None:
        shown, tasks = self._globals, self.roster.tasks
        task = np.minimum(self.task[rows], tasks - 1)
        kind, difficulty = self.kinds[rows, task], self.difficulties[rows, task]
        roi = self.roi(rows)
        shown[rows, 0] = self.task[rows] / tasks
        shown[rows, 1] = self.assignments[rows] / self.rules.max_assignments
        shown[rows, 2] = self.failures[rows] / self.rules.max_failures
        shown[rows, 3] = kind == 0
        shown[rows, 4] = kind == 1
        shown[rows, 5] = (difficulty - 8) / 3.0
        shown[rows, 6] = 1.0 - self.gini(rows)
        shown[rows, 7] = roi / (100.0 + roi)

    def gini(self, rows: Rows | slice = slice(None)) -> NDArray[np.float64]:
        """Return the Gini index of the assignments of each row."""
        given = np.maximum(self.assignments[rows], 1)
        index: NDArray[np.float64] = self.spread[rows] / (self.counts.shape[1] * given)
        return index

    def roi(self, rows: Rows | slice = slice(None)) -> NDArray[np.float64]:
        """Return the reward points per GPU-second of each row; 0 before the first assignment."""
        begun = self.assignments[rows] > 0
        cost = np.where(begun, self.total_cost[rows], 1.0)
        points: NDArray[np.float64] = POINTS * self.total_solved[rows] / cost
        return points

    def swf(self) -> NDArray[np.float64]:
        """Return (1 - Gini) times return on cost of each row."""
        worth: NDArray[np.float64] = (1.0 - self.gini()) * self.roi()
        return worth

    def utilities(self) -> NDArray[np.float64]:
        """Return the tasks that each member of each row solved."""
        return self.solved.astype(np.float64)

    def legal(self) -> NDArray[np.bool_]:
        """Return who can be chosen in each row."""
        return self.alive

    def metrics(self) -> dict[str, NDArray[np.float64]]:
        """Return figures of each row."""
        gini, roi = self.gini(), self.roi()
        return {"swf": (1.0 - gini) * roi, "fairness": 1.0 - gini, "roi": roi}
