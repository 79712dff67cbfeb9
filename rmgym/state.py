"""Episodes that can be stopped, resumed and copied in the middle."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

import gymnasium as gym
import numpy as np
from gymnasium.error import ResetNeeded

from rmgym.conversation import Conversation, ConversationState


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvState:
    """An environment in the middle of an episode; can be pickled."""

    episode: bytes
    """The setting's episode, pickled: sharing nothing with the running environment."""
    conversations: Mapping[str, ConversationState]
    """The record of each seat."""
    random_state: Mapping[str, Any]
    """State of the environment's random stream."""


class Forkable:
    """What environments with one speaker and with several share: their state.

    A subclass keeps everything that changes during an episode in `episode`, `records` and
    `np_random`, or adds it to what `_capture` returns.
    """

    episode: Any
    records: dict[str, Conversation]
    np_random: np.random.Generator
    _forks: int = 0

    def _capture(self) -> Any:
        return self.episode

    def _restore(self, captured: Any) -> None:
        self.episode = captured

    def get_state(self) -> EnvState:
        """Return the episode as it stands, to be resumed by `set_state` here or elsewhere.

        Raises:
            ResetNeeded: If no episode has begun.
        """
        if not self.records:
            raise ResetNeeded("expected reset() before get_state() or fork()")
        return EnvState(
            episode=pickle.dumps(self._capture()),
            conversations={seat: record.snapshot() for seat, record in self.records.items()},
            random_state=copy.deepcopy(dict(self.np_random.bit_generator.state)),
        )

    def set_state(self, state: EnvState) -> None:
        """Go on from a state taken by `get_state` on an environment made alike."""
        self._restore(pickle.loads(state.episode))
        self.records = {
            seat: Conversation.restore(record) for seat, record in state.conversations.items()
        }
        stream = np.random.default_rng()
        stream.bit_generator.state = copy.deepcopy(dict(state.random_state))
        self.np_random = stream

    def fork(self, *, seed: int | None = None, same_stream: bool = False) -> Self:
        """Return an independent copy in the same state.

        Args:
            seed: Seeds the copy's random stream; equal seeds give common random numbers to forks
                of different states. By default each fork gets a stream of its own.
            same_stream: Draw the same random numbers as this environment would.
        """
        twin = copy.copy(self)
        twin.set_state(self.get_state())
        if not same_stream:
            twin.np_random = np.random.default_rng(self._fork_seed() if seed is None else seed)
        return twin

    def _fork_seed(self) -> list[int]:
        self._forks += 1
        state = pickle.dumps(self.np_random.bit_generator.state)
        return [self._forks, int.from_bytes(blake2b(state, digest_size=8).digest(), "big")]


def fork(env: gym.Env[Any, Any], *, seed: int | None = None, same_stream: bool = False) -> Any:
    """Return an independent copy of an environment in mid-episode, wrappers included.

    Wrappers are copied shallowly, so one that holds episode state must replace it and never
    change it in place, as those of rmgym do.

    Args:
        env: An environment of rmgym, wrapped or not.
        seed: Seeds the copy's random stream; by default it gets a stream of its own.
        same_stream: Draw the same random numbers as `env` would.

    Raises:
        TypeError: If the innermost environment cannot fork.
    """
    if isinstance(env, gym.Wrapper):
        twin = copy.copy(env)
        twin.env = fork(env.env, seed=seed, same_stream=same_stream)
        return twin
    if not hasattr(env, "fork"):
        raise TypeError(f"expected an environment with a fork method, got {type(env).__name__}")
    return env.fork(seed=seed, same_stream=same_stream)
