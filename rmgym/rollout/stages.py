"""One environment, a vector of rmgym or one of Gymnasium: each plays episodes in numbered slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from rmgym.errors import BackendError
from rmgym.messages import Observation
from rmgym.trajectory import Completion
from rmgym.vector import ChatVectorEnv
from rmgym.vector_infos import split_infos
from rmgym.vector_workers import StepOutcome
from rmgym.wrappers.episode import env_name, takes_completions

Begun: TypeAlias = tuple[Observation, dict[str, Any]]
ResultT = TypeVar("ResultT")


class Stage(Protocol):
    """Plays several episodes at once; a broken backend ends its own alone."""

    env_id: str
    slots: int
    """How many episodes at once."""

    def begin(self, seeds: Mapping[int, int]) -> dict[int, Begun | BackendError]:
        """Begin an episode in each of the named slots."""
        ...

    def play(self, said: Mapping[int, Completion]) -> dict[int, StepOutcome | BackendError]:
        """Play one turn in each of the named slots."""
        ...


class SingleStage:
    """One environment: one slot."""

    slots = 1

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        self.env = env
        self.env_id = env_name(env)
        self._gives_completions = takes_completions(env)

    def begin(self, seeds: Mapping[int, int]) -> dict[int, Begun | BackendError]:
        """Reset the environment."""
        return {slot: _attempt(self.env.reset, seed=seed) for slot, seed in seeds.items()}

    def play(self, said: Mapping[int, Completion]) -> dict[int, StepOutcome | BackendError]:
        """Step the environment."""
        return {slot: _attempt(self._step, completion) for slot, completion in said.items()}

    def _step(self, completion: Completion) -> StepOutcome:
        action = completion if self._gives_completions else completion.text
        return StepOutcome(*self.env.step(action))  # type: ignore[arg-type]  # a float by contract


class ChatStage:
    """A vector of rmgym, which resets and steps any of its environments alone."""

    def __init__(self, env: ChatVectorEnv) -> None:
        self.env = env
        self.env_id = vector_name(env)
        self.slots = env.num_envs

    def begin(self, seeds: Mapping[int, int]) -> dict[int, Begun | BackendError]:
        """Reset the named environments; if one of them breaks, each again alone."""
        if not seeds:
            return {}
        result = _attempt(self.env.reset_some, dict(seeds))
        if not isinstance(result, BackendError):
            return {slot: begun[1].get("error", begun) for slot, begun in result.items()}
        if len(seeds) == 1:
            return dict.fromkeys(seeds, result)
        return {slot: self.begin({slot: seed})[slot] for slot, seed in seeds.items()}

    def play(self, said: Mapping[int, Completion]) -> dict[int, StepOutcome | BackendError]:
        """Step the named environments."""
        try:
            outcomes = self.env.step_some({slot: c.text for slot, c in said.items()})
        except BackendError as error:
            error.add_note("to end this episode alone, make the vector with isolate_errors=True")
            raise
        return {slot: _error_or(outcome) for slot, outcome in outcomes.items()}


class GymStage:
    """A vector of Gymnasium under DISABLED autoreset, whose environments step all together.

    Slots without an episode are played with empty turns, and what they do is left out.

    Raises:
        ValueError: If the vector resets its environments by itself.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode != AutoresetMode.DISABLED:
            raise ValueError(
                f"expected a vector with autoreset_mode DISABLED, got {mode}: a vector that resets "
                "by itself cannot give each episode its seed; make it with rmgym.make_vec, or with "
                "gym.make_vec(..., vector_kwargs={'autoreset_mode': AutoresetMode.DISABLED})"
            )
        self.env = env
        self.env_id = vector_name(env)
        self.slots = env.num_envs
        self._gives_completions = takes_completions(env)
        self._ended = np.ones(env.num_envs, dtype=np.bool_)
        self._is_fresh = True

    def begin(self, seeds: Mapping[int, int]) -> dict[int, Begun | BackendError]:
        """Reset the named environments, and with them any other that has ended."""
        given = [seeds.get(slot) for slot in range(self.slots)]
        mask = self._ended | np.array([seed is not None for seed in given])
        options = None if self._is_fresh else {"reset_mask": mask}
        vector_seed: Any = given
        observations, infos = self.env.reset(seed=vector_seed, options=options)
        self._is_fresh = False
        self._ended = np.zeros(self.slots, dtype=np.bool_)
        own = split_infos(infos, self.slots)
        return {slot: (observations[slot], own[slot]) for slot in seeds}

    def play(self, said: Mapping[int, Completion]) -> dict[int, StepOutcome | BackendError]:
        """Step all environments; return what those named did."""
        if self._ended.any():
            self.begin({})
        silence = Completion(text="")
        turns = [said.get(slot, silence) for slot in range(self.slots)]
        observations, rewards, terminated, truncated, infos = self.env.step(
            turns if self._gives_completions else [turn.text for turn in turns]
        )
        self._ended = np.logical_or(terminated, truncated)
        own = split_infos(infos, self.slots)
        return {
            i: _error_or(
                StepOutcome(
                    observations[i],
                    float(rewards[i]),
                    bool(terminated[i]),
                    bool(truncated[i]),
                    own[i],
                )
            )
            for i in said
        }


def make_stage(env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> Stage:
    """Return the stage that an environment or a vector makes.

    Raises:
        TypeError: If it is neither.
        ValueError: If a vector of Gymnasium resets by itself.
    """
    if isinstance(env, ChatVectorEnv):
        return ChatStage(env)
    if isinstance(env, VectorEnv):
        return GymStage(env)
    if isinstance(env, gym.Env):
        return SingleStage(env)
    raise TypeError(
        f"expected an environment id, an environment or a vector of them, got {type(env).__name__}"
    )


def vector_name(env: VectorEnv[Any, Any, Any]) -> str:
    """Return the registered id of a vector's environments, or the name of the vector's class."""
    base: Any = env.unwrapped
    spec = base.spec if base.spec is not None else base.get_attr("spec")[0]
    return type(base).__name__ if spec is None else str(spec.id)


def _attempt(function: Callable[..., ResultT], *args: Any, **kwargs: Any) -> ResultT | BackendError:
    try:
        return function(*args, **kwargs)
    except BackendError as error:
        return error


def _error_or(outcome: StepOutcome) -> StepOutcome | BackendError:
    error = outcome.info.get("error")
    return error if isinstance(error, BackendError) else outcome
