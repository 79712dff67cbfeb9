"""Keep the episodes that were played, with the sampled ids where the policy gave them."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any, Self, SupportsFloat

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from rmgym.messages import Observation
from rmgym.trajectory import Trajectory
from rmgym.wrappers.episode import Action, EpisodeWrapper, env_name


class RecordTrajectory(EpisodeWrapper):
    """Records each finished episode as a `Trajectory`.

    Give `step` the policy's `Completion` in place of its text, and the turn keeps prompt ids,
    completion ids and log-probabilities. An episode left before its end is not recorded, nor a
    turn whose `step` raised. A fork goes on recording into a list of its own.

    Args:
        env: The environment; its `info` names the task.
        keep: How many of the newest episodes to keep; None for all.

    Raises:
        ValueError: If `keep` is below 1, or the environment does not name its task.
    """

    trajectories: deque[Trajectory]
    """The finished episodes, oldest first."""

    def __init__(self, env: gym.Env[Any, Any], *, keep: int | None = None) -> None:
        if keep is not None and keep < 1:
            raise ValueError(f"expected keep of at least 1, or None for all, got {keep}")
        RecordConstructorArgs.__init__(self, keep=keep)
        super().__init__(env)
        self.trajectories = deque(maxlen=keep)
        self._env_id = env_name(env)
        self._seed: int | None = None
        self._task_id = ""
        self._episode = -1

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; one that had not ended is not recorded."""
        observation, info = super().reset(seed=seed, options=options)
        self._task_id = task_id_of(info)
        self._seed = seed
        self._episode += 1
        return observation, info

    def step(self, action: Action) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Play one turn, given as text or as the policy's completion."""
        observation, turn = self._play(action)
        self._keep(turn, observation)
        if turn.ended:
            self.trajectories.append(
                Trajectory(
                    env_id=self._env_id,
                    seed=self._seed,
                    task_id=self._task_id,
                    turns=self._turns,
                    final_observation=observation,
                    metadata={"episode": self._episode},
                )
            )
        info = dict(turn.info)
        return observation, turn.reward, turn.terminated, turn.truncated, info

    def __copy__(self) -> Self:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.trajectories = copy.copy(self.trajectories)
        return twin


def task_id_of(info: dict[str, Any]) -> str:
    """Return the name of the task of an episode.

    Raises:
        ValueError: If `info` does not hold one.
    """
    if "task_id" not in info:
        raise ValueError(
            f"expected info['task_id'] from reset, got the keys {sorted(info)}; a trajectory names "
            "its task, so add one to the environment's info"
        )
    return str(info["task_id"])
