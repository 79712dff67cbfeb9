"""How good is a judge? Six scripted ones in `rmgym/Judge-v0`, where answers are known to be right.

    python examples/debate_judges_own_gym.py --episodes 200

Each judge sees every pair in both orders. The table shows accuracy, whether the same answer wins in
both orders, whether the tool that tells was used, and accuracy where the wrong answer is one of the
ten strings that fool judges. No model is needed. Last line: the calibration error of the verifier.
"""

from __future__ import annotations

import argparse

import gymnasium as gym

from rmgym.agents.catalog import make_policy
from rmgym.rewards.debate_judging import calibration_error
from rmgym.rollout import Rollout, rollout

ID = "rmgym/Judge-v0"
JUDGES = ("oracle", "verifier", "coin", "length_lover", "position_lover", "master_key_gullible")


def play(judge: str, episodes: int, kinds: list[str]) -> Rollout:
    env = gym.make(ID, kinds=kinds, both_orders=True)
    return rollout(env, make_policy(ID, judge, env), episodes)


def mean(played: Rollout, metric: str) -> float:
    values = [t.metrics[metric] for t in played if metric in t.metrics]
    return sum(values) / len(values)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--episodes", type=int, default=200)
    episodes = parser.parse_args().episodes
    print(f"{'judge':<20} accuracy  consistency  right tool  against master keys")
    for judge in JUDGES:
        played = play(judge, episodes, ["facts", "arithmetic", "code"])
        keys = play(judge, min(episodes, 50), ["master_keys"])
        figures = [mean(played, m) for m in ("accuracy", "swap_consistency", "right_tool")]
        print(f"{judge:<20} {figures[0]:>8.3f} {figures[1]:>12.3f} {figures[2]:>11.3f}", end=" ")
        print(f"{mean(keys, 'accuracy'):>20.3f}")
    verifier = play("verifier", episodes, ["facts", "arithmetic", "code"])
    stated = [(t.metrics["confidence"], t.metrics["accuracy"] == 1.0) for t in verifier]
    error = calibration_error([c for c, _ in stated], [right for _, right in stated])
    print(f"calibration error of the verifier: {error:.3f}")


if __name__ == "__main__":
    main()
