"""Thousands of copies of the array face, stepped as one in NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from rmgym.envs.welfare.array_env import (
    Grant,
    check_grant,
    division_of,
    flow_number,
    make_measure,
    make_spaces,
)
from rmgym.envs.welfare.batch import BatchAllocation, Rows
from rmgym.envs.welfare.batch_division import BatchDivision
from rmgym.envs.welfare.case import MAX_FLOWS
from rmgym.envs.welfare.settings import Settings
from rmgym.rewards.welfare import on_grid

Vectors: TypeAlias = NDArray[np.float32]
VectorStep: TypeAlias = tuple[
    Vectors, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]


class WelfareVectorEnv(VectorEnv[Vectors, NDArray[Any], NDArray[Any]]):
    """`num_envs` copies of `WelfareArrayEnv`: the same episodes, much faster.

    Copy i of a reset with seed s plays what a single environment with seed s + i plays.

    Args:
        num_envs: How many copies.
        autoreset_mode: Gymnasium's; under SAME_STEP the last observation and figures of an ended
            episode stand in `infos["final_obs"]` and `infos["final_info"]`.
        objective: As `WelfareArrayEnv`.
        parameters: As `WelfareArrayEnv`.
        grant: As `WelfareArrayEnv`.
        settings: The other arguments of `WelfareArrayEnv`.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        objective: str | None = None,
        parameters: Mapping[str, float] | None = None,
        grant: Grant = "turn",
        render_mode: None = None,
        **settings: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"expected num_envs of at least 1, got {num_envs}")
        self.num_envs = num_envs
        self.settings = Settings(**settings)
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.render_mode = render_mode
        self.measure = make_measure(self.settings, objective, parameters)
        self.grant = check_grant(grant)
        self.single_observation_space, self.single_action_space = make_spaces(self.settings)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._batch = _make_batch(self.settings, num_envs)
        self._worth = np.zeros(num_envs)
        self._ended: NDArray[np.bool_] = np.zeros(num_envs, dtype=np.bool_)
        self._everyone: Rows = np.arange(num_envs)
        self._all = np.ones(num_envs, dtype=np.bool_)
        self._streams: list[np.random.Generator] = []

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Vectors, dict[str, Any]]:
        """Begin an episode in every copy, or in those of `options["reset_mask"]`."""
        options = dict(options or {})
        mask = options.pop("reset_mask", None)
        rows = self._everyone if mask is None else np.flatnonzero(mask)
        self._seed(rows, seed)
        self._renew(rows, options)
        self._ended[rows] = False
        return self._batch.features.copy(), self._infos()

    def step(self, actions: NDArray[Any]) -> VectorStep:
        """Play one turn in every copy."""
        if not self._streams:
            raise ResetNeeded("expected reset() before the first step")
        if len(actions) != self.num_envs:
            raise ValueError(f"expected {self.num_envs} actions, got {len(actions)}")
        renewing = self._ended.any()
        if renewing and self.autoreset_mode == AutoresetMode.DISABLED:
            over = np.flatnonzero(self._ended).tolist()
            raise ResetNeeded(f"expected reset() of the ended environments {over}")
        rows = np.flatnonzero(~self._ended) if renewing else self._everyone
        batch = self._batch
        batch.play(rows, actions)
        if renewing:
            self._renew(np.flatnonzero(self._ended), {})
        terminated, truncated = batch.terminated.copy(), batch.truncated.copy()
        ended = terminated | truncated
        rewards = self._rewards(ended, self._ended)
        self._ended = ended
        if self.autoreset_mode == AutoresetMode.SAME_STEP and ended.any():
            final = self._finals(ended)
            self._renew(np.flatnonzero(ended), {})
            self._ended = np.zeros(self.num_envs, dtype=np.bool_)
            return batch.features.copy(), rewards, terminated, truncated, self._infos() | final
        return batch.features.copy(), rewards, terminated, truncated, self._infos()

    def _rewards(self, ended: NDArray[np.bool_], renewed: NDArray[np.bool_]) -> NDArray[np.float64]:
        if self.grant == "outcome" and not ended.any():
            return np.zeros(self.num_envs)
        batch = self._batch
        if self.measure is not None:
            worth = on_grid(self.measure(batch.utilities()))
        else:
            worth = on_grid(batch.metrics()["swf"])
        if self.grant == "outcome":
            return np.where(ended, worth, 0.0)
        rewards: NDArray[np.float64] = np.where(renewed, 0.0, worth - self._worth)
        self._worth = worth
        return rewards

    def _finals(self, ended: NDArray[np.bool_]) -> dict[str, Any]:
        observations = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(ended):
            observations[i] = self._batch.features[i].copy()
        infos = {key: column for key, column in self._infos().items() if key[0] != "_"}
        final = {**infos, **{f"_{key}": ended.copy() for key in infos}}
        return {
            "final_obs": observations,
            "_final_obs": ended.copy(),
            "final_info": final,
            "_final_info": ended.copy(),
        }

    def _infos(self) -> dict[str, Any]:
        batch = self._batch
        columns: dict[str, NDArray[Any]] = {
            "flow": batch.flows.copy(),
            "action_mask": batch.legal().copy(),
            **batch.metrics(),
        }
        return {**columns, **{f"_{key}": self._all for key in columns}}

    def _renew(self, rows: Rows, options: Mapping[str, Any]) -> None:
        streams = self._streams
        drawn = [int(streams[row].integers(MAX_FLOWS)) for row in rows]
        self._batch.renew(rows, [flow_number(options, flow) for flow in drawn])
        self._worth[rows] = 0.0

    def _seed(self, rows: Rows, seed: int | Sequence[int | None] | None) -> None:
        seeds: Sequence[int | None]
        if seed is None or isinstance(seed, (int, np.integer)):
            first = seed
            seeds = [None if first is None else int(first) + i for i in range(self.num_envs)]
        else:
            seeds = seed
        if len(seeds) != self.num_envs:
            raise ValueError(f"expected {self.num_envs} seeds, got {len(seeds)}")
        if not self._streams:
            self._streams = [seeding.np_random(each)[0] for each in seeds]
            return
        for row in rows:
            if seeds[row] is not None:
                self._streams[row] = seeding.np_random(seeds[row])[0]

    def action_masks(self) -> NDArray[np.bool_]:
        """Return who can be chosen in each copy."""
        return self._batch.legal().copy()


def _make_batch(settings: Settings, n: int) -> BatchAllocation | BatchDivision:
    if settings.mode == "swf":
        return BatchAllocation(settings.roster(), settings.rules, n)
    return BatchDivision(division_of(settings.mode), settings.division, n)
