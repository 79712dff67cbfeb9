"""skyrl-gym's echo and search environments: `skyrl_peer.py RETRIEVER_URL SECONDS`."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import skyrl_gym
from measure import rate
from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput
from skyrl_gym.envs.search.env import SearchEnvConfig

EXTRAS = {"reward_spec": {"ground_truth": "42"}, "max_turns": 10**9}


class Echo(BaseTextEnv):
    """Turns without content."""

    def __init__(self, env_config=None, extras=None):
        super().__init__()

    def step(self, action):
        said = [{"role": "user", "content": "x" * 200}]
        return BaseTextEnvStepOutput(observations=said, reward=0.0, done=False, metadata={})


def make(name, config=None):
    env = skyrl_gym.make(name, env_config=config, extras=EXTRAS)
    env.init([{"role": "user", "content": "hi"}])
    return env


def main() -> None:
    url, seconds = sys.argv[1], float(sys.argv[2])
    skyrl_gym.register("bench_echo", entry_point=Echo)
    pool = ThreadPoolExecutor(16)

    def steps(envs, action, number):
        for _ in range(number):
            list(pool.map(lambda env: env.step(action), envs))
        return number * len(envs)

    echoes = [make("bench_echo") for _ in range(16)]
    figures = {
        "16 echo in threads, steps/s": rate(lambda: steps(echoes, "hello", 20), seconds=seconds)
    }
    config = SearchEnvConfig(search_url=url)

    def searches():
        return steps([make("search", config) for _ in range(16)], "<search>who</search>", 5)

    figures["16 searches at 20 ms, threads, turns/s"] = rate(searches, seconds=seconds)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
