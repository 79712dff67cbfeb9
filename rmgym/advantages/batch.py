"""Turns of groups of trajectories as flat arrays: what every estimator takes and gives."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from rmgym.advantages.recorded import check_terms, outcome_of, states_of, tree_of, turn_reward
from rmgym.advantages.segments import Bools, Floats, Ints, offsets_of, positions, row_sums, spread
from rmgym.trajectory import TrajectoryGroup

Rows: TypeAlias = Sequence[Sequence[float]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupTurns:
    """Groups of trajectories, turn by turn, in ragged form.

    N turns of M trajectories in K groups. Turns of one trajectory lie together and in order; the
    trajectories of a group need not. Build it by `from_groups` or `from_lists`.

    Raises:
        ValueError: If there is no trajectory, a trajectory has no turn, shapes do not fit, or a
            value is not finite; the message names the array, the trajectory and the turn.
    """

    turn_rewards: Floats
    """Shape (N,): what each turn earned by itself; 0 where `granted` is False."""
    offsets: Ints
    """Shape (M + 1,): trajectory i has turns offsets[i] to offsets[i + 1]."""
    groups: Ints
    """Shape (M,): group of each trajectory, 0 to K - 1."""
    granted: Bools
    """Shape (N,): whether a turn-granted reward exists; a reward of 0 is not a missing one."""
    outcomes: Floats | None = None
    """Shape (M,): what the episode earned as a whole, on top of its turns."""
    values: Floats | None = None
    """Shape (N,): a critic's value of the state before each turn."""
    bootstraps: Floats | None = None
    """Shape (M,): value of the state after the last turn; 0 where the episode terminated."""
    states: Ints | None = None
    """Shape (N,): number of the state before each turn; each belongs to one group."""
    nodes: Ints | None = None
    """Shape (N,): number of the turn's node in the rollout tree; trajectories that share a turn
    share its node, and all nodes before it."""
    columns: Mapping[str, Floats] = field(default_factory=dict)
    """By reward term, shape (N,): its weighted reward at each turn."""

    def __post_init__(self) -> None:
        """Check shapes and values."""
        _check_rows(self.offsets, self.groups)
        turns, trajectories = int(self.offsets[-1]), len(self.groups)
        parts: list[tuple[str, NDArray[np.generic] | None, int]] = [
            ("turn_rewards", self.turn_rewards, turns),
            ("granted", self.granted, turns),
            ("outcomes", self.outcomes, trajectories),
            ("values", self.values, turns),
            ("bootstraps", self.bootstraps, trajectories),
            ("states", self.states, turns),
            ("nodes", self.nodes, turns),
            *((f"column {name!r}", column, turns) for name, column in self.columns.items()),
        ]
        for name, array, size in parts:
            if array is None:
                continue
            if array.shape != (size,):
                raise ValueError(f"{name}: expected shape ({size},), got {array.shape}")
            if array.dtype.kind == "f":
                self._check_finite(name, array)
            elif array.dtype.kind == "i" and array.min() < 0:
                raise ValueError(f"{name}: expected numbers from 0, got {array.min()}")
        if self.states is not None:
            self._check_owner("states", self.states, self.turn_groups, "group")
        if self.nodes is not None:
            self._check_owner("nodes", self.nodes, self.parents, "parent")

    @property
    def group_count(self) -> int:
        """Number of groups."""
        return int(self.groups.max()) + 1

    @property
    def lengths(self) -> Ints:
        """Turns of each trajectory, shape (M,)."""
        return np.diff(self.offsets)

    @property
    def positions(self) -> Ints:
        """Place of each turn in its trajectory, from 0, shape (N,)."""
        return positions(self.offsets)

    @property
    def turn_groups(self) -> Ints:
        """Group of each turn, shape (N,)."""
        return np.repeat(self.groups, self.lengths)

    @property
    def parents(self) -> Ints:
        """Node before each turn's node, shape (N,); -1 - group at the first turn.

        Raises:
            ValueError: If the batch has no nodes.
        """
        if self.nodes is None:
            raise ValueError("expected nodes, got a batch without")
        parents = np.roll(self.nodes, 1)
        parents[self.offsets[:-1]] = -1 - self.groups
        return parents

    @property
    def rewards(self) -> Floats:
        """All that each turn earned, the outcome on the last turn, shape (N,)."""
        rewards = self.turn_rewards.copy()
        if self.outcomes is not None:
            rewards[self.offsets[1:] - 1] += self.outcomes
        return rewards

    @property
    def returns(self) -> Floats:
        """Sum of each trajectory's rewards, shape (M,)."""
        sums = row_sums(self.turn_rewards, self.offsets)
        return sums if self.outcomes is None else sums + self.outcomes

    def slots(self) -> tuple[Ints, int]:
        """Return the number of each turn's (group, position) pair, and how many there are."""
        longest = np.zeros(self.group_count, dtype=np.int64)
        np.maximum.at(longest, self.groups, self.lengths)
        starts = offsets_of(longest)
        return starts[self.turn_groups] + self.positions, int(starts[-1])

    def column(self, name: str) -> Floats:
        """Return a reward term's weighted reward at each turn.

        Raises:
            ValueError: If the batch has no such column.
        """
        if name not in self.columns:
            raise ValueError(
                f"expected a column {name!r}, got {sorted(self.columns)}; name it in "
                "GroupTurns.from_groups(columns=...)"
            )
        return self.columns[name]

    def advantages(self, values: Floats, **extras: Floats) -> TurnAdvantages:
        """Return turn advantages of this batch, from one value a turn or one a trajectory."""
        if values.shape == self.groups.shape and values.shape != self.turn_rewards.shape:
            values = spread(values, self.offsets)
        return TurnAdvantages(values=values, offsets=self.offsets, extras=extras)

    @classmethod
    def from_lists(
        cls,
        rewards: Sequence[Sequence[float | None]],
        *,
        groups: Sequence[Hashable] | None = None,
        outcomes: Sequence[float] | None = None,
        values: Rows | None = None,
        bootstraps: Sequence[float] | None = None,
        states: Sequence[Sequence[Hashable]] | None = None,
        nodes: Sequence[Sequence[Hashable]] | None = None,
        columns: Mapping[str, Rows] | None = None,
    ) -> GroupTurns:
        """Return a batch from one list a trajectory.

        Args:
            rewards: Turn rewards of each trajectory; None for a turn that was granted none.
            groups: Label of each trajectory's group; one group when None.
            outcomes: Outcome of each trajectory, on top of its turn rewards.
            values: A critic's value before each turn.
            bootstraps: Value after the last turn of each trajectory.
            states: Label of the state before each turn.
            nodes: Label of each turn's node in the rollout tree, unique within the group.
            columns: Weighted rewards of each turn by reward term.

        Raises:
            ValueError: If lists do not fit each other or a value is not finite.
        """
        offsets = offsets_of([len(row) for row in rewards])
        labels = list(groups) if groups is not None else [0] * len(rewards)
        numbers = _number(labels)
        owners = np.repeat(numbers, np.diff(offsets))
        flat = [reward for row in rewards for reward in row]
        return cls(
            turn_rewards=np.array([0.0 if r is None else r for r in flat], dtype=np.float64),
            offsets=offsets,
            groups=numbers,
            granted=np.array([r is not None for r in flat], dtype=np.bool_),
            outcomes=_floats(outcomes),
            values=None if values is None else _turn_floats("values", values, offsets),
            bootstraps=_floats(bootstraps),
            states=None if states is None else _owned("states", states, offsets, owners),
            nodes=None if nodes is None else _owned("nodes", nodes, offsets, owners),
            columns={
                name: _turn_floats(f"column {name!r}", column, offsets)
                for name, column in (columns or {}).items()
            },
        )

    @classmethod
    def from_groups(
        cls,
        groups: Sequence[TrajectoryGroup],
        *,
        outcome: str | None = None,
        terms: Sequence[str] | None = None,
        columns: Sequence[str] = (),
        values: Rows | None = None,
        bootstraps: Sequence[float] | None = None,
    ) -> GroupTurns:
        """Return a batch from recorded trajectories, in the order of groups and attempts.

        The state before a turn is the `info["state_hash"]` of the turn before, at the first turn
        the opening observation. The rollout tree is that of equal turns (same observation and same
        text) after equal turns.

        Args:
            groups: The attempts, one group a task.
            outcome: Reward term that is the episode's outcome, kept apart from the turns' rewards;
                it must be there at every last turn.
            terms: Reward terms that make the turn reward; all of `Turn.reward` but the outcome when
                None. A turn with none of them was granted none.
            columns: Reward terms to keep apart as columns; a term absent at a turn adds 0 there.
            values: A critic's value before each turn, one row a trajectory.
            bootstraps: Value after the last turn of each trajectory.

        Raises:
            ValueError: If a group or trajectory is empty, or a term is never there.
        """
        for group in groups:
            if not group.trajectories:
                raise ValueError(
                    f"task {group.task_id!r}: expected at least one trajectory, got an empty "
                    "group; leave out the tasks whose attempts all failed"
                )
        attempts = [trajectory for group in groups for trajectory in group.trajectories]
        check_terms(attempts, [*(terms or ()), *columns, *([outcome] if outcome else ())])
        return cls.from_lists(
            [[turn_reward(turn, outcome, terms) for turn in each.turns] for each in attempts],
            groups=[i for i, group in enumerate(groups) for _ in group.trajectories],
            outcomes=[outcome_of(each, outcome) for each in attempts] if outcome else None,
            values=values,
            bootstraps=bootstraps,
            states=states_of(attempts),
            nodes=tree_of(groups),
            columns={
                name: [[t.reward_terms.get(name, 0.0) for t in each.turns] for each in attempts]
                for name in columns
            },
        )

    def _check_owner(self, name: str, numbers: Ints, owners: Ints, what: str) -> None:
        known = np.empty(int(numbers.max()) + 1, dtype=np.int64)
        known[numbers] = owners
        bad = np.flatnonzero(known[numbers] != owners)
        if bad.size:
            row = int(np.searchsorted(self.offsets, bad[0], side="right")) - 1
            raise ValueError(
                f"{name}: expected one {what} each, got a second for number {numbers[bad[0]]} in "
                f"trajectory {row}, turn {int(bad[0] - self.offsets[row])}"
            )

    def _check_finite(self, name: str, array: NDArray[np.generic]) -> None:
        bad = np.flatnonzero(~np.isfinite(array.astype(np.float64)))
        if bad.size == 0:
            return
        at = int(bad[0])
        place = f"trajectory {at}"
        if name not in ("outcomes", "bootstraps"):
            row = int(np.searchsorted(self.offsets, at, side="right")) - 1
            place = f"trajectory {row}, turn {at - int(self.offsets[row])}"
            at = row
        raise ValueError(
            f"{name}: expected finite numbers, got {array[bad[0]]} in {place} (group "
            f"{int(self.groups[at])}); leave an episode that could not be scored out of its group"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TurnAdvantages:
    """One advantage per turn, aligned with the batch that it was computed from."""

    values: Floats
    """Shape (N,)."""
    offsets: Ints
    """Shape (M + 1,), as in the batch."""
    extras: Mapping[str, Floats] = field(default_factory=dict)
    """What else the estimator gives, e.g. `clip_scale`; shape (N,) or (M,)."""

    def per_trajectory(self) -> list[Floats]:
        """Return one array per trajectory."""
        return np.split(self.values, self.offsets[1:-1])

    def extra(self, name: str) -> list[Floats]:
        """Return a turn-wise extra as one array per trajectory.

        Raises:
            KeyError: If the estimator gives no such extra.
            ValueError: If it is not one value a turn.
        """
        if name not in self.extras:
            raise KeyError(f"expected one of {sorted(self.extras)}, got {name!r}")
        if self.extras[name].shape != self.values.shape:
            raise ValueError(f"{name}: expected one value a turn, got {self.extras[name].shape}")
        return np.split(self.extras[name], self.offsets[1:-1])


def _check_rows(offsets: Ints, groups: Ints) -> None:
    if len(groups) == 0:
        raise ValueError("expected at least one trajectory, got none")
    if offsets.shape != (len(groups) + 1,):
        raise ValueError(f"offsets: expected shape ({len(groups) + 1},), got {offsets.shape}")
    empty = np.flatnonzero(np.diff(offsets) < 1)
    if offsets[0] != 0 or empty.size:
        raise ValueError(
            "expected at least one turn per trajectory, got none in trajectories "
            f"{empty.tolist()}; leave out episodes that never started"
        )
    if groups.min() < 0 or (np.bincount(groups) == 0).any():
        raise ValueError(f"groups: expected numbers from 0 without gaps, got {np.unique(groups)}")


def _number(labels: Iterable[Hashable]) -> Ints:
    """Return the labels as numbers, in order of first appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.int64)


def _flat(name: str, rows: Sequence[Sequence[T]], offsets: Ints) -> list[T]:
    lengths = [len(row) for row in rows]
    if lengths != np.diff(offsets).tolist():
        raise ValueError(f"{name}: expected one entry per turn of each trajectory, got {lengths}")
    return [entry for row in rows for entry in row]


def _turn_floats(name: str, rows: Rows, offsets: Ints) -> Floats:
    return np.array(_flat(name, rows, offsets), dtype=np.float64)


def _owned(name: str, rows: Sequence[Sequence[Hashable]], offsets: Ints, owners: Ints) -> Ints:
    """Number labels that are unique within a group."""
    return _number(zip(owners.tolist(), _flat(name, rows, offsets), strict=True))


def _floats(values: Sequence[float] | None) -> Floats | None:
    return None if values is None else np.array(values, dtype=np.float64)
