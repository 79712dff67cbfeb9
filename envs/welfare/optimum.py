"""The best that anyone could do in a flow whose outcomes are known: an exact optimum of SWF.

SWF = (1 - G/(n A)) * 100 S/C, with A assignments, S solved tasks, cost C, and G the sum over pairs
of members of the difference of their assignments. Failing on purpose is allowed where it pays: it
can make the counts more equal, and skipping a task can be cheaper than solving it.

For given A and S this is a ratio of linear functions: Dinkelbach's method (1967) maximises
S (n A - G) - ratio * n A C until it is 0, each time by a mixed-integer program in HiGHS. Only the
members' counts and which tasks are skipped need to be integers: the rest is a network flow. Over A
and S a branch and bound on boxes, with the linear relaxation as its bound, leaves few to solve.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import combinations, count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rmgym.envs.welfare.allocation import Allocation, Rules
from rmgym.envs.welfare.case import Case
from rmgym.errors import MissingExtraError
from rmgym.rewards.welfare import POINTS

_TOLERANCE = 1e-7
"""Relative: a box that cannot beat the best plan by more than this is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who gets each assignment in turn, and what that is worth."""

    members: tuple[int, ...]
    swf: float
    fairness: float
    roi: float


class _Box(NamedTuple):
    """Plans whose assignments and solved tasks lie between bounds."""

    low_assigned: int
    high_assigned: int
    low_solved: int
    high_solved: int

    @property
    def is_point(self) -> bool:
        return self.low_assigned == self.high_assigned and self.low_solved == self.high_solved

    def split(self) -> tuple[_Box, _Box]:
        """Return two halves along the side that is relatively longer."""
        a0, a1, s0, s1 = self
        if (a1 - a0) * s1 >= (s1 - s0) * a1:
            middle = (a0 + a1) // 2
            return _Box(a0, middle, s0, s1), _Box(middle + 1, a1, s0, s1)
        middle = (s0 + s1) // 2
        return _Box(a0, a1, s0, middle), _Box(a0, a1, middle + 1, s1)


def exact_optimum(case: Case, rules: Rules | None = None) -> Plan:
    """Return the plan of greatest SWF among all that the rules allow.

    Args:
        case: The world, its outcomes known.
        rules: The bounds; without elimination.

    Raises:
        MissingExtraError: If SciPy is not installed.
        ValueError: If the rules eliminate members: health is outside this model.
    """
    rules = rules or Rules()
    if rules.elimination:
        raise ValueError("expected rules without elimination, got elimination")
    model = _Model(case, rules)
    best = _first_plan(case, rules)
    fewest = min(case.tasks, rules.max_assignments)
    most = min(case.tasks * rules.max_failures, rules.max_assignments)
    solvable = sum(any(row) for row in case.solved)
    whole = _Box(fewest, most, 1, max(1, solvable))
    if not solvable:
        return best
    order = count()
    corner = _Box(fewest, fewest, whole.high_solved, whole.high_solved)
    best = model.improve(corner, best)
    heap = [(0.0, next(order), best.swf, whole)]
    while heap:
        _, _, beaten, box = heapq.heappop(heap)
        if box.is_point:
            best = model.improve(box, best)
            continue
        if best.swf > beaten and model.bound(box, best.swf) <= 0:
            continue
        for half in box.split():
            bound = model.bound(half, best.swf)
            if bound > 0:
                heapq.heappush(heap, (-bound, next(order), best.swf, half))
    return best


def _first_plan(case: Case, rules: Rules) -> Plan:
    """Return the plan that gives each task to its cheapest solver, or fails it as cheaply."""
    members: list[int] = []
    for solved, cost in zip(case.solved, case.cost, strict=True):
        able = [i for i, right in enumerate(solved) if right]
        cheapest = min(able or range(len(cost)), key=cost.__getitem__)
        members += [cheapest] * (1 if able else rules.max_failures)
    return play_plan(case, rules, members)


def play_plan(case: Case, rules: Rules, members: list[int]) -> Plan:
    """Play a plan and return it with what it is worth; what follows the end is left out."""
    allocation = Allocation(case, rules)
    played = []
    for member in members:
        if allocation.ended:
            break
        allocation.assign(member)
        played.append(member)
    return Plan(
        members=tuple(played),
        swf=allocation.swf,
        fairness=1.0 - allocation.gini,
        roi=allocation.roi,
    )


class _Model:
    """The constraints of all plans of a flow, for linear and mixed-integer programs.

    Variables: x (task solved by member), f (failed attempts of member at task), s (task skipped),
    r (task resolved), c (assignments of member), d (difference of a pair's assignments).
    """

    def __init__(self, case: Case, rules: Rules) -> None:
        try:
            from scipy import optimize, sparse
        except ImportError as error:
            raise MissingExtraError("the exact optimum", "welfare") from error
        self._optimize, self._sparse = optimize, sparse
        self.case, self.rules = case, rules
        solved = np.array(case.solved)
        tasks, n = solved.shape
        self.wins, self.fails = np.argwhere(solved), np.argwhere(~solved)
        self.pairs = list(combinations(range(n), 2))
        sizes = (len(self.wins), len(self.fails), tasks, tasks, n, len(self.pairs))
        ends = np.cumsum(sizes).tolist()
        self.x, self.f, self.s, self.r, self.c, self.d = (
            np.arange(end - size, end) for size, end in zip(sizes, ends, strict=True)
        )
        cost = np.array(case.cost)
        self.cost = np.zeros(ends[-1])
        self.cost[self.x] = cost[tuple(self.wins.T)]
        self.cost[self.f] = cost[tuple(self.fails.T)]
        self._upper = np.full(ends[-1], np.inf)
        for variables in (self.x, self.s, self.r):
            self._upper[variables] = 1.0
        self._rows: list[tuple[dict[int, float], float, float]] = []
        self._state_rows(tasks)
        self._count_rows(n)
        self.matrix, self.low, self.high = self._assembled(ends[-1])

    def _state_rows(self, tasks: int) -> None:
        most, cap = self.rules.max_failures, self.rules.max_assignments
        wins = [self.x[self.wins[:, 0] == k].tolist() for k in range(tasks)]
        fails = [self.f[self.fails[:, 0] == k].tolist() for k in range(tasks)]
        for k in range(tasks):
            skip, resolved = int(self.s[k]), int(self.r[k])
            self._row({**dict.fromkeys(wins[k], 1.0), skip: 1.0, resolved: -1.0}, 0.0, 0.0)
            failed = dict.fromkeys(fails[k], 1.0)
            self._row({**failed, skip: -float(most)}, 0.0, np.inf)
            if k == 0:
                self._row({**failed, skip: -1.0}, -np.inf, most - 1.0)
            else:
                before = int(self.r[k - 1])
                self._row({**failed, skip: -1.0, before: 1.0 - most}, -np.inf, 0.0)
                self._row({resolved: 1.0, before: -1.0}, -np.inf, 0.0)
        all_counts = dict.fromkeys(self.c.tolist(), 1.0)
        self._row({**all_counts, int(self.r[-1]): float(cap)}, float(cap), np.inf)

    def _count_rows(self, n: int) -> None:
        for i in range(n):
            given = self.x[self.wins[:, 1] == i].tolist() + self.f[self.fails[:, 1] == i].tolist()
            self._row({**dict.fromkeys(given, 1.0), int(self.c[i]): -1.0}, 0.0, 0.0)
        for (i, j), pair in zip(self.pairs, self.d.tolist(), strict=True):
            for sign in (1.0, -1.0):
                row = {pair: 1.0, int(self.c[i]): sign, int(self.c[j]): -sign}
                self._row(row, 0.0, np.inf)
        self._row(dict.fromkeys(self.c.tolist(), 1.0), 0.0, np.inf)
        self._row(dict.fromkeys(self.x.tolist(), 1.0), 0.0, np.inf)

    def _row(self, entries: dict[int, float], low: float, high: float) -> None:
        self._rows.append((entries, low, high))

    def _assembled(self, width: int) -> tuple[Any, NDArray[np.float64], NDArray[np.float64]]:
        rows = [i for i, (entries, _, _) in enumerate(self._rows) for _ in entries]
        columns = [column for entries, _, _ in self._rows for column in entries]
        values = [value for entries, _, _ in self._rows for value in entries.values()]
        shape = (len(self._rows), width)
        matrix = self._sparse.csr_matrix((values, (rows, columns)), shape=shape)
        bounds = np.array([(low, high) for _, low, high in self._rows])
        return matrix, bounds[:, 0], bounds[:, 1]

    def _constraints(self, box: _Box) -> Any:
        low, high = self.low.copy(), self.high.copy()
        low[-2], high[-2] = box.low_assigned, box.high_assigned
        low[-1], high[-1] = box.low_solved, box.high_solved
        return self._optimize.LinearConstraint(self.matrix, low, high)

    def _objective(self, box: _Box, swf: float) -> NDArray[np.float64]:
        """Return what to minimise: above 0 for every plan of the box that does not beat `swf`."""
        n, ratio = self.case.members, swf / POINTS
        goal = ratio * n * box.low_assigned * self.cost
        goal[self.c] -= box.high_solved * n
        goal[self.d] += box.high_solved
        return goal

    def _solve(self, box: _Box, swf: float, integral: bool) -> Any:
        kinds = np.zeros(len(self.cost))
        if integral:
            kinds[np.concatenate([self.s, self.r, self.c])] = 1
        return self._optimize.milp(
            self._objective(box, swf),
            integrality=kinds,
            bounds=self._optimize.Bounds(0.0, self._upper),
            constraints=self._constraints(box),
            options={"mip_rel_gap": 1e-9},
        )

    def bound(self, box: _Box, swf: float) -> float:
        """Return a bound on how far any plan of the box beats `swf`; 0 or less if none does."""
        found = self._solve(box, swf, integral=False)
        if found.status == 2:
            return -np.inf
        scale = box.high_solved * self.case.members * box.high_assigned
        return float(-self._value(found) / scale - _TOLERANCE)

    def improve(self, box: _Box, best: Plan) -> Plan:
        """Return the best plan with the numbers of a box that is a point, if it beats `best`."""
        while True:
            found = self._solve(box, best.swf, integral=True)
            if found.status == 2:
                return best
            self._value(found)
            plan = self._plan(box, found.x)
            if plan.swf <= best.swf * (1.0 + _TOLERANCE):
                return best if plan.swf <= best.swf else plan
            best = plan

    @staticmethod
    def _value(found: Any) -> float:
        if found.status != 0:
            raise RuntimeError(f"expected HiGHS to find an optimum, got: {found.message}")
        return float(found.fun)

    def _plan(self, box: _Box, values: NDArray[np.float64]) -> Plan:
        """Round counts and skips, and take the cheapest flow with them, which is integral."""
        low, high = np.zeros(len(values)), self._upper.copy()
        for variables in (self.s, self.r, self.c):
            low[variables] = high[variables] = np.round(values[variables])
        found = self._optimize.milp(
            self.cost,
            bounds=self._optimize.Bounds(low, high),
            constraints=self._constraints(box),
        )
        self._value(found)
        flow = np.round(found.x).astype(int)
        members: list[int] = []
        for k in range(self.case.tasks):
            for (task, i), times in zip(self.fails, flow[self.f], strict=True):
                members += [int(i)] * int(times if task == k else 0)
            members += [
                int(i) for (t, i), y in zip(self.wins, flow[self.x], strict=True) if t == k and y
            ]
        return play_plan(self.case, self.rules, members)
