"""The arguments that both faces of the setting share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rmgym.envs.welfare.allocation import Rules
from rmgym.envs.welfare.case import Roster
from rmgym.envs.welfare.division import DivisionRules
from rmgym.envs.welfare.members import Member, choose_members

Mode: TypeAlias = Literal["swf", "budget", "indivisible", "dilemma"]
MODES: tuple[Mode, ...] = ("swf", "budget", "indivisible", "dilemma")
DEFAULT_ROUNDS = {"budget": 1, "indivisible": 8}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is allocated, among whom, and what bounds an episode.

    Raises:
        ValueError: If an argument is out of its range.
    """

    mode: Mode = "swf"
    members: int | Sequence[Member] = 12
    tasks: int = 50
    max_assignments: int = 100
    max_failures: int = 6
    elimination: bool = False
    start_health: int = 5
    recipients: int = 6
    rounds: int | None = None
    budget: float = 100.0
    curvature: float = 0.5
    spare_turns: int = 10

    def __post_init__(self) -> None:
        """Check the mode."""
        if self.mode not in MODES:
            raise ValueError(f"expected a mode of {list(MODES)}, got {self.mode!r}")

    @property
    def rules(self) -> Rules:
        """The bounds of a flow."""
        return Rules(
            max_assignments=self.max_assignments,
            max_failures=self.max_failures,
            elimination=self.elimination,
            start_health=self.start_health,
            spare_turns=self.spare_turns,
        )

    @property
    def division(self) -> DivisionRules:
        """What is divided among whom."""
        rounds = DEFAULT_ROUNDS[self.mode] if self.rounds is None else self.rounds
        return DivisionRules(
            recipients=self.recipients,
            rounds=rounds,
            budget=self.budget,
            curvature=self.curvature,
            spare_turns=self.spare_turns,
        )

    def roster(self) -> Roster:
        """Return the members with what the drawing of worlds needs."""
        return Roster(choose_members(self.members), self.tasks)
