"""Vectors of conversations: many episodes stepped as one, with the right strings and infos.

Every id registered with `rmgym.registration.register` is vectorised by `ChatVectorEnv`, so that
`gym.make_vec(id, num_envs=16)` works as it is; `mode="sync"` steps one after another, "thread" lets
slow backends overlap, "process" uses several cores. Gymnasium's own `vectorization_mode="sync"`
and `"async"` work too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal, TypeAlias

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rmgym.messages import Observation
from rmgym.vector_infos import merge_infos
from rmgym.vector_workers import EnvMaker, LocalPool, Pool, ProcessPool, StepOutcome

VectorMode: TypeAlias = Literal["sync", "thread", "process"]
VectorStep: TypeAlias = tuple[
    tuple[Observation, ...],
    NDArray[np.float64],
    NDArray[np.bool_],
    NDArray[np.bool_],
    dict[str, Any],
]


class ChatVectorEnv(VectorEnv[tuple[Observation, ...], Sequence[str], NDArray[Any]]):
    """Several copies of one conversation.

    Args:
        make_env: Makes one environment; called `num_envs` times.
        num_envs: How many.
        mode: "sync", "thread" or "process".
        autoreset_mode: Gymnasium's; under SAME_STEP the last observation and info of an ended
            episode stand in `infos["final_obs"]` and `infos["final_info"]`.
        isolate_errors: A broken backend ends its own episode alone: reward NaN, truncated,
            `info["error"]` holds the exception. By default it is raised.
        workers: Threads or processes; by default one thread an environment, one process a core.
        context: Start method of processes ("fork", "spawn", "forkserver"); None for the default.
    """

    def __init__(
        self,
        make_env: Callable[[], gym.Env[Any, Any]],
        num_envs: int,
        *,
        mode: VectorMode = "sync",
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        isolate_errors: bool = False,
        workers: int | None = None,
        context: str | None = None,
    ) -> None:
        self.closed = True  # nothing is to be closed if this fails
        if num_envs < 1:
            raise ValueError(f"expected num_envs of at least 1, got {num_envs}")
        self.num_envs = num_envs
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self._pool = _make_pool(make_env, num_envs, mode, isolate_errors, workers, context)
        self.closed = False
        self.metadata = {**self._pool.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = self._pool.render_mode
        self.single_observation_space = self._pool.observation_space
        self.single_action_space = self._pool.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._observations: list[Observation] = [() for _ in range(num_envs)]
        self._ended = np.zeros(num_envs, dtype=np.bool_)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[tuple[Observation, ...], dict[str, Any]]:
        """Begin an episode in every environment, or in those of `options["reset_mask"]`."""
        options = dict(options or {})
        mask = options.pop("reset_mask", None)
        chosen = range(self.num_envs) if mask is None else [int(i) for i in np.flatnonzero(mask)]
        seeds = self._seeds(seed)
        results = self._pool.reset([(i, seeds[i], options) for i in chosen])
        infos: list[dict[str, Any] | None] = [None] * self.num_envs
        for i, (observation, info) in zip(chosen, results, strict=True):
            self._observations[i], infos[i] = observation, info
            self._ended[i] = "error" in info
        return tuple(self._observations), merge_infos(infos)

    def step(self, actions: Sequence[str]) -> VectorStep:
        """Play one turn in every environment."""
        if len(actions) != self.num_envs:
            raise ValueError(f"expected {self.num_envs} actions, got {len(actions)}")
        if self.autoreset_mode == AutoresetMode.DISABLED and self._ended.any():
            raise gym.error.ResetNeeded(
                f"expected reset() of the ended environments {np.flatnonzero(self._ended).tolist()}"
            )
        outcomes = self._play(actions, self._ended)
        finals: list[StepOutcome | None] = [None] * self.num_envs
        ended = np.array([o.terminated or o.truncated for o in outcomes], dtype=np.bool_)
        if self.autoreset_mode == AutoresetMode.SAME_STEP and ended.any():
            for i, outcome in zip(np.flatnonzero(ended), self._renew(ended), strict=True):
                finals[i] = outcomes[i]
                outcomes[i] = outcomes[i]._replace(
                    observation=outcome.observation, info=outcome.info
                )
                ended[i] = outcome.truncated  # it could not begin: again in the next step
        self._ended = ended
        return self._collect(outcomes, finals)

    def step_some(self, actions: Mapping[int, str]) -> dict[int, StepOutcome]:
        """Play one turn in the named environments alone and leave the others as they are.

        Returns:
            The outcome of each, with its own info; there is no automatic reset.
        """
        outcomes = self._pool.step(list(actions.items()))
        for i, outcome in zip(actions, outcomes, strict=True):
            self._observations[i] = outcome.observation
            self._ended[i] = outcome.terminated or outcome.truncated
        return dict(zip(actions, outcomes, strict=True))

    def reset_some(
        self, seeds: Mapping[int, int | None], options: Mapping[str, Any] | None = None
    ) -> dict[int, tuple[Observation, dict[str, Any]]]:
        """Begin an episode in the named environments alone."""
        results = self._pool.reset([(i, seed, dict(options or {})) for i, seed in seeds.items()])
        for i, (observation, info) in zip(seeds, results, strict=True):
            self._observations[i] = observation
            self._ended[i] = "error" in info
        return dict(zip(seeds, results, strict=True))

    def _play(self, actions: Sequence[str], resetting: NDArray[np.bool_]) -> list[StepOutcome]:
        if not resetting.any():
            return self._pool.step(list(enumerate(actions)))
        outcomes: dict[int, StepOutcome] = dict(
            zip(np.flatnonzero(resetting).tolist(), self._renew(resetting), strict=True)
        )
        going = [(i, action) for i, action in enumerate(actions) if not resetting[i]]
        outcomes.update(zip((i for i, _ in going), self._pool.step(going), strict=True))
        return [outcomes[i] for i in range(self.num_envs)]

    def _renew(self, mask: NDArray[np.bool_]) -> list[StepOutcome]:
        results = self._pool.reset([(int(i), None, {}) for i in np.flatnonzero(mask)])
        outcomes = []
        for observation, info in results:
            failed = "error" in info
            reward = float("nan") if failed else 0.0
            outcomes.append(StepOutcome(observation, reward, False, failed, info))
        return outcomes

    def _collect(
        self, outcomes: Sequence[StepOutcome], finals: Sequence[StepOutcome | None]
    ) -> VectorStep:
        self._observations = [outcome.observation for outcome in outcomes]
        infos = merge_infos([outcome.info for outcome in outcomes])
        if any(final is not None for final in finals):
            final_obs = np.full(self.num_envs, None, dtype=object)
            for i, final in enumerate(finals):
                if final is not None:
                    final_obs[i] = final.observation
            infos["final_obs"] = final_obs
            infos["_final_obs"] = np.array([final is not None for final in finals])
            infos["final_info"] = merge_infos([f and f.info for f in finals])
            infos["_final_info"] = infos["_final_obs"].copy()
        return (
            tuple(self._observations),
            np.array([outcome.reward for outcome in outcomes], dtype=np.float64),
            np.array([outcome.terminated for outcome in outcomes], dtype=np.bool_),
            np.array([outcome.truncated for outcome in outcomes], dtype=np.bool_),
            infos,
        )

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, (int, np.integer)):
            return [int(seed) + i for i in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"expected {self.num_envs} seeds, got {len(seed)}")
        return list(seed)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Return each environment's attribute, or what its method of that name returns."""
        return tuple(self._pool.call(name, args, kwargs))

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return each environment's attribute."""
        return self.call(name)

    def render(self) -> tuple[Any, ...]:
        """Return each environment's rendering."""
        return self.call("render")

    def close_extras(self, **kwargs: Any) -> None:
        """Close every environment and end the workers."""
        self._pool.close()


