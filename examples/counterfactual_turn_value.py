"""What is a turn really worth? Measured by forking, beside its information gain.

    python examples/counterfactual_turn_value.py --episodes 20 --replays 16

The environment is forked before and after each turn and played to the end by a fresh draw of the
same policy; the difference of the mean success is the turn's value. Last line: the rank correlation
of value and gain.
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium as gym
import numpy as np

import rmgym
from rmgym.agents.catalog import make_policy


def value(env: Any, replays: int) -> float:
    """Return the mean success of finishing the episode from here."""
    total = 0.0
    for replay in range(replays):
        twin, ended, right = rmgym.fork(env, seed=replay), False, 0.0
        player = make_policy("rmgym/Search-v0", "noisy_chain", env, seed=1000 + replay)
        while not ended:
            action = player.act([twin.unwrapped.context])[0].text
            _, _, terminated, truncated, info = twin.step(action)
            ended, right = terminated or truncated, info["metrics"].get("em", 0.0)
        total += right
    return total / replays


def ranks(values: list[float]) -> Any:
    """Return the mean rank of each value."""
    array = np.asarray(values)
    below = (array[:, None] > array[None, :]).sum(axis=1)
    ties = (array[:, None] == array[None, :]).sum(axis=1)
    return below + (ties - 1) / 2


def main() -> None:
    """Measure the value and the gain of every search, and how well they agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--replays", type=int, default=16)
    arguments = parser.parse_args()
    env = gym.make(
        "rmgym:rmgym/Search-v0",
        kinds=["two_hop"],
        max_searches=3,
        rewards=["em", "information_gain"],
    )
    player = make_policy("rmgym/Search-v0", "noisy_chain", env)
    values, gains = [], []
    for seed in range(arguments.episodes):
        env.reset(seed=seed)
        ended, before = False, value(env, arguments.replays)
        while not ended:
            action = player.act([env.unwrapped.context])[0].text  # type: ignore[attr-defined]
            _, _, terminated, truncated, info = env.step(action)
            ended = terminated or truncated
            if not ended:
                after = value(env, arguments.replays)
                values.append(after - before)
                gains.append(info["reward_terms"]["information_gain"])
                print(f"seed {seed}: value {values[-1]:+.3f}, information gain {gains[-1]:+.3f}")
                before = after
    print(f"rank correlation {np.corrcoef(ranks(values), ranks(gains))[0, 1]:.3f}")


if __name__ == "__main__":
    main()
