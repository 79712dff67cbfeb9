"""A world of two steps whose turn values are known by hand.

The agent makes two moves. `up` climbs one step, `down` none, `leap` one with probability 1/2, drawn
by the world. It has succeeded at height 2. A policy that goes up with probability p has the values

    V(start) = p^2,   V(after up) = p,   V(after down) = 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rmgym import Call, ChatEnv, Completion, Context, Opening, Reply, Tool
from rmgym.messages import message
from rmgym.protocols import Grant

MOVES = 2
TOOLS = tuple(Tool(name=name, description="a move") for name in ("up", "down", "leap"))


@dataclass(frozen=True, slots=True)
class Climb:
    height: int = 0
    moves: int = 0


class Gain:
    """The height that a turn won."""

    name = "gain"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        return [float(context.last.info["event"]["gain"]) for context in contexts]


class Success:
    name = "top"
    grant: Grant = "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        return [context.last.info["metrics"]["success"] for context in contexts]


class ClimbEnv(ChatEnv[Climb]):
    def __init__(self) -> None:
        super().__init__(tools=TOOLS, rewards=[Gain(), Success()], max_turns=MOVES + 1)

    def begin_episode(self, options: Mapping[str, Any]) -> Opening:
        self.episode = Climb()
        hill = int(self.np_random.integers(1000))
        return Opening(task_id=f"hill-{hill}", messages=(message("user", f"Climb hill {hill}."),))

    def respond(self, call: Call) -> Reply:
        luck = float(self.np_random.random())
        gain = {"up": 1, "down": 0, "leap": int(luck < 0.5)}[call.name]
        self.episode = Climb(self.episode.height + gain, self.episode.moves + 1)
        metrics = {"height": float(self.episode.height)}
        stop = None
        if self.episode.moves == MOVES:
            stop, metrics["success"] = "top", float(self.episode.height == MOVES)
        return Reply(
            messages=(message("user", f"You are at {self.episode.height}."),),
            stop_reason=stop,
            event={"kind": "move", "gain": gain},
            metrics=metrics,
        )


class Script:
    """Plays these moves, whatever happens."""

    def __init__(self, *moves: str) -> None:
        self.moves = moves

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        return [Completion(text=f"<{self.moves[len(c.turns)]}/>") for c in contexts]


class Wavering:
    """Goes up with probability p, else down; the draws depend on the seed and the turn alone."""

    def __init__(self, seed: int, p: float = 0.6) -> None:
        self.seed = seed
        self.p = p

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        return [Completion(text=self._say(len(context.turns))) for context in contexts]

    def _say(self, turn: int) -> str:
        draw = np.random.default_rng([self.seed, turn]).random()
        return "<up/>" if draw < self.p else "<down/>"
