"""Time that each advantage estimator takes on one core, and how it grows.

    python tests/benchmarks/bench_advantages.py

Last line: the slowest estimator at 10,000 trajectories of 20 turns, 16 to a group.
"""

from __future__ import annotations

import time

import numpy as np

from rmgym.advantages import GroupTurns, get, names
from rmgym.advantages.segments import offsets_of, positions

TRAJECTORIES, TURNS, GROUP = 10_000, 20, 16
REPEATS = 5


def random_batch(trajectories: int, turns: int, group: int, seed: int = 0) -> GroupTurns:
    """Return a batch with everything that any estimator needs.

    Lengths vary between half the turns and one and a half times as many, `turns` on average.
    """
    rng = np.random.default_rng(seed)
    lengths = rng.integers(turns // 2, turns + turns // 2, trajectories, endpoint=True)
    offsets = offsets_of(lengths)
    groups = np.arange(trajectories) // group
    turn = positions(offsets)
    owners = np.repeat(groups, lengths)
    is_last = np.zeros(turn.size, dtype=np.bool_)
    is_last[offsets[1:] - 1] = True
    forked = np.maximum(turn - turns // 4, 0) > 0
    branch = np.repeat(np.arange(trajectories), lengths)
    wide = 2 * turns
    nodes = np.where(forked, len(groups) * wide + branch * wide + turn, owners * wide + turn)
    return GroupTurns(
        turn_rewards=np.where(is_last, 0.0, rng.normal(size=turn.size)),
        offsets=offsets,
        groups=groups,
        granted=~is_last,
        outcomes=rng.integers(0, 2, trajectories).astype(np.float64),
        values=rng.normal(size=turn.size),
        bootstraps=np.zeros(trajectories),
        states=owners * 64 + rng.integers(0, 64, turn.size),
        nodes=np.unique(nodes, return_inverse=True)[1].astype(np.int64),
        columns={"gain": rng.normal(size=turn.size), "rubric": rng.random(turn.size) * is_last},
    )


def seconds(name: str, batch: GroupTurns) -> float:
    """Return the fastest of a few calls, in process time of this thread."""
    estimator, found = get(name), []
    for _ in range(REPEATS):
        start = time.thread_time()
        estimator(batch)
        found.append(time.thread_time() - start)
    return min(found)


def main() -> None:
    """Print milliseconds a call at a quarter, the full and four times the size."""
    sizes = [TRAJECTORIES // 4, TRAJECTORIES, TRAJECTORIES * 4]
    batches = [random_batch(size, TURNS, GROUP) for size in sizes]
    print("| estimator | " + " | ".join(f"{b.turn_rewards.size:,} turns" for b in batches) + " |")
    print("|---|" + "---:|" * len(batches))
    slowest = ("", 0.0)
    for name in names():
        found = [seconds(name, batch) for batch in batches]
        print(f"| {name} | " + " | ".join(f"{1e3 * each:.1f} ms" for each in found) + " |")
        slowest = max(slowest, (name, found[1]), key=lambda each: each[1])
    print(f"slowest at {TRAJECTORIES:,} x {TURNS}: {slowest[0]}, {slowest[1]:.4f} s")


if __name__ == "__main__":
    main()
