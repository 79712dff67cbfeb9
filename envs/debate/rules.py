"""The dials of a debate, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rmgym.envs.debate import prompts
from rmgym.envs.debate.decision import DecisionRule
from rmgym.envs.debate.judges import DebateJudge, JudgeKind
from rmgym.envs.debate.state import Visibility

Order: TypeAlias = Literal["simultaneous", "sequential"]
FEWEST, MOST = 2, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DebateRules:
    """Everything about a debate but its questions, rewards and measures."""

    agents: int = 4
    rounds: int = 6
    order: Order = "simultaneous"
    framing: prompts.Framing = "none"
    judge: JudgeKind | DebateJudge = "none"
    decision: DecisionRule = "majority"
    visibility: Visibility = "all"
    memory: int | None = None
    pressure: float = 0.0
    announce_prize: bool = True
    informed: int = 0
    planted: int = 0
    post_hoc: bool = False
    max_characters: int | None = None

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ValueError: If one is out of its range.
        """
        if not FEWEST <= self.agents <= MOST:
            raise ValueError(f"expected {FEWEST} to {MOST} agents, got {self.agents}")
        if self.rounds < 1 or (self.memory is not None and self.memory < 0):
            raise ValueError(
                f"expected rounds of at least 1 and memory of at least 0, got {self.rounds} and "
                f"{self.memory}"
            )
        if self.informed < 0 or self.planted < 0 or self.informed + self.planted > self.agents:
            raise ValueError(
                f"expected informed and planted seats among {self.agents}, got {self.informed} "
                f"and {self.planted}"
            )
        choices: tuple[tuple[str, object, Sequence[str]], ...] = (
            ("order", self.order, tuple(prompts.ORDER)),
            ("framing", self.framing, tuple(prompts.FRAMINGS)),
            ("decision", self.decision, tuple(prompts.FINAL)),
            ("visibility", self.visibility, ("all", "neighbours", "own")),
        )
        for name, value, known in choices:
            if value not in known:
                raise ValueError(f"expected {name} of {list(known)}, got {value!r}")
        if self.decision == "last_alive" and self.judge != "peer":
            raise ValueError('expected judge "peer" with decision "last_alive": nobody else votes')

    @property
    def seats(self) -> list[str]:
        """The anonymous names."""
        return [f"Agent{number}" for number in range(1, self.agents + 1)]

    @property
    def most_steps(self) -> int:
        """Steps of the longest debate."""
        a_round = self.agents if self.order == "sequential" else 1
        return self.rounds * (a_round + (self.judge == "peer")) + self.post_hoc
