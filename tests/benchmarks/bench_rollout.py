"""Wall time of rollouts over a model with log-normal latency and so many slots, beside the ideal.

    python tests/benchmarks/bench_rollout.py
    python tests/benchmarks/bench_rollout.py --median-ms 200

The ideal is the sum of all latencies over the slots. Slots that run dry at the end keep any engine
above it; "at no cost" is the wall time of one whose own work takes no time, by simulation. Every
row gets the same latencies, drawn once, in the order in which its requests begin. The official
client takes about 1 ms of one core a request, so at 50 ms over 64 slots HTTP is bound by it.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import gymnasium as gym
from measure import machine
from stub_model import latencies

import rmgym.testing
from rmgym.agents.openai_compatible import OpenAIPolicy
from rmgym.rollout import Rollout, rollout
from rmgym.trajectory import Completion, Context

HERE = Path(__file__).parent
REPLY = "<say>nothing</say>"
TURNS = 6
Row = tuple[str, float]


def make_env() -> gym.Env[Any, Any]:
    """Make a conversation that lasts six turns whatever is said."""
    return gym.make("rmgym-testing/Echo-v0", max_turns=TURNS, disable_env_checker=True)


class SlottedPolicy:
    """Answers after a wait, so many conversations at once: a server without its protocol."""

    def __init__(self, slots: int, waits: Sequence[float]) -> None:
        self._slots = slots
        self._waits = cycle(waits)
        self._free: asyncio.Semaphore | None = None

    async def aact(self, contexts: Sequence[Context]) -> list[Completion]:
        """Wait for a slot, then for the latency."""
        if self._free is None:
            self._free = asyncio.Semaphore(self._slots)
        async with self._free:
            await asyncio.sleep(next(self._waits))
        return [Completion(text=REPLY) for _ in contexts]


@contextmanager
def serving(options: argparse.Namespace) -> Iterator[str]:
    """Run the stub server in a process of its own; give its base URL."""
    figures = [options.slots, options.median_ms, options.sigma, options.episodes * TURNS]
    command = [sys.executable, str(HERE / "stub_model.py"), *map(str, figures)]
    process = subprocess.Popen(
        [*command, str(options.seed), REPLY], stdout=subprocess.PIPE, text=True
    )
    if process.stdout is None:
        raise RuntimeError("expected the stub's standard output, got none")
    with process.stdout as stdout:
        try:
            yield f"http://127.0.0.1:{int(stdout.readline())}/v1"
        finally:
            process.terminate()
            process.wait()


def timed(play: Callable[[], Rollout], episodes: int) -> float:
    """Return the seconds of a rollout, having checked that it played everything."""
    start = time.perf_counter()
    played = play()
    seconds = time.perf_counter() - start
    turns = {len(trajectory.turns) for trajectory in played}
    if len(played) != episodes or turns != {TURNS}:
        raise RuntimeError(f"expected {episodes} episodes of {TURNS} turns, got {played}, {turns}")
    return seconds


def measure(options: argparse.Namespace) -> list[Row]:
    """Play with each engine."""
    episodes, slots = options.episodes, options.slots
    number = episodes * TURNS
    waits = latencies(options.median_ms, options.sigma, number, options.seed)
    rows = [
        (f"ideal: {number} latencies over {slots} slots", sum(waits) / slots),
        ("an engine at no cost, simulated", simulated(waits, episodes, slots)),
    ]
    rollout(make_env, SlottedPolicy(slots, [0.0]), episodes, engine="async")  # warm up
    policy = SlottedPolicy(slots, waits)
    run = lambda: rollout(make_env, policy, episodes, engine="async")  # noqa: E731
    rows.append(("engine='async', model in the process", timed(run, episodes)))
    with serving(options) as url, OpenAIPolicy("stub", url) as served:
        served.act([Context((), ({"role": "user", "content": "warm up"},))] * number)
        run = lambda: rollout(make_env, served, episodes, engine="async")  # noqa: E731
        rows.append(("engine='async', OpenAIPolicy over HTTP", timed(run, episodes)))
        run = lambda: rollout(make_env, served, episodes, num_envs=slots, mode="thread")  # noqa: E731
        rows.append((f"engine='sync', vector of {slots} over HTTP", timed(run, episodes)))
    return rows


def simulated(waits: Sequence[float], episodes: int, slots: int) -> float:
    """Return the wall time if a slot takes the conversation that has waited longest at once."""
    latency = cycle(waits)
    ready = deque([0] * episodes)
    busy: list[tuple[float, int]] = []
    now = 0.0
    while ready or busy:
        while ready and len(busy) < slots:
            heapq.heappush(busy, (now + next(latency), ready.popleft() + 1))
        now, turns = heapq.heappop(busy)
        if turns < TURNS:
            ready.append(turns)
    return now


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=256)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--median-ms", type=float, default=50.0)
    parser.add_argument("--sigma", type=float, default=0.3, help="of the logarithm")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rmgym.testing.register_test_envs()
    print(machine())
    rows = measure(options)
    for name, seconds in rows:
        print(f"{name:<48s} {seconds:8.2f} s  {seconds / rows[0][1]:6.2f} x ideal")


if __name__ == "__main__":
    main()
