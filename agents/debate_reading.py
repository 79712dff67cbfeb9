"""What scripted debaters read out of a conversation of `rmgym/Debate-v0`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

import numpy as np

from rmgym.trajectory import Context

_HEAD = re.compile(r"You are (\S+) in debate (\d+) of \d+ agents: (.+)\.$", re.MULTILINE)
_NOTE = re.compile(r"^For your eyes only: (argue|you know) .*\[(.*)\]\.$", re.MULTILINE)
_PRIZE = re.compile(r"^The winner is paid ([0-9.e+-]+) points", re.MULTILINE)
_SPEECH = re.compile(
    r"^\[(\S+)\] (?:(no answer)|(?:(agrees on)|answer) ([^\n]*))((?:\n\|[^\n]*)*)", re.MULTILINE
)
_JUDGE = re.compile(r"^\[Judge\]((?:\n\|[^\n]*)+)", re.MULTILINE)
_HOLD = re.compile(r"^You hold: (.*?) (?:Round \d+ begins|Vote for the worst)", re.MULTILINE)
_BEGINS = re.compile(r"Round (\d+) begins\.")
_VOTE = re.compile(r"Vote for the worst proposal: one of (.+)\.")


class Speech(NamedTuple):
    """What another agent said in a round."""

    seat: str
    answer: str | None
    gave_in: bool
    text: str


class Opening(NamedTuple):
    """What the first message says."""

    seat: str
    code: int
    seats: tuple[str, ...]
    question: str
    note: str | None
    """The answer of a private note."""
    prize: float


@lru_cache(maxsize=256)
def read_opening(text: str) -> Opening:
    """Return what the first message of a debate says.

    Raises:
        ValueError: If it is not the first message of a debate.
    """
    head = _HEAD.search(text)
    if head is None:
        raise ValueError(f"expected the opening of a debate, got {text[:80]!r}")
    note, prize = _NOTE.search(text), _PRIZE.search(text)
    return Opening(
        seat=head[1],
        code=int(head[2]),
        seats=tuple(head[3].split(", ")),
        question=text.rpartition("Question: ")[2].strip(),
        note=note[2] if note else None,
        prize=float(prize[1]) if prize else 0.0,
    )


@lru_cache(maxsize=1024)
def read_speeches(text: str) -> tuple[Speech, ...]:
    """Return the speeches of a message."""
    return tuple(
        Speech(found[1], None if found[2] else found[4], bool(found[3]), found[5].strip())
        for found in _SPEECH.finditer(text)
        if found[1] != "Judge"
    )


def _contents(messages: Sequence[object]) -> str:
    return "\n".join(str(said["content"]) for said in messages if isinstance(said, dict))


@dataclass(frozen=True, slots=True)
class DebateView:
    """A debate as one agent sees it now."""

    context: Context
    opening: Opening
    text: str
    """All that was heard since the agent last spoke."""

    @classmethod
    def of(cls, context: Context) -> DebateView:
        """Return the view of a context."""
        first = context.turns[0].observation if context.turns else context.observation
        return cls(context, read_opening(first[0]["content"]), _contents(context.observation))

    @property
    def round(self) -> int:
        """The running round, from 1."""
        begun = _BEGINS.findall(self.text)
        if begun:
            return int(begun[-1])
        earlier = [_BEGINS.findall(_contents(turn.observation)) for turn in self.context.turns]
        return max((int(found[-1]) for found in earlier if found), default=1)

    @property
    def has_to_vote(self) -> bool:
        """Whether a vote is called."""
        return "Vote for the worst proposal" in self.text

    @property
    def candidates(self) -> list[str]:
        """Whom the agent may vote for."""
        found = _VOTE.search(self.text)
        named = found[1].split(", ") if found else []
        return [seat for seat in named if seat != self.opening.seat]

    @property
    def has_form(self) -> bool:
        """Whether the form is to be filled in."""
        return "Fill in the form" in self.text

    @property
    def has_won(self) -> bool:
        """Whether the form says that the agent won."""
        return ": you won." in self.text

    @property
    def heard(self) -> list[Speech]:
        """The speeches last heard, each agent's newest; a vote may lie between."""
        found = read_speeches(self.text)
        if not found and self.context.turns:
            found = read_speeches(_contents(self.context.turns[-1].observation))
        spoken = {speech.seat: speech for speech in found}
        return list(spoken.values())

    def heard_first(self) -> list[Speech]:
        """Return the first speech of each agent that the conversation still holds."""
        parts = [_contents(turn.observation) for turn in self.context.turns] + [self.text]
        found: dict[str, Speech] = {}
        for part in parts:
            for speech in read_speeches(part):
                found.setdefault(speech.seat, speech)
        return list(found.values())

    @property
    def holds(self) -> str | None:
        """The agent's standing answer as it was last told."""
        found = _HOLD.findall(self.text)
        return found[-1] if found else None

    @property
    def judge(self) -> str:
        """The judge's last remark; empty without one."""
        found = _JUDGE.findall(self.text)
        return found[-1].replace("\n|", "\n").strip() if found else ""

    @property
    def favourite(self) -> str | None:
        """The first other agent that the judge named in a remark without scores."""
        remark = self.judge
        if not remark or "relevance" in remark:
            return None
        named = [seat for seat in self.opening.seats if re.search(rf"\b{seat}\b", remark)]
        named.sort(key=remark.index)
        return named[0] if named and named[0] != self.opening.seat else None

    def rng(self, seed: int, purpose: int = 0) -> np.random.Generator:
        """Return a random stream of the debate's number, the seat and the purpose alone.

        Framing, prize and what was said do not move it, so that arms of an experiment share it.
        """
        return np.random.default_rng(
            [seed, self.opening.code, crc32(self.opening.seat.encode()), purpose]
        )


def most_held(answers: Sequence[str | None], own: str | None) -> str | None:
    """Return the answer that most hold; among equals one's own, else the first heard.

    >>> most_held(["4", "5", "5"], "4"), most_held(["5", "5"], "4"), most_held([None], None)
    ('4', '5', None)
    """
    counts = Counter(answer for answer in (own, *answers) if answer is not None)
    return max(counts, key=lambda answer: counts[answer]) if counts else None
