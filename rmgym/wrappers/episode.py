"""What wrappers that follow an episode share."""

from __future__ import annotations

from typing import Any, TypeAlias

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv, VectorWrapper

from rmgym.messages import Observation
from rmgym.trajectory import Completion, Turn

Action: TypeAlias = str | Completion
"""A turn as text, or with the ids that a policy sampled."""


class EpisodeWrapper(gym.Wrapper[Observation, Action, Observation, str], RecordConstructorArgs):
    """Follows the turns of the running episode.

    `step` takes a `Completion` in place of the text, so that the turns keep the sampled ids; the
    environment within gets the text. The turns are an immutable tuple that is replaced, so that
    `rmgym.fork` of the wrapper gives an independent copy.

    Args:
        env: One environment whose observations are new messages.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self._turns: tuple[Turn, ...] = ()
        self._observation: Observation = ()
        self._passes_completions = takes_completions(env)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; one that had not ended is forgotten."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._turns = ()
        self._observation = observation
        return observation, info

    def _play(self, action: Action) -> tuple[Observation, Turn]:
        """Step the environment; return what it answered, and the turn as it rewarded it."""
        completion = as_completion(action)
        given: Any = completion if self._passes_completions else completion.text
        observation, reward, terminated, truncated, info = self.env.step(given)
        turn = Turn(
            observation=self._observation,
            completion=completion,
            reward=float(reward),
            reward_terms=info.get("reward_terms", {}),
            terminated=terminated,
            truncated=truncated,
            info=info,
        )
        return observation, turn

    def _keep(self, turn: Turn, observation: Observation) -> None:
        self._turns = (*self._turns, turn)
        self._observation = observation


def as_completion(action: Action) -> Completion:
    """Return the turn as a completion; plain text has no ids."""
    return action if isinstance(action, Completion) else Completion(text=action)


def takes_completions(env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> bool:
    """Return whether a wrapper of `env` wants the completion and not its text alone."""
    inner: Any = env
    while isinstance(inner, (gym.Wrapper, VectorWrapper)):
        if getattr(inner, "_passes_completions", None) is not None:
            return True
        inner = inner.env
    return False


def env_name(env: gym.Env[Any, Any]) -> str:
    """Return the registered id of an environment, or the name of its class."""
    base = env.unwrapped
    return type(base).__name__ if base.spec is None else base.spec.id
