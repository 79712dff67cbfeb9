"""OpenEnv 0.10: servers and clients over loopback, and training traces."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from rmgym.integrations.credit import Credit
from rmgym.integrations.openenv_client import OpenEnvClient, RemoteEnvError
from rmgym.rollout import rollout
from rmgym.testing import register_test_envs
from rmgym.testing.fakes import ScriptedPolicy
from rmgym.trajectory import TrajectoryGroup

pytestmark = pytest.mark.filterwarnings("default")
ECHO = "rmgym-testing/Echo-v0"
SERVERS = """
from rmgym.integrations.openenv import server_app
from rmgym.testing import register_test_envs
register_test_envs()
echo = server_app("rmgym-testing/Echo-v0", max_sessions=4)

from openenv.core.env_server import Action, Environment, Observation, State, create_fastapi_app

class Move(Action):
    number: int
    why: str = ""

class Seen(Observation):
    hint: str = ""

class Guess(Environment):
    SUPPORTS_CONCURRENT_SESSIONS = True
    def reset(self, seed=None, episode_id=None, **kw):
        self.secret = seed % 10
        return Seen(hint="guess a digit", done=False, reward=None)
    def step(self, action, timeout_s=None, **kw):
        if action.number < 0:
            raise RuntimeError("broken")
        right = action.number == self.secret
        return Seen(hint="right" if right else "wrong", done=right, reward=1.0 if right else -0.1)
    @property
    def state(self):
        return State()

guess = create_fastapi_app(Guess, Move, Seen, max_concurrent_envs=4)
"""


@contextmanager
def serving(app: str, folder: Path) -> Iterator[str]:
    (folder / "servers.py").write_text(SERVERS)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["-m", "uvicorn", f"servers:{app}", "--port", str(port), "--log-level", "error"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, *command], cwd=folder, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(600):
                if process.poll() is not None:
                    pytest.fail((folder / "log").read_text()[-3_000:])
                try:
                    urllib.request.urlopen(f"{address}/health", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield address
        finally:
            process.terminate()
            process.wait()


def test_an_episode_over_the_wire_is_the_episode_itself(tmp_path: Path) -> None:
    register_test_envs()
    here: Any = gym.make(ECHO)
    opening, _ = here.reset(seed=11)
    with serving("echo", tmp_path) as address:
        remote = OpenEnvClient(address)
        seen, _ = remote.reset(seed=0, options={"remote_seed": 11})
        assert seen == opening
        for _ in range(3):
            action = f"<say>{here.unwrapped.episode.word}</say>"
            ours, theirs = here.step(action), remote.step(action)
            assert theirs[0] == ours[0]
            assert theirs[1] == pytest.approx(ours[1])
            assert theirs[2:4] == ours[2:4]
            named = {f"remote/{k}": v for k, v in ours[4]["reward_terms"].items()}
            assert {k: theirs[4]["metrics"][k] for k in named} == pytest.approx(named)
        assert theirs[4]["stop_reason"] == "finished"
        assert "answer" not in str(theirs[4].get("task"))
        remote.close()


def test_truncation_crosses_the_wire(tmp_path: Path) -> None:
    with serving("echo", tmp_path) as address:
        played = rollout(lambda: OpenEnvClient(address), ScriptedPolicy(["nonsense"] * 8), 1)
    (trajectory,) = played.trajectories
    assert trajectory.stop_reason == "max_turns"
    assert trajectory.turns[-1].truncated
    assert len(trajectory.turns) == 8


def test_any_server_is_a_conversation_with_one_tool(tmp_path: Path) -> None:
    with serving("guess", tmp_path) as address:
        env = OpenEnvClient(address, instructions="Guess.")
        assert env.tools[0]["function"]["parameters"]["required"] == ["number"]
        seen, _ = env.reset(seed=0, options={"remote_seed": 7})
        assert seen[0]["content"].startswith("Guess.")
        assert seen[-1]["content"] == "guess a digit"
        call = '<tool_call>{"name": "act", "arguments": {"number": %d}}</tool_call>'
        observation, reward, terminated, truncated, info = env.step(call % 5)
        assert (observation[0]["content"], reward, terminated, truncated) == (
            "wrong",
            -0.1,
            False,
            False,
        )
        observation, reward, terminated, _, info = env.step(call % 7)
        assert (observation[0]["content"], reward, terminated) == ("right", 1.0, True)
        assert info["stop_reason"] == "done"
        assert info["reward_terms"] == {"remote": 1.0}
        _, reward, _, _, info = _malformed(env)
        assert info["reward_terms"] == {}
        assert reward == 0.0
        with pytest.raises(TypeError, match="got an episode on a server"):
            env.get_state()
        env.close()


def _malformed(env: OpenEnvClient) -> Any:
    env.reset(seed=1)
    return env.step("I think it is 7")


def test_an_error_of_the_server_is_a_broken_backend(tmp_path: Path) -> None:
    with serving("guess", tmp_path) as address:
        env = OpenEnvClient(address)
        env.reset(seed=0)
        with pytest.raises(RemoteEnvError, match="to step, got"):
            env.step('<tool_call>{"name": "act", "arguments": {"number": -1}}</tool_call>')
        env.close()


def test_no_server_is_a_broken_backend() -> None:
    with pytest.raises(RemoteEnvError, match="expected an OpenEnv server with /schema"):
        OpenEnvClient("http://127.0.0.1:9", timeout=2.0)


def test_a_training_trace_holds_the_credit_of_each_turn(groups: list[TrajectoryGroup]) -> None:
    from rmgym.integrations.openenv import to_training_trace

    rows = Credit(estimator="a2tgpo", outcome="em").rows(groups)
    trace = to_training_trace(groups[0].trajectories[0], [rows[0]])
    assert [turn.node_id for turn in trace.turns] == ["turn-0", "turn-1", "turn-2"]
    assert [turn.metadata["reward"] for turn in trace.turns] == [0.25, 0.5, 1.0]
    firsts = [first for first, _ in rows[0].turn_spans]
    assert rows[0].clip_scales is not None
    for turn, first in zip(trace.turns, firsts, strict=True):
        assert turn.metadata["advantage"] == rows[0].advantages[first]
        assert turn.metadata["clip_scale"] == rows[0].clip_scales[first]


def test_a_trajectory_without_ids_is_refused() -> None:
    from rmgym.integrations.openenv import to_training_trace

    register_test_envs()
    (played,) = rollout(lambda: gym.make(ECHO), ScriptedPolicy(["<leave/>"]), 1)
    with pytest.raises(ValueError, match="expected token ids and log-probabilities"):
        to_training_trace(played)
