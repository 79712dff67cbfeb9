"""RLlib: conversations for nets that read numbers and pick from a menu.

RLlib's default nets reject text spaces. `ByteMenu` shows the last words of an observation as bytes
and offers a fixed menu of replies; turn rewards reach RLlib as they are, one a step:

    from ray.tune.registry import register_env
    from rmgym.integrations.rllib import byte_menu
    register_env("search", byte_menu("rmgym/Search-v0", ["<search>...</search>", "<answer>..."]))

RLlib 2.60 pins gymnasium 1.2.2, which rmgym supports; needs `pip install 'rmgym[rllib]'`. Policies
that are language models need an RLModule of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from rmgym.integrations.episodes import MakeEnv
from rmgym.messages import Observation
from rmgym.rollout.engine import env_maker

Bytes: TypeAlias = NDArray[np.float32]

__all__ = ["ByteMenu", "byte_menu"]


class ByteMenu(gym.Wrapper[Bytes, int, Any, Any]):
    """Observations as the last bytes of their text, actions as numbers of a menu.

    Args:
        env: An environment of messages.
        menu: What the agent can say.
        size: Bytes that are shown, the last ones; shorter text is padded with 0 behind.

    Raises:
        ValueError: If the menu is empty.
    """

    def __init__(self, env: gym.Env[Any, Any], menu: Sequence[str], *, size: int = 256) -> None:
        super().__init__(env)
        if not menu:
            raise ValueError("expected a menu of at least one reply, got none")
        self.menu = tuple(menu)
        self.size = size
        self.observation_space = Box(0.0, 1.0, (size,), np.float32)
        self.action_space = Discrete(len(self.menu))  # type: ignore[assignment]  # ints of numpy

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode."""
        inner: Any = self.env
        observation, info = inner.reset(seed=seed, options=options)
        return self._bytes(observation), info

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Say the menu's reply of that number."""
        inner: Any = self.env
        observation, reward, terminated, truncated, info = inner.step(self.menu[int(action)])
        return self._bytes(observation), float(reward), terminated, truncated, info

    def _bytes(self, observation: Observation) -> NDArray[np.float32]:
        text = "\n".join(said["content"] for said in observation)
        last = text.encode("utf-8", "replace")[-self.size :]
        shown = np.zeros(self.size, dtype=np.float32)
        shown[: len(last)] = np.frombuffer(last, dtype=np.uint8) / np.float32(255)
        return shown


def byte_menu(
    env: MakeEnv, menu: Sequence[str], *, size: int = 256
) -> Callable[[Mapping[str, Any]], ByteMenu]:
    """Return what RLlib's `register_env` takes: a function of its configuration."""
    make = env_maker(env)

    def create(_: Mapping[str, Any]) -> ByteMenu:
        return ByteMenu(make(), menu, size=size)

    return create
