from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rmgym.errors import JudgeError, RewardError
from rmgym.protocols import Grant, TermScore
from rmgym.rollout import TrajectoryStore, codec, rollout
from rmgym.trajectory import Completion, Context, Trajectory
from rmgym.wrappers import TurnReward
from tests.rollout.guessing import ENV_ID, Bisect, Fussy, GuessEnv, Nearness

ray: Any = pytest.importorskip("ray", reason="Ray is not installed: pip install 'rmgym[ray]'")

from rmgym.rollout.ray_engine import RemotePolicy, RemoteTerm  # noqa: E402  # behind the skip

pytestmark = [
    pytest.mark.slow,
    # Ray leaves its own sockets and processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=200 << 20,
        _node_ip_address="127.0.0.1",
        log_to_driver=False,
    )
    yield
    ray.shutdown()


def lines(played: Sequence[Trajectory]) -> list[str]:
    records = [codec.encode_trajectory(trajectory) for trajectory in played]
    for record in records:
        del record["metadata"]["seconds"]
    return [codec.dumps(record) for record in records]


@pytest.fixture(scope="module")
def expected() -> list[str]:
    return lines(rollout(ENV_ID, Bisect(), 40, num_envs=8, policy_name="p"))


class AsyncBisect(Bisect):
    async def aact(self, contexts: Sequence[Context]) -> list[Completion]:
        await asyncio.sleep(0.001 * (len(contexts[0].turns) % 3))
        return self.act(contexts)


@pytest.mark.parametrize("make_policy", [Bisect, AsyncBisect])
@pytest.mark.parametrize("concurrency", [1, 16])
def test_the_same_seeds_give_the_same_trajectories_as_the_local_engines(
    make_policy: Any, concurrency: int, expected: list[str]
) -> None:
    played = rollout(
        ENV_ID, make_policy(), 40, policy_name="p", engine="ray", concurrency=concurrency
    )
    assert lines(played) == expected


def test_a_policy_that_is_an_actor_already_serves_every_engine(expected: list[str]) -> None:
    policy = RemotePolicy(Bisect())
    for engine in ("ray", "async"):
        played = rollout(ENV_ID, policy, 40, policy_name="p", engine=engine)
        assert lines(played) == expected
    assert rollout(ENV_ID, policy, 1, engine="ray")[0].metadata["policy"] == "Bisect"
    policy.close()


class Process:
    """The number of the process that scores."""

    name = "pid"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        return [float(os.getpid()) for _ in contexts]


def test_environments_in_several_processes_share_one_actor_of_a_reward_term() -> None:
    term = RemoteTerm(Process())
    played = rollout(
        lambda: TurnReward(GuessEnv(), [term]), Bisect(), 8, engine="ray", concurrency=8
    )
    processes = {turn.reward for trajectory in played for turn in trajectory.turns}
    assert len(processes) == 1
    assert processes != {float(os.getpid())}


def test_failures_are_isolated_and_named_as_they_are_locally() -> None:
    judge = RemoteTerm(Fussy("6"))
    make = lambda: TurnReward(GuessEnv(broken=7, broken_opening=4), [judge])  # noqa: E731
    played = rollout(make, Bisect(), 6, engine="ray")
    assert [t.seed for t in played] == [0, 2, 3]
    assert [(f.seed, f.error, f.message, f.turns_played) for f in played.failures] == [
        (1, "RetrieverError", "no opening for 4", 0),
        (4, "RetrieverError", "down", 1),
        (5, "JudgeError", "read '6'\nraised by the reward term 'fussy'", 3),
    ]
    broken = rollout(ENV_ID, Bisect(broken=5), 6, engine="ray")
    assert [(f.seed, f.error, f.message) for f in broken.failures] == [(5, "PolicyError", "no 5")]


class Broken:
    name = "broken"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        return [float("nan") for _ in contexts]


class Texts:
    def act(self, contexts: Sequence[Context]) -> list[Any]:
        return ["<guess>1</guess>" for _ in contexts]


