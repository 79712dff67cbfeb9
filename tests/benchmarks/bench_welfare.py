"""Steps a second of the welfare setting's faces, in CPU time of one run; compare the ratios.

python tests/benchmarks/bench_welfare.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import gymnasium as gym
import numpy as np
from measure import machine, print_table

from rmgym.envs.welfare.array_env import WelfareArrayEnv
from rmgym.envs.welfare.env import WelfareEnv
from rmgym.envs.welfare.vector_env import WelfareVectorEnv

COPIES, SINGLES, REPEATS = 4_096, 64, 9


def cpu_rate(work: Callable[[], int]) -> tuple[float, float]:
    """Return the median and the best number of units a second of CPU time."""
    work()
    rates = []
    for _ in range(REPEATS):
        start = time.process_time()
        done = work()
        rates.append(done / (time.process_time() - start))
    return median(rates), max(rates)


def main() -> None:
    """Measure the native vector, single copies in Gymnasium's vector, and the chat face."""
    rng = np.random.default_rng(0)
    native = WelfareVectorEnv(COPIES)
    native.reset(seed=0)
    many = rng.integers(12, size=(150, COPIES))
    for row in many:
        native.step(row)
    single = gym.vector.SyncVectorEnv([WelfareArrayEnv for _ in range(SINGLES)])
    single.reset(seed=0)
    few = rng.integers(12, size=(30, SINGLES))
    chat = WelfareEnv()
    turns = [f"<agent>{member.name}</agent>" for member in chat.roster.members]

    def native_steps() -> int:
        for row in many[:60]:
            native.step(row)
        return 60 * COPIES

    def single_steps() -> int:
        for row in few:
            single.step(row)
        return few.size

    def chat_steps() -> int:
        steps = 0
        for _ in range(10):
            chat.reset()
            ended = False
            while not ended:
                _, _, over, cut, _ = chat.step(turns[steps % 12])
                ended, steps = over or cut, steps + 1
        return steps

    (fast, fastest), (slow, slowest) = cpu_rate(native_steps), cpu_rate(single_steps)
    said, most_said = cpu_rate(chat_steps)
    print(machine())
    print_table(
        [
            (f"native vector, {COPIES} copies", fast, f"best {fastest:,.0f}"),
            (f"SyncVectorEnv, {SINGLES} copies", slow, f"1/{fast / slow:.0f}; best {slowest:,.0f}"),
            ("conversation, single", said, f"best {most_said:,.0f}"),
        ]
    )


if __name__ == "__main__":
    main()
