"""Steps a second of conversations, vectors and searches, beside bare Gymnasium and the peers.

    python tests/benchmarks/bench_environments.py
    python tests/benchmarks/bench_environments.py --gem VENV/bin/python --skyrl VENV/bin/python

All rows are measured in one run; compare ratios, not single figures.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import gymnasium as gym
from gymnasium import spaces
from measure import StubRetriever, machine, print_table, rate, run_peer

import rmgym.testing

CHARACTERS = "".join(chr(code) for code in range(32, 127)) + "\n\t"
TEXT = "x" * 200
SAY = "<say>hello world</say>"
Row = tuple[str, float, str]
TURNS = 10


class BareText(gym.Env[str, str]):
    """The least that Gymnasium allows: text in, text out."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # as upstream
    observation_space = spaces.Text(2048, min_length=0, charset=CHARACTERS)
    action_space = spaces.Text(2048, min_length=0, charset=CHARACTERS)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.turn = 0
        return TEXT, {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.turn += 1
        return TEXT, 0.0, self.turn >= TURNS, False, {}


def episode(env: gym.Env[Any, Any], action: str) -> int:
    """Play to the end; return the steps."""
    env.reset(seed=0)
    steps, ended = 0, False
    while not ended:
        _, _, terminated, truncated, _ = env.step(action)
        ended = terminated or truncated
        steps += 1
    return steps


def vector_steps(env: Any, action: str, steps: int = 50) -> int:
    """Step a vector; return how many single steps that was."""
    actions = [action] * env.num_envs
    for _ in range(steps):
        env.step(actions)
    return steps * int(env.num_envs)


def trivial_rows(seconds: float) -> list[Row]:
    """Measure a trivial conversation beside a bare environment."""
    gym.register("bench/BareText-v0", entry_point=lambda **_: BareText())
    bare = gym.make("bench/BareText-v0")
    chat = gym.make("rmgym-testing/Echo-v0")
    bare_rate = rate(lambda: episode(bare, SAY), seconds=seconds)
    chat_rate = rate(lambda: episode(chat, SAY), seconds=seconds)
    rows = [
        ("bare gymnasium.Env through make, steps/s", bare_rate, ""),
        (
            "conversation with terms through make, steps/s",
            chat_rate,
            f"1/{bare_rate / chat_rate:.1f} of bare",
        ),
    ]
    for mode in ("sync", "process"):
        vector = gym.make_vec("rmgym-testing/Echo-v0", num_envs=16, mode=mode)
        check_strings(vector, SAY)
        figure = rate(partial(vector_steps, vector, SAY), seconds=seconds)
        rows.append((f"16 conversations, mode={mode}, steps/s", figure, "strings checked"))
        vector.close()
    return rows


def check_strings(vector: Any, action: str) -> None:
    """Raise if a vector gives other observations than the environment alone."""
    single = gym.make("rmgym-testing/Echo-v0")
    expected, _ = single.reset(seed=0)
    got, _ = vector.reset(seed=0)
    if got[0] != expected:
        raise RuntimeError(f"expected {expected}, got {got[0]}")
    expected = single.step(action)[0]
    got = vector.step([action] * vector.num_envs)[0]
    if got[0] != expected:
        raise RuntimeError(f"expected {expected}, got {got[0]}")


def search_rows(seconds: float) -> list[Row]:
    """Measure search on the embedded index, and on a retriever that takes 20 ms."""
    env = gym.make("rmgym/Search-v0")
    queries = [query for task in env.unwrapped.tasks for query in task.sub_queries]  # type: ignore[attr-defined]
    position = 0

    def embedded() -> int:
        nonlocal position
        env.reset(seed=position)
        for _ in range(4):
            env.step(f"<search>{queries[position % len(queries)]}</search>")
            position += 1
        env.step("<answer>none</answer>")
        return 5

    rows = [("search, embedded index, turns/s", rate(embedded, seconds=seconds), "single")]
    with StubRetriever(20) as stub:
        vector = gym.make_vec(
            "rmgym/Search-v0",
            num_envs=16,
            mode="thread",
            retriever=stub.url,
            max_searches=49,
            final_answer_turn=False,
        )
        vector.reset(seed=0)
        # Of 50 steps 49 search; in the other one the episodes begin again.
        work = partial(vector_steps, vector, "<search>who</search>", 50)
        figure = 0.98 * rate(work, seconds=seconds)
        rows.append(("search, 20 ms retriever, 16 in threads, turns/s", figure, "ceiling 800"))
        vector.close()
    return rows


def peer_rows(gem: str | None, skyrl: str | None, seconds: float) -> list[Row]:
    """Measure the same 20 ms retriever and echo under the peers."""
    rows = []
    for name, python in (("gem", gem), ("skyrl", skyrl)):
        if python is None:
            continue
        with StubRetriever(20) as stub:
            found = run_peer(python, f"{name}_peer.py", stub.url, seconds=seconds)
        rows += [(f"{name}: {key}", value, "") for key, value in found.items() if key != "error"]
        if "error" in found:
            rows.append((f"{name}: did not run", 0.0, str(found["error"])))
    return rows


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gem", help="python that has gem-llm 0.1.0 and requests")
    parser.add_argument("--skyrl", help="python that has skyrl-gym 0.4.0")
    parser.add_argument("--seconds", type=float, default=1.5, help="for each row")
    arguments = parser.parse_args()
    rmgym.testing.register_test_envs()
    print(machine())
    rows = trivial_rows(arguments.seconds) + search_rows(arguments.seconds)
    print_table(rows + peer_rows(arguments.gem, arguments.skyrl, arguments.seconds))


if __name__ == "__main__":
    main()
