"""One seat of an arena as an ordinary Gymnasium environment, the others played by policies."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

import gymnasium as gym
from gymnasium.error import ResetNeeded

from rmgym.arena import ChatArena
from rmgym.messages import Observation
from rmgym.protocols import Policy
from rmgym.state import EnvState
from rmgym.trajectory import Context


class SingleSeat(gym.Env[Observation, str]):
    """A learner's view of an arena.

    A step is one turn of the learner: the others then speak until the learner may speak again or
    is out. What it earns in between belongs to that step.

    Args:
        arena: The arena.
        seat: The learner's seat.
        others: Who plays each of the other seats.

    Raises:
        ValueError: If `seat` is not a seat, or not every other seat has a policy.
    """

    def __init__(
        self, arena: ChatArena[Any], seat: str, others: Mapping[str, Policy] | None = None
    ) -> None:
        others = dict(others or {})
        expected = set(arena.possible_agents) - {seat}
        if seat not in arena.possible_agents or set(others) != expected:
            raise ValueError(
                f"expected one policy for each seat of {arena.possible_agents} but {seat!r}, "
                f"got {sorted(others)}"
            )
        self.arena = arena
        self.seat = seat
        self.others = others
        self.metadata = arena.metadata
        self.render_mode = arena.render_mode
        self.observation_space = arena.observation_space(seat)
        self.action_space = arena.action_space(seat)
        self._unspoken_end = False

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools as JSON schemas, as chat templates take them."""
        return self.arena.tools

    @property
    def state_hash(self) -> str:
        """A short name of the learner's current state."""
        return self.arena.state_key(self.seat) or self.arena.records[self.seat].digest.hex()

    @property
    def context(self) -> Context:
        """What the learner's policy may see now."""
        return self.arena.context(self.seat)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; seats that speak before the learner do so at once.

        If they end it before the learner may speak, the first step returns that end.
        """
        super().reset(seed=seed)
        _, infos = self.arena.reset(seed=seed, options=options)
        info = infos[self.seat]
        self._wait(bool(info["may_speak"]))
        record = self.arena.records[self.seat]
        self._unspoken_end = record.ended
        info = {**info, "state_hash": self.state_hash, "may_speak": not record.ended}
        return record.observation, info

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play the learner's turn, then the others' until the learner is asked again."""
        if not self._unspoken_end:
            if self.seat not in self.arena.agents:
                raise ResetNeeded(f"expected reset(): {self.seat!r} is not in a running episode")
            *_, infos = self.arena.step({self.seat: action, **self._others_say()})
            self._wait(infos[self.seat]["may_speak"])
        self._unspoken_end = False
        record = self.arena.records[self.seat]
        turn = record.turns[-1]
        info = {**turn.info, "state_hash": self.state_hash, "may_speak": not turn.ended}
        return record.observation, turn.reward, turn.terminated, turn.truncated, info

    def _wait(self, may_speak: bool) -> None:
        while not may_speak and self.seat in self.arena.agents:
            *_, infos = self.arena.step(self._others_say())
            may_speak = infos[self.seat]["may_speak"]

    def _others_say(self) -> dict[str, str]:
        speakers = self.arena.speakers()
        said = {}
        for seat in self.arena.agents:
            if seat != self.seat and seat in speakers:
                said[seat] = self.others[seat].act([self.arena.context(seat)])[0].text
        return said

    def render(self) -> Any:
        """Return the transcript of every seat ("ansi")."""
        return self.arena.render()

    def get_state(self) -> EnvState:
        """Return the episode as it stands, to be resumed by `set_state`."""
        return self.arena.get_state()

    def set_state(self, state: EnvState) -> None:
        """Go on from a state taken by `get_state`."""
        self.arena.set_state(state)
        record = self.arena.records[self.seat]
        self._unspoken_end = record.ended and not record.turns[0].completion.text

    def fork(self, *, seed: int | None = None, same_stream: bool = False) -> Self:
        """Return an independent copy in the same state; see `ChatEnv.fork`."""
        twin = copy.copy(self)
        twin.arena = self.arena.fork(seed=seed, same_stream=same_stream)
        return twin
