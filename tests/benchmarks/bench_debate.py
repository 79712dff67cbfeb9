"""Full debates a minute of 10 agents and 6 rounds, on one process and on one a core.

python tests/benchmarks/bench_debate.py
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from measure import machine, print_table

from rmgym.agents.debate import Independent
from rmgym.envs.debate.arena import DebateArena
from rmgym.envs.debate.seat import play_arena

JUDGES = ("none", "fair", "biased", "peer")


def play(judge: Any, first: int, debates: int) -> int:
    """Play so many debates in which nobody agrees early; return the turns spoken."""
    arena = DebateArena(agents=10, rounds=6, judge=judge)
    voter = Independent(arena.gold_task, accuracy=0.6)
    players = dict.fromkeys(arena.possible_agents, voter)
    turns = 0
    for seed in range(first, first + debates):
        play_arena(arena, players, seed)
        turns += sum(len(record.turns) for record in arena.records.values())
    return turns


def main() -> None:
    """Measure every judge and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--debates", type=int, default=100, help="a process and judge")
    debates = parser.parse_args().debates
    cores = os.cpu_count() or 1
    print(machine())
    rows = []
    with ProcessPoolExecutor(cores) as pool:
        list(pool.map(play, ["none"] * cores, range(cores), [1] * cores))
        for judge in JUDGES:
            start = time.perf_counter()
            turns = sum(pool.map(play, [judge] * cores, range(0, 10**6, 10**5), [debates] * cores))
            minutes = (time.perf_counter() - start) / 60
            rate = cores * debates / minutes
            mean = turns / cores / debates
            rows.append(
                (f"judge {judge}, {cores} processes, debates/min", rate, f"{mean:.0f} turns")
            )
    print_table(rows)


if __name__ == "__main__":
    main()
