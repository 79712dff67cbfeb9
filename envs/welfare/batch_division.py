"""Thousands of divisions at once in NumPy: the same rules as `DivisionState`, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rmgym.envs.welfare.batch import Rows
from rmgym.envs.welfare.division import (
    Division,
    DivisionRules,
    amounts_of,
    draw_worth,
    whole_numbers,
)
from rmgym.envs.welfare.features import division_features
from rmgym.rewards.welfare import gini


class BatchDivision:
    """`n` divisions of one kind side by side.

    Args:
        kind: "budget" or "indivisible".
        rules: What is divided among whom.
        n: How many divisions.
    """

    def __init__(self, kind: Division, rules: DivisionRules, n: int) -> None:
        self.kind: Division = kind
        self.rules = rules
        self.worth = np.zeros((n, rules.rounds + 1, rules.recipients))
        """With a row of zeros after the last round."""
        self.flows = np.zeros(n, dtype=np.int64)
        self.round = np.zeros(n, dtype=np.int64)
        self.turns = np.zeros(n, dtype=np.int64)
        self._utilities = np.zeros((n, rules.recipients))
        self.terminated = np.zeros(n, dtype=np.bool_)
        self.truncated = np.zeros(n, dtype=np.bool_)
        self._all_legal = np.ones((n, rules.recipients), dtype=np.bool_)

    def renew(self, rows: Rows, flows: Sequence[int]) -> None:
        """Begin divisions anew in some rows."""
        for row, flow in zip(rows, flows, strict=True):
            self.worth[row, :-1] = draw_worth(self.kind, self.rules, int(flow))
        self.flows[rows] = flows
        self.round[rows], self.turns[rows], self._utilities[rows] = 0, 0, 0.0
        self.terminated[rows] = self.truncated[rows] = False

    def play(self, rows: Rows, actions: NDArray[Any]) -> None:
        """Play one turn in some rows; an action that is not legal gives nothing."""
        self.turns[rows] += 1
        if self.kind == "budget":
            self._divide(rows, np.asarray(actions, dtype=np.float64)[rows])
        else:
            self._give(rows, whole_numbers(actions)[rows])
        self.terminated[rows] = self.round[rows] == self.rules.rounds
        spent = self.turns[rows] >= self.rules.max_turns
        self.truncated[rows] = spent & ~self.terminated[rows]

    def _divide(self, rows: Rows, shares: NDArray[np.float64]) -> None:
        legal = (np.isfinite(shares) & (shares >= 0)).all(axis=1)
        rows, shares = rows[legal], shares[legal]
        amounts = amounts_of(shares, self.rules.budget)
        needs = self.worth[rows, self.round[rows]]
        self._utilities[rows] += needs * np.power(amounts, self.rules.curvature)
        self.round[rows] += 1

    def _give(self, rows: Rows, chosen: NDArray[np.int64]) -> None:
        legal = (chosen >= 0) & (chosen < self.rules.recipients)
        rows, chosen = rows[legal], chosen[legal]
        self._utilities[rows, chosen] += self.worth[rows, self.round[rows], chosen]
        self.round[rows] += 1

    @property
    def features(self) -> NDArray[np.float32]:
        """The observation of each row."""
        now = self.worth[np.arange(len(self.round)), self.round]
        progress = (self.round / self.rules.rounds)[:, None]
        return division_features(self.kind, now, self._utilities, progress)

    def utilities(self) -> NDArray[np.float64]:
        """Return what each recipient of each row has."""
        return self._utilities

    def legal(self) -> NDArray[np.bool_]:
        """Return who can be chosen in each row."""
        return self._all_legal

    def metrics(self) -> dict[str, NDArray[np.float64]]:
        """Return figures of each row."""
        return {
            "fairness": 1.0 - gini(self._utilities),
            "total": self._utilities.sum(axis=1),
            "least": self._utilities.min(axis=1),
        }
