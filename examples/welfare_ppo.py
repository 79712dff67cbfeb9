"""PPO from Stable-Baselines3 learns to allocate, and is placed among the heuristics.

    python examples/welfare_ppo.py --steps 1000000 --out plane.png

It trains on the native vector of `rmgym/WelfareArray-v0` and is judged on held-out seeds, beside
scripted policies that play the same worlds in conversation. Last line: PPO's mean SWF.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv, VecNormalize

import rmgym
from rmgym.agents.catalog import make_policy
from rmgym.envs.welfare.plane import Point, draw_plane, make_point, points_of

HELD_OUT = 10_000
TURNS = 120


class NativeVector(VecEnv):  # type: ignore[misc]  # has no types where it is not installed
    """The native vector in the form that Stable-Baselines3 takes."""

    def __init__(self, number: int, **settings: Any) -> None:
        self.vector: Any = gym.make_vec(
            "rmgym:rmgym/WelfareArray-v0", number, autoreset_mode="SameStep", **settings
        ).unwrapped
        single = self.vector.single_observation_space, self.vector.single_action_space
        super().__init__(number, *single)

    def reset(self) -> Any:
        return self.vector.reset(seed=self._seeds[0] or 0)[0]

    def step_async(self, actions: Any) -> None:
        self.actions = actions

    def step_wait(self) -> Any:
        seen, rewards, terminated, truncated, infos = self.vector.step(self.actions)
        ended = terminated | truncated
        each: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(ended):
            cut = bool(truncated[i])
            each[i] = {"terminal_observation": infos["final_obs"][i], "TimeLimit.truncated": cut}
        return seen, rewards.astype(np.float32), ended, each

    def close(self) -> None:
        self.vector.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self.vector, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise NotImplementedError("the copies of a native vector have no attributes of their own")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        raise NotImplementedError("the copies of a native vector have no methods of their own")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


def train(steps: int, *, copies: int = 256, seed: int = 0, **settings: Any) -> Any:
    """Return a function from observations to actions, learned in so many steps."""
    vector = VecNormalize(NativeVector(copies, **settings), gamma=0.99)
    model = PPO(
        "MlpPolicy",
        vector,
        n_steps=64,
        batch_size=2048 if copies * 64 % 2048 == 0 else 64,
        n_epochs=5,
        gamma=1.0,
        learning_rate=lambda left: 5e-4 * left,
        ent_coef=0.003,
        policy_kwargs={"net_arch": [128, 128]},
        seed=seed,
        device="cpu",
    )
    model.learn(steps)
    vector.training = False

    def act(seen: Any) -> Any:
        return model.predict(vector.normalize_obs(seen), deterministic=False)[0]

    return act


def judge(act: Any, episodes: int, **settings: Any) -> Point:
    """Play one episode of each held-out seed and return PPO's point."""
    vector: Any = gym.make_vec(
        "rmgym/WelfareArray-v0", episodes, autoreset_mode="SameStep", **settings
    )
    seen, _ = vector.reset(seed=HELD_OUT)
    ends: dict[int, tuple[float, float]] = {}
    for _ in range(TURNS):
        seen, _, terminated, truncated, infos = vector.step(act(seen))
        for i in np.flatnonzero(terminated | truncated):
            final = infos["final_info"]
            ends.setdefault(int(i), (float(final["fairness"][i]), float(final["roi"][i])))
    fairness, roi = zip(*(ends[i] for i in range(episodes)), strict=True)
    return make_point("PPO", fairness, roi, highlighted=True)


def heuristics(names: list[str], episodes: int, **settings: Any) -> list[Point]:
    """Return the points of scripted policies on the same seeds."""
    env = gym.make("rmgym/Welfare-v0", **settings)
    played = [
        trajectory
        for name in names
        for trajectory in rmgym.rollout(
            env,
            make_policy("rmgym/Welfare-v0", name, env),
            episodes,
            seed=HELD_OUT,
            policy_name=name,
        )
    ]
    return points_of(played)


def main() -> None:
    """Train, judge, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--members", type=int, default=12)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--exact", action="store_true", help="also the exact optimum (minutes)")
    parser.add_argument("--out", type=Path, default=Path("plane.png"))
    given = parser.parse_args()
    settings = {"members": given.members, "tasks": given.tasks}
    names = ["random", "fair", "efficient", "hybrid", "single_best", "optimal"]
    names += ["exact"] if given.exact else []
    points = heuristics(names, given.episodes, **settings)
    points.append(judge(train(given.steps, **settings), given.episodes, **settings))
    for point in points:
        print(f"{point.name:12s} fairness {point.fairness}  ROI {point.roi}  SWF {point.swf}")
    print(f"Picture: {draw_plane(points, given.out)}")
    best = next((point.swf.mean for point in points if point.name == "exact"), None)
    if best is not None:
        print(f"share of the exact optimum, same seeds: {points[-1].swf.mean / best:.3f}")
    print(f"PPO reaches SWF {points[-1].swf}")


if __name__ == "__main__":
    main()
