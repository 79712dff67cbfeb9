"""A server that drops, stalls and babbles, and a process that is killed: nothing is made up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rmgym.rollout import Rollout, TrajectoryStore, read_trajectories, rollout
from rmgym.trajectory import Completion, Context, Trajectory
from tests.agents.stub_openai import Answer, Request, StubServer, chat
from tests.rollout.guessing import ENV_ID

pytest.importorskip("openai", reason="openai is not installed: pip install 'rmgym[openai]'")
pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install 'rmgym[openai]'")

from rmgym.agents.openai_compatible import OpenAIPolicy

ROOT = Path(__file__).resolve().parents[2]
EPISODES = 500
TIMEOUT = 2.5
GARBAGE = (b"", b"<html>502</html>", b'{"choices": []}', b'{"choices": [{"message": 5}]}', b"nul")


def bisect(messages: Sequence[dict[str, str]]) -> str:
    """Say the middle of the interval that the conversation leaves."""
    low, high = 0, 9
    for said, answer in zip(messages[1::2], messages[2::2], strict=True):
        guess = int(said["content"].removeprefix("<guess>").removesuffix("</guess>"))
        if "smaller" in answer["content"]:
            high = guess - 1
        else:
            low = guess + 1
    return f"<guess>{(low + high) // 2}</guess>"


class Bisecting:
    """The server's player, without a server."""

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        return [Completion(text=bisect([dict(m) for m in c.messages])) for c in contexts]  # type: ignore[arg-type]  # all are texts


class Faulty:
    """Drops 5 % of connections, answers garbage in 5 % and stalls in 2 %."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.faults: Counter[str] = Counter()

    def __call__(self, request: Request) -> Answer:
        answer = chat(bisect(request.body["messages"]))
        draw = self._rng.random()
        fault = next(
            (f for f, p in (("drop", 0.05), ("garbage", 0.1), ("stall", 0.12)) if draw < p), ""
        )
        self.faults[fault] += 1
        if fault == "drop":
            return Answer(answer, drop="before" if draw < 0.025 else "within")
        if fault == "garbage":
            return Answer(GARBAGE[request.number % len(GARBAGE)])
        return Answer(answer, seconds=600.0 if fault == "stall" else 0.0)


def play(url: str, store: TrajectoryStore | None = None, retries: int = 0) -> Rollout:
    policy = OpenAIPolicy("m", url, timeout=TIMEOUT, retries=retries, backoff=0.01, concurrency=32)
    with policy:
        return rollout(
            ENV_ID,
            policy,
            EPISODES,
            store=store,
            policy_name="p",
            engine="async",
            concurrency=64,
            progress=lambda ended: print(json.dumps(ended.seed), flush=True),
        )


def told(trajectory: Trajectory) -> tuple[object, ...]:
    turns = [(turn.completion.text, turn.reward_terms, turn.reward) for turn in trajectory.turns]
    return trajectory.seed, trajectory.task_id, trajectory.stop_reason, turns


@pytest.fixture(scope="module")
def expected() -> dict[int | None, tuple[object, ...]]:
    return {t.seed: told(t) for t in rollout(ENV_ID, Bisecting(), EPISODES, num_envs=64)}


@pytest.mark.parametrize("retries", [0, 4])
def test_every_episode_ends_as_it_would_have_or_as_a_named_failure(
    retries: int, expected: dict[int | None, tuple[object, ...]]
) -> None:
    faulty = Faulty(seed=retries)
    with StubServer(faulty) as server:
        played = play(server.url, retries=retries)
    assert sorted([t.seed or 0 for t in played] + [f.episode for f in played.failures]) == list(
        range(EPISODES)
    )
    assert all(told(trajectory) == expected[trajectory.seed] for trajectory in played)
    assert {f.error for f in played.failures} == {"PolicyError"}
    causes = Counter(cause_of(failure.message) for failure in played.failures)
    faults = faulty.faults
    assert 50 < faults["garbage"] < 110
    assert causes["garbage"] == faults["garbage"]
    if retries:
        assert set(causes) == {"garbage"}
    else:
        assert causes["drop"] == faults["drop"]
        assert causes["stall"] >= faults["stall"]  # a slow machine may add some
        assert set(causes) == {"garbage", "drop", "stall"}


def cause_of(message: str) -> str:
    if any(words in message for words in ("a JSON object", "a choice", "a finish_reason")):
        return "garbage"
    if "got none within" in message:
        return "stall"
    return "drop" if "got none: " in message else message


RUN = """
import sys
from rmgym.rollout import TrajectoryStore
from tests.rollout.test_robustness import play
with TrajectoryStore(sys.argv[2]) as store:
    play(sys.argv[1], store, retries=1)
"""


def play_until_killed(url: str, path: Path, ends: int) -> set[int]:
    """Play in a process of its own and kill it after so many ends; return which were told."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, url, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout as output:
        seeds = {int(output.readline()) for _ in range(ends)}
        os.kill(process.pid, signal.SIGKILL)
        seeds |= {int(line) for line in output if line.endswith("\\n")}
    assert process.wait() == -signal.SIGKILL
    return seeds


@pytest.mark.slow
def test_nothing_is_lost_when_the_process_is_killed_and_the_rollout_resumed(
    tmp_path: Path, expected: dict[int | None, tuple[object, ...]]
) -> None:
    path = tmp_path / "s.jsonl"
    with StubServer(Faulty(seed=1)) as server:
        for ends in (60, 120):
            told_of = play_until_killed(server.url, path, ends)
            with TrajectoryStore(path) as store:
                kept = {key.seed for key in store.done_keys()}
                failed = {failure.seed for failure in store.failures()}
            assert told_of <= kept | failed
        before = {t.seed: t for t in read_trajectories(path)}
        for _ in range(20):
            with TrajectoryStore(path) as store:
                played = play(server.url, store, retries=1)
            assert len(played) + len(played.failures) == EPISODES
            if not played.failures:
                break
    assert {t.seed: told(t) for t in played} == expected
    assert all(trajectory == before.get(trajectory.seed, trajectory) for trajectory in played)
    lines = [t.seed for t in read_trajectories(path)]
    assert sorted(seed or 0 for seed in lines) == list(range(EPISODES))
