"""The running debate: who holds what, who is in, what was said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from rmgym.envs.debate.decision import Outcome, Stance, support
from rmgym.errors import ParseError

Phase: TypeAlias = Literal["speak", "vote", "form"]
Visibility: TypeAlias = Literal["all", "neighbours", "own"]


@dataclass(slots=True)
class RoundRecord:
    """One round as it happened, for pictures and measures."""

    number: int
    speeches: dict[str, str] = field(default_factory=dict)
    """The whole turn of each seat that was in."""
    holds: dict[str, str] = field(default_factory=dict)
    """The answer that each seat held after the round."""
    gave_in: list[str] = field(default_factory=list)
    """The seats that agreed to another's answer in this round."""
    judge: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    votes: dict[str, str] = field(default_factory=dict)
    out: str | None = None
    """Who was voted out after it."""


@dataclass(slots=True)
class Debate:
    """One debate."""

    task: int
    code: int
    """Names the debate; scripted debaters and judges draw from it."""
    seats: list[str]
    alive: list[str]
    phase: Phase = "speak"
    speaker: int = 0
    """Whose turn it is in a sequential round, as a place in `alive`."""
    rounds: list[RoundRecord] = field(default_factory=list)
    stances: dict[str, Stance] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)
    """The first answer of each seat."""
    flips: dict[str, list[int]] = field(default_factory=dict)
    """Of each seat: changes from right to wrong, and from wrong to right."""
    merit: dict[str, float] = field(default_factory=dict)
    """Sum of the judge's scores, or minus the votes received."""
    outcome: Outcome | None = None
    reason: str = ""
    """Why the debate ended."""
    characters: int = 0

    @property
    def round(self) -> RoundRecord:
        """The running round."""
        return self.rounds[-1]

    def begin_round(self) -> None:
        """Open the next round."""
        self.phase, self.speaker = "speak", 0
        self.rounds.append(RoundRecord(len(self.rounds) + 1))

    def seen_by(self, seat: str, visibility: Visibility) -> list[str]:
        """Return the other seats that a seat can hear; neighbours stand on a ring."""
        others = [each for each in self.alive if each != seat]
        if visibility == "all":
            return others
        if visibility == "own" or seat not in self.alive:
            return []
        place, size = self.alive.index(seat), len(self.alive)
        ring = {self.alive[(place - 1) % size], self.alive[(place + 1) % size]}
        return [each for each in others if each in ring]

    def agreed_stance(
        self, seat: str, target: object, held: Mapping[str, Stance], visible: list[str]
    ) -> Stance:
        """Return the stance that a seat takes by agreeing.

        Args:
            seat: Who agrees.
            target: With whom; None for the answer that most of the visible seats hold.
            held: The stances that it could know of.
            visible: The seats that it can hear.

        Raises:
            ParseError: If there is no such seat, or no answer to agree with.
        """
        if target is None:
            groups = support(held, visible)
            if not groups:
                raise ParseError("expected an answer of another agent to agree with, got none yet")
            key = max(groups, key=lambda each: len(groups[each]))
            target = groups[key][0]
        elif target not in visible:
            raise ParseError(f"expected one of {visible} to agree with, got another name")
        if target not in held:
            raise ParseError("expected an agent that holds an answer, got one that holds none")
        return Stance(held[str(target)].answer, len(self.rounds), own=False)

    def take(self, seat: str, stance: Stance, was_right: bool | None, is_right: bool) -> None:
        """Enter a new stance; one's own answer repeated stays as old as it is."""
        old = self.stances.get(seat)
        if old is not None and old.own and stance.own and old.key == stance.key:
            return
        self.stances[seat] = stance
        self.first.setdefault(seat, stance.answer)
        if was_right is not None and was_right != is_right:
            self.flips.setdefault(seat, [0, 0])[int(is_right)] += 1

    def agreement_of(self, seat: str) -> float | None:
        """Return the share of the other seats in that hold the seat's answer."""
        others = [each for each in self.alive if each != seat]
        own = self.stances.get(seat)
        if own is None or not others:
            return None
        same = [o for o in others if o in self.stances and self.stances[o].key == own.key]
        return len(same) / len(others)

    def said_by(self, seat: str) -> list[str]:
        """Return the messages of a seat, in order, silences left out."""
        said = [record.speeches.get(seat, "") for record in self.rounds]
        return [text for text in said if text.strip()]


def consensus(debate: Debate) -> float:
    """Return the share of pairs of seats in that hold the same answer; 1 for a seat alone."""
    alive = debate.alive
    pairs = len(alive) * (len(alive) - 1) / 2
    if not pairs:
        return 1.0
    groups = support(debate.stances, alive).values()
    return sum(len(group) * (len(group) - 1) / 2 for group in groups) / pairs
