"""Where one episode at a time is played: an environment in a thread, or elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

import gymnasium as gym
from gymnasium.vector import VectorEnv

from rmgym.composition import RewardComposition
from rmgym.errors import BackendError
from rmgym.rollout.stages import Begun
from rmgym.rollout.threads import WorkerThread
from rmgym.trajectory import Completion, Context, Turn
from rmgym.vector_workers import StepOutcome
from rmgym.wrappers.episode import env_name, takes_completions
from rmgym.wrappers.turn_reward import TurnReward

MakeEnv: TypeAlias = Callable[[], gym.Env[Any, Any]]
AnyEnv: TypeAlias = str | gym.Env[Any, Any] | VectorEnv[Any, Any, Any] | MakeEnv
"""An id, one environment, a vector of them, or what makes one after another."""


class SeatLostError(BackendError):
    """Raised when the process that plays an episode has died; the episode is begun again."""


class Seat(Protocol):
    """Plays one episode at a time.

    Each call raises `BackendError` if a part outside the conversation broke, `SeatLostError` if
    the seat itself did.
    """

    @property
    def is_usable(self) -> bool:
        """Whether the next call will be answered: False while one that was given up goes on."""
        ...

    async def env_id(self) -> str:
        """Return the registered id of the environment, or the name of its class."""
        ...

    async def begin(self, seed: int) -> Begun:
        """Begin an episode."""
        ...

    async def play(self, said: Completion) -> StepOutcome:
        """Play one turn."""
        ...

    async def cut(self, context: Context, reason: str) -> Turn:
        """Return the last turn of an episode that a budget of the rollout ended."""
        ...

    async def close(self) -> None:
        """Close the environment."""
        ...


class EnvHost:
    """An environment and what engines ask of it, without a thread of its own.

    Args:
        make_env: Makes the environment, when it is first needed.
    """

    def __init__(self, make_env: MakeEnv) -> None:
        self._make_env = make_env
        self._made: gym.Env[Any, Any] | None = None

    @property
    def env(self) -> gym.Env[Any, Any]:
        """The environment."""
        if self._made is None:
            self._made = self._make_env()
        return self._made

    def env_id(self) -> str:
        """Return the registered id of the environment, or the name of its class."""
        return env_name(self.env)

    def begin(self, seed: int) -> Begun:
        """Begin an episode."""
        return self.env.reset(seed=seed)

    def play(self, said: Completion) -> StepOutcome:
        """Play one turn."""
        action = said if takes_completions(self.env) else said.text
        return StepOutcome(*self.env.step(action))  # type: ignore[arg-type]  # a float by contract

    def cut(self, context: Context, reason: str) -> Turn:
        """Return the last turn as truncated, with what the outcome terms grant it.

        Its turn-granted terms stand already. An environment without named terms, or of another
        library, cannot be asked for its outcome: there the reward stays as it was.
        """
        last = replace(
            context.last, truncated=True, info={**context.last.info, "stop_reason": reason}
        )
        for composition in _compositions(self.env):
            ended = Context((*context.turns[:-1], last), context.observation)
            granted = composition.score((ended,), outcome_only=True)[0]
            if granted.terms:
                terms = {**last.reward_terms, **granted.terms}
                info = {**last.info, "reward_terms": terms}
                last = replace(last, reward=sum(terms.values()), reward_terms=terms, info=info)
            if granted.metrics:
                metrics = {**last.info.get("metrics", {}), **granted.metrics}
                last = replace(last, info={**last.info, "metrics": metrics})
        return last

    def close(self) -> None:
        """Close the environment, if it was ever made."""
        if self._made is not None:
            self._made.close()


def _compositions(env: gym.Env[Any, Any]) -> list[RewardComposition]:
    """Return what composes an environment's reward, inmost first."""
    layers: list[RewardComposition] = []
    inner: Any = env
    while isinstance(inner, gym.Wrapper):
        if isinstance(inner, TurnReward):
            layers.append(inner.composition)
            if not inner.add:
                return layers
        inner = inner.env
    own = getattr(inner, "composition", None)
    if hasattr(inner, "arena"):
        own = inner.arena.compositions[inner.seat]
    if isinstance(own, RewardComposition):
        layers.append(own)
    return layers[::-1]


class ThreadSeat:
    """An environment that is made, stepped and closed by one thread.

    Args:
        make_env: Makes the environment.
    """

    def __init__(self, make_env: MakeEnv) -> None:
        self._host = EnvHost(make_env)
        self._thread = WorkerThread("rmgym environment")
        self._is_closed = False

    @property
    def is_usable(self) -> bool:
        """Whether the thread is free."""
        return not self._thread.is_busy

    async def env_id(self) -> str:
        """Return the registered id of the environment, or the name of its class."""
        return await self._thread.call(self._host.env_id)

    async def begin(self, seed: int) -> Begun:
        """Begin an episode."""
        return await self._thread.call(self._host.begin, seed)

    async def play(self, said: Completion) -> StepOutcome:
        """Play one turn."""
        return await self._thread.call(self._host.play, said)

    async def cut(self, context: Context, reason: str) -> Turn:
        """Return the last turn of an episode that a budget ended."""
        return await self._thread.call(self._host.cut, context, reason)

    async def close(self) -> None:
        """Close the environment; one that is still being stepped closes after that."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._thread.is_busy:
            self._thread.close(self._host.close)
            return
        try:
            await self._thread.call(self._host.close)
        finally:
            self._thread.close()