def test_what_is_no_backends_fault_is_raised() -> None:
    with pytest.raises(RewardError, match="finite"):
        rollout(lambda: TurnReward(GuessEnv(), [Broken()]), Bisect(), 2, engine="ray")
    with pytest.raises(TypeError, match="wrap text as Completion"):
        rollout(ENV_ID, Texts(), 2, engine="ray")


class Reporting(GuessEnv):
    """Reports its process in a file at the first turn on the number 7, then waits to be killed."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def step(self, action: str) -> Any:
        report = self.folder / "pid"
        if self.episode.number == 7 and self.episode.draws == 1 and not report.exists():
            (self.folder / "new").write_text(str(os.getpid()))
            (self.folder / "new").rename(report)
            time.sleep(600)
        return super().step(action)


def kill_reported(report: Path) -> threading.Thread:
    """Kill the process that reports itself there."""

    def kill() -> None:
        while not report.exists():
            time.sleep(0.01)
        os.kill(int(report.read_text()), signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def test_a_killed_actor_costs_the_time_of_its_episodes_and_not_the_run(
    tmp_path: Path, expected: list[str]
) -> None:
    killing = kill_reported(tmp_path / "pid")
    with TrajectoryStore(tmp_path / "s.jsonl") as store:
        played = rollout(
            lambda: Reporting(tmp_path),
            Bisect(),
            40,
            policy_name="p",
            store=store,
            engine="ray",
            concurrency=8,
        )
    killing.join()
    assert not played.failures
    assert lines(played) == [line.replace(f'"{ENV_ID}"', '"Reporting"') for line in expected]


class Mortal(Bisect):
    """Reports its process at the third turn of a conversation, then waits to be killed."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        report = self.folder / "pid"
        if len(contexts[0].turns) == 2 and not report.exists():
            (self.folder / "new").write_text(str(os.getpid()))
            (self.folder / "new").rename(report)
            time.sleep(600)
        return super().act(contexts)


def test_a_killed_policy_is_started_and_asked_again(tmp_path: Path, expected: list[str]) -> None:
    killing = kill_reported(tmp_path / "pid")
    played = rollout(ENV_ID, Mortal(tmp_path), 40, policy_name="p", engine="ray")
    killing.join()
    assert lines(played) == expected


class Suicidal:
    name = "suicidal"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []


def test_an_actor_that_dies_again_and_again_is_a_named_failure() -> None:
    term = RemoteTerm(Suicidal(), max_task_retries=1)
    played = rollout(lambda: TurnReward(GuessEnv(), [term]), Bisect(), 1, engine="ray")
    [failure] = played.failures
    assert failure.error == JudgeError.__name__
    assert "expected an answer from an actor of Ray, got Actor" in failure.message
    assert "raised by the reward term 'suicidal'" in failure.message


class SuicidalEnv(GuessEnv):
    def step(self, action: str) -> Any:
        if self.episode.number == 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(action)


def test_an_environment_that_kills_its_actor_every_time_fails_alone() -> None:
    played = rollout(SuicidalEnv, Bisect(), 6, engine="ray", concurrency=1)
    assert [t.seed for t in played] == [0, 1, 2, 3, 5]
    assert [(f.seed, f.error) for f in played.failures] == [(4, "SeatLostError")]


class Hanging(GuessEnv):
    def step(self, action: str) -> Any:
        if self.episode.number == 7 and self.episode.draws == 1:
            time.sleep(600)
        return super().step(action)


def test_budgets_hold_on_ray() -> None:
    played = rollout(Hanging, Bisect(), 6, engine="ray", concurrency=1, max_seconds=5.0)
    assert [t.stop_reason for t in played] == ["hit"] * 4 + ["max_seconds", "hit"]
    assert played[4].turns[-1].reward_terms == {"nearness": 0.1 * (1 / 4), "hits": 0.0}
    cut = rollout(
        lambda: TurnReward(GuessEnv(), [Nearness()]), Bisect(), 6, engine="ray", max_tokens=5
    )
    assert [t.stop_reason for t in cut] == ["hit"] * 5 + ["max_tokens"]