def _make_pool(
    make_env: Callable[[], gym.Env[Any, Any]],
    num_envs: int,
    mode: VectorMode,
    isolate_errors: bool,
    workers: int | None,
    context: str | None,
) -> Pool:
    if mode == "process":
        return ProcessPool(make_env, num_envs, isolate_errors, workers, context)
    if mode not in ("sync", "thread"):
        raise ValueError(f'expected mode "sync", "thread" or "process", got {mode!r}')
    executor = ThreadPoolExecutor(workers or num_envs) if mode == "thread" else None
    return LocalPool([make_env() for _ in range(num_envs)], isolate_errors, executor)


def make_vec(
    id: str,
    num_envs: int = 1,
    *,
    mode: VectorMode = "sync",
    autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
    isolate_errors: bool = False,
    workers: int | None = None,
    context: str | None = None,
    **kwargs: Any,
) -> ChatVectorEnv:
    """Return a vector of the environment `id`; `kwargs` go to the environment.

    The arguments are those of `ChatVectorEnv`. `gym.make_vec(id, num_envs, mode=...)` calls this.
    """
    maker = EnvMaker(id, kwargs)
    vector = ChatVectorEnv(
        maker,
        num_envs,
        mode=mode,
        autoreset_mode=autoreset_mode,
        isolate_errors=isolate_errors,
        workers=workers,
        context=context,
    )
    vector.spec = maker.spec
    return vector


def __getattr__(name: str) -> Callable[..., ChatVectorEnv]:
    """Return the vector entry point of an environment id, e.g. `rmgym.vector:rmgym/Search-v0`."""
    if "/" not in name:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return partial(make_vec, name)
