"""The classical optima of divisions: closed forms, water-filling, and exact ones for items."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rmgym.errors import MissingExtraError
from rmgym.rewards.welfare import measure_of

Floats = NDArray[np.float64]
ALPHA = {"utilitarian": 0.0, "nash": 1.0, "egalitarian": inf}
"""The alpha-fair objective that each of these is."""
_BRUTE_FORCE = 1_000_000


def divide_budget(needs: Sequence[float], budget: float, curvature: float, alpha: float) -> Floats:
    """Return the alpha-fair division of one budget, in closed form.

    Utilities are w * x**curvature. Amounts are in proportion to
    w**((1 - alpha)/(1 - curvature * (1 - alpha))): equal at alpha 1 (Nash), w**(-1/curvature) for
    alpha infinity (equal utilities); all to the largest w where curvature is 1 and alpha 0.

    >>> divide_budget([1.0, 2.0], 10.0, 0.5, 0.0).tolist()
    [2.0, 8.0]

    Raises:
        ValueError: If a need is not positive, or alpha negative.
    """
    w = np.asarray(needs, dtype=np.float64)
    if not (w > 0).all() or not alpha >= 0 or not 0 < curvature <= 1:
        raise ValueError("expected needs above 0, alpha of at least 0, curvature in (0, 1]")
    if alpha == inf:
        power = -1.0 / curvature
    elif curvature * (1.0 - alpha) == 1.0:
        best = (w == w.max()).astype(np.float64)
        return np.asarray(budget * best / best.sum())
    else:
        power = (1.0 - alpha) / (1.0 - curvature * (1.0 - alpha))
    parts = (w / w.max()) ** power
    return np.asarray(budget * parts / parts.sum())


def water_fill(levels: Sequence[float], amount: float) -> Floats:
    """Return what to pour on each level so that the lowest stand as high as possible.

    It maximises the smallest of level + x, and the sum of log(level + x), over all divisions.

    >>> water_fill([1.0, 2.0, 9.0], 5.0).tolist()
    [3.0, 2.0, 0.0]
    """
    start = np.asarray(levels, dtype=np.float64)
    ordered = np.sort(start)
    filled = np.cumsum(ordered)
    surface = (amount + filled) / np.arange(1, len(start) + 1)
    under = surface > ordered
    height = surface[np.flatnonzero(under)[-1]] if under.any() else ordered[0]
    poured: Floats = np.maximum(height - start, 0.0)
    return poured


def divide_rounds(needs: Floats, budget: float, curvature: float, alpha: float) -> Floats:
    """Return the alpha-fair division of several budgets, utilities added over the rounds.

    One round is in closed form; several by a convex solver (SLSQP), to about 1e-6 of the budget.

    Args:
        needs: (rounds, n).
        budget: Amount of each round.
        curvature: Exponent of the utility of money.
        alpha: Aversion to inequality; infinity for the largest minimum.

    Returns:
        Amounts (rounds, n); each round sums to the budget.

    Raises:
        MissingExtraError: If there are several rounds and SciPy is not installed.
    """
    if len(needs) == 1:
        return divide_budget(needs[0].tolist(), budget, curvature, alpha)[None]
    if alpha == 0.0:
        return np.array([divide_budget(w.tolist(), budget, curvature, 0.0) for w in needs])
    shares = _share_rounds(_scipy("several budgets"), needs, curvature, alpha)
    return np.asarray(budget * shares / shares.sum(axis=1, keepdims=True))


def _share_rounds(optimize: Any, needs: Floats, curvature: float, alpha: float) -> Floats:
    rounds, n = needs.shape
    size = rounds * n
    least = 1e-9
    sums = np.kron(np.eye(rounds), np.ones(n))

    def earned(x: Floats) -> Floats:
        total: Floats = (needs * x.reshape(rounds, n) ** curvature).sum(axis=0)
        return total

    def slope(x: Floats) -> Floats:
        part: Floats = needs * curvature * x.reshape(rounds, n) ** (curvature - 1.0)
        return part

    start = np.full(size, 1.0 / n)
    limits: list[dict[str, Any]] = [{"type": "eq", "fun": lambda z: sums @ z[:size] - 1.0}]
    bounds: list[tuple[float, float | None]] = [(least, 1.0)] * size
    gradient = None
    if alpha == inf:
        # The level z[-1] is raised as far as every utility allows.
        limits.append({"type": "ineq", "fun": lambda z: earned(z[:-1]) - z[-1]})
        start, bounds = np.append(start, earned(start).min()), [*bounds, (0.0, None)]
        objective = _minus_level
    else:
        objective, gradient = _alpha_goal(earned, slope, alpha)
    found = optimize.minimize(
        objective,
        start,
        jac=gradient,
        method="SLSQP",
        bounds=bounds,
        constraints=limits,
        options={"maxiter": 500, "ftol": 1e-12},
    )
    shares: Floats = found.x[:size].reshape(rounds, n)
    return shares


def _minus_level(z: Floats) -> float:
    return -float(z[-1])


def _alpha_goal(earned: Any, slope: Any, alpha: float) -> tuple[Any, Any]:
    def objective(x: Floats) -> float:
        u = earned(x)
        worth = np.log(u) if alpha == 1.0 else u ** (1.0 - alpha) / (1.0 - alpha)
        return float(-worth.sum())

    def gradient(x: Floats) -> Floats:
        grown: Floats = -(slope(x) * earned(x) ** -alpha).ravel()
        return grown

    return objective, gradient


class Owners(NamedTuple):
    """Who gets each item, and what that is worth to each."""

    owners: tuple[int, ...]
    utilities: tuple[float, ...]


def divide_items(values: Floats, objective: str) -> Owners:
    """Return the best owners of items with additive values, exactly.

    Up to a million divisions are tried one by one, ties broken as theory asks (leximin for
    egalitarian; for Nash first the number of those who have something). Beyond, mixed-integer
    programs for `utilitarian`, `egalitarian` (ties by the sum) and `nash`.

    Args:
        values: (items, n), whole numbers of at least 0 for `nash` beyond a million divisions.
        objective: A name of `rmgym.rewards.welfare.measure_of`.

    Raises:
        ValueError: If there are more divisions and the objective has no program.
        MissingExtraError: If there are more divisions and SciPy is not installed.
    """
    items, n = values.shape
    if objective == "utilitarian":
        return _owners(values, values.argmax(axis=1))
    if n**items <= _BRUTE_FORCE:
        return _try_all(values, objective)
    if objective == "egalitarian":
        return _owners(values, _best_least(values))
    if objective == "nash":
        return _owners(values, _best_product(values))
    raise ValueError(
        f"expected utilitarian, egalitarian or nash for {n}**{items} divisions, got {objective!r}; "
        f"others are solved up to {_BRUTE_FORCE} divisions"
    )


def _owners(values: Floats, owners: NDArray[np.intp]) -> Owners:
    utilities = np.zeros(values.shape[1])
    np.add.at(utilities, owners, values[np.arange(len(owners)), owners])
    return Owners(tuple(owners.tolist()), tuple(utilities.tolist()))


def _try_all(values: Floats, objective: str) -> Owners:
    items, n = values.shape
    every = np.stack(np.unravel_index(np.arange(n**items), (n,) * items), axis=1)
    utilities = np.zeros((len(every), n))
    rows = np.arange(len(every))
    for item in range(items):
        utilities[rows, every[:, item]] += values[item, every[:, item]]
    if objective == "egalitarian":
        keys = np.sort(utilities, axis=1)[:, ::-1]
    elif objective == "nash":
        product = np.where(utilities > 0, utilities, 1.0).prod(axis=1)
        keys = np.stack([product, (utilities > 0).sum(axis=1)], axis=1)
    else:
        keys = measure_of(objective)(utilities)[:, None]
    return _owners(values, every[np.lexsort(keys.T)[-1]])


def _scipy(what: str) -> Any:
    try:
        from scipy import optimize
    except ImportError as error:
        raise MissingExtraError(what, "welfare") from error
    return optimize


def _assign_rows(items: int, n: int, extra: int) -> Floats:
    rows = np.zeros((items, items * n + extra))
    for item in range(items):
        rows[item, item * n : (item + 1) * n] = 1.0
    return rows


def _utility_rows(values: Floats, extra: int) -> Floats:
    items, n = values.shape
    rows = np.zeros((n, items * n + extra))
    for i in range(n):
        rows[i, i : items * n : n] = values[:, i]
    return rows


def _best_least(values: Floats) -> NDArray[np.intp]:
    """Return owners of the largest smallest utility; among those, of the largest sum nearly."""
    optimize = _scipy("the egalitarian optimum of many items")
    items, n = values.shape
    goal = np.append(-1e-6 * values.ravel() / max(values.sum(), 1.0), -1.0)
    level = _utility_rows(values, 1)
    level[:, -1] = -1.0
    return _solved(
        optimize,
        goal,
        [
            optimize.LinearConstraint(_assign_rows(items, n, 1), 1.0, 1.0),
            optimize.LinearConstraint(level, 0.0, np.inf),
        ],
        (items, n),
    )


def _best_product(values: Floats) -> NDArray[np.intp]:
    """Return owners of the largest product of utilities.

    The logarithm is replaced by secants through neighbouring whole numbers, exact at each; those
    that the last solution violates are added until none is.
    """
    optimize = _scipy("the Nash optimum of many items")
    items, n = values.shape
    if items < n or not (values == np.round(values)).all():
        raise ValueError("expected at least as many items as recipients, and whole values")
    base, most = _utility_rows(values, n), values.sum(axis=0)
    cuts: list[Floats] = []
    sides: list[float] = []
    points = [set[int]() for _ in range(n)]
    for i in range(n):
        for k in np.unique(np.geomspace(1, max(most[i], 2), 12).astype(int)).tolist():
            _add_secant(base, i, k, points, cuts, sides)
    goal = np.append(np.zeros(items * n), -np.ones(n))
    while True:
        limits = [
            optimize.LinearConstraint(_assign_rows(items, n, n), 1.0, 1.0),
            optimize.LinearConstraint(base, 1.0, np.inf),
            optimize.LinearConstraint(np.array(cuts), -np.inf, np.array(sides)),
        ]
        owners = _solved(optimize, goal, limits, (items, n))
        utilities = _owners(values, owners).utilities
        added = [
            _add_secant(base, i, k, points, cuts, sides)
            for i in range(n)
            for k in (int(utilities[i]) - 1, int(utilities[i]))
            if k >= 1
        ]
        if not any(added):
            return owners


def _add_secant(
    base: Floats, i: int, k: int, points: list[set[int]], cuts: list[Floats], sides: list[float]
) -> bool:
    if k in points[i]:
        return False
    points[i].add(k)
    slope = float(np.log(k + 1) - np.log(k))
    row = -slope * base[i]
    row[len(row) - len(points) + i] = 1.0
    cuts.append(row)
    sides.append(float(np.log(k)) - slope * k)
    return True


def _solved(
    optimize: Any, goal: Floats, limits: list[Any], shape: tuple[int, int]
) -> NDArray[np.intp]:
    binaries = shape[0] * shape[1]
    lower, upper = np.full(len(goal), -np.inf), np.full(len(goal), np.inf)
    lower[:binaries], upper[:binaries] = 0.0, 1.0
    kinds = np.arange(len(goal)) < binaries
    found = optimize.milp(
        goal,
        integrality=kinds.astype(int),
        bounds=optimize.Bounds(lower, upper),
        constraints=limits,
        options={"mip_rel_gap": 1e-9},
    )
    if found.status != 0:
        raise RuntimeError(f"expected HiGHS to find an optimum, got: {found.message}")
    owners: NDArray[np.intp] = found.x[:binaries].reshape(shape).argmax(axis=1)
    return owners
