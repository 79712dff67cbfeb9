"""The rules of the benchmark: one task after another to one member each, until the queue is empty.

Both faces of the setting play this simulator; the vector environment computes the same in NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from rmgym.envs.welfare.case import Case
from rmgym.rewards.welfare import POINTS

StopReason = Literal["queue_empty", "one_left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What bounds a flow.

    Raises:
        ValueError: If a bound is not positive.
    """

    max_assignments: int = 100
    max_failures: int = 6
    """After so many failures a task is skipped."""
    elimination: bool = False
    """Members that are not chosen lose health, and leave below 0."""
    start_health: int = 5
    spare_turns: int = 10
    """Turns beyond `max_assignments`, for those that assign nothing."""

    def __post_init__(self) -> None:
        """Check the bounds."""
        bounds = (self.max_assignments, self.max_failures, self.start_health)
        if min(bounds) < 1 or self.spare_turns < 0:
            raise ValueError(
                "expected max_assignments, max_failures and start_health of at least 1 and "
                f"spare_turns of at least 0, got {bounds} and {self.spare_turns}"
            )

    @property
    def max_turns(self) -> int:
        """The turns that an episode may take."""
        return self.max_assignments + self.spare_turns


class Outcome(NamedTuple):
    """What one assignment gave."""

    task: int
    member: int
    solved: bool
    cost: float
    skipped: bool


@dataclass(slots=True)
class Allocation:
    """One flow being worked off.

    Args:
        case: The world.
        rules: The bounds.
    """

    case: Case
    rules: Rules
    task: int = 0
    failures: int = 0
    """Of the current task."""
    assignments: int = 0
    total_solved: int = 0
    total_cost: float = 0.0
    spread: int = 0
    """Sum over pairs of members of the difference of their assignments."""
    counts: list[int] = field(default_factory=list)
    solved: list[int] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    alive: list[bool] = field(default_factory=list)
    health: list[int] = field(default_factory=list)
    failed: list[bool] = field(default_factory=list)
    """Who failed the current task."""
    stopped: StopReason | None = None
    cut: bool = False
    """Whether the bound on assignments was reached before the queue was empty."""

    def __post_init__(self) -> None:
        """Begin: nobody has anything."""
        n = self.case.members
        self.counts, self.solved, self.costs = [0] * n, [0] * n, [0.0] * n
        self.alive, self.failed = [True] * n, [False] * n
        self.health = [self.rules.start_health] * n

    @property
    def ended(self) -> bool:
        """Whether nothing is left to assign."""
        return self.cut or self.stopped is not None

    def assign(self, member: int) -> Outcome:
        """Give the current task to a member who is still there.

        In elimination, when this leaves one member alone, it gets all that is left at once.
        """
        outcome = self._assign(member)
        if self.rules.elimination and not self.ended:
            self._lose_health(member)
            if sum(self.alive) == 1:
                survivor = self.alive.index(True)
                while not self.ended:
                    self._assign(survivor)
                self.stopped, self.cut = "one_left", False
        return outcome

    def _assign(self, member: int) -> Outcome:
        task, counts = self.task, self.counts
        solved, cost = self.case.solved[task][member], self.case.cost[task][member]
        had = counts[member]
        self.spread += 2 * sum([count <= had for count in counts]) - len(counts) - 1
        counts[member] = had + 1
        self.assignments += 1
        self.costs[member] += cost
        self.total_cost += cost
        if solved:
            self.solved[member] += 1
            self.total_solved += 1
        else:
            self.failures += 1
        skipped = self.failures == self.rules.max_failures
        if solved or skipped:
            self.task, self.failures = task + 1, 0
            self.failed = [False] * len(counts)
        else:
            self.failed[member] = True
        if self.task == self.case.tasks:
            self.stopped = "queue_empty"
        elif self.assignments == self.rules.max_assignments:
            self.cut = True
        return Outcome(task, member, solved, cost, skipped)

    def _lose_health(self, chosen: int) -> None:
        refill = 3 * sum(self.alive)
        for member, alive in enumerate(self.alive):
            if member == chosen:
                self.health[member] = refill
            elif alive:
                self.health[member] -= 1
                self.alive[member] = self.health[member] >= 0

    @property
    def gini(self) -> float:
        """Gini index of the assignments, those who have none included; 0 before the first."""
        return self.spread / (len(self.counts) * self.assignments) if self.assignments else 0.0

    @property
    def roi(self) -> float:
        """Reward points per GPU-second so far; 0 before the first assignment."""
        return POINTS * self.total_solved / self.total_cost if self.assignments else 0.0

    @property
    def swf(self) -> float:
        """(1 - Gini) times return on cost."""
        return (1.0 - self.gini) * self.roi
