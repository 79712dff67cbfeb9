"""verifiers 0.4: traces out and in, and a taskset that is really run over loopback."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from rmgym.integrations.credit import Credit
from rmgym.testing import register_test_envs
from rmgym.trajectory import Completion, TrajectoryGroup

pytestmark = pytest.mark.filterwarnings("default")
ECHO = "rmgym-testing/Echo-v0"


def test_a_trajectory_comes_back_from_its_trace(groups: list[TrajectoryGroup]) -> None:
    from rmgym.integrations.verifiers import from_trace, to_trace

    for group in groups:
        for trajectory in group.trajectories:
            (back,) = from_trace(to_trace(trajectory))
            assert back.task_id == trajectory.task_id
            assert back.env_id == trajectory.env_id
            assert back.seed == trajectory.seed
            assert back.stop_reason == trajectory.stop_reason
            assert back.episode_return == trajectory.episode_return
            for ours, theirs in zip(trajectory.turns, back.turns, strict=True):
                assert theirs.observation == ours.observation
                assert theirs.reward_terms == ours.reward_terms
                assert theirs.terminated == ours.terminated
                for part in ("text", "prompt_ids", "completion_ids", "logprobs"):
                    assert getattr(theirs.completion, part) == getattr(ours.completion, part)


def test_rewards_and_turn_rewards_stand_where_prime_rl_reads_them(
    groups: list[TrajectoryGroup],
) -> None:
    from rmgym.integrations.verifiers import to_trace

    trace = to_trace(groups[0].trajectories[0])
    assert {name: reward.value for name, reward in trace.rewards.items()} == {
        "gain": 0.75,
        "em": 1.0,
    }
    assert trace.reward == 1.75
    assert trace.info["turn_rewards"] == [0.25, 0.5, 1.0]


def test_credit_stands_on_sampled_tokens_alone(groups: list[TrajectoryGroup]) -> None:
    from rmgym.integrations.verifiers import to_trace

    rows = Credit(estimator="igpo", outcome="em").rows(groups)
    trace = to_trace(groups[0].trajectories[0], [rows[0]])
    for node in trace.nodes:
        if node.sampled:
            assert node.advantages is not None
            assert len(node.advantages) == sum(node.mask) == len(node.logprobs)
        else:
            assert node.advantages is None


def test_a_rewritten_history_becomes_a_second_branch(groups: list[TrajectoryGroup]) -> None:
    from rmgym.integrations.verifiers import from_trace, to_trace

    trajectory = groups[0].trajectories[1]
    first, second = trajectory.turns
    rewritten = replace(second.completion, prompt_ids=(7, 7, 7))
    turns = (first, replace(second, completion=rewritten))
    trace = to_trace(replace(trajectory, turns=turns))
    assert [branch.token_ids[:3] for branch in trace.branches][1] == [7, 7, 7]
    assert len(trace.branches) == 2
    with pytest.raises(ValueError, match="expected a reward for each of 1 turns, got 2"):
        from_trace(trace)


def test_a_trace_without_turn_rewards_has_its_rewards_on_the_last_turn(
    groups: list[TrajectoryGroup],
) -> None:
    from rmgym.integrations.verifiers import from_trace, to_trace

    trace = to_trace(groups[0].trajectories[0])
    trace.info.clear()
    (back,) = from_trace(trace, env_id="theirs")
    assert [turn.reward for turn in back.turns] == [0.0, 0.0, 1.75]
    assert back.env_id == "theirs"


def test_text_alone_gives_nodes_without_ids() -> None:
    import gymnasium as gym

    from rmgym.integrations.verifiers import from_trace, to_trace
    from rmgym.rollout import rollout
    from rmgym.testing.fakes import ScriptedPolicy

    register_test_envs()
    (played,) = rollout(lambda: gym.make(ECHO), ScriptedPolicy(["<leave/>"]), 1)
    trace = to_trace(played)
    assert not any(node.token_ids for node in trace.nodes)
    (back,) = from_trace(trace)
    assert back.turns[0].completion == Completion(text="<leave/>")
    assert back.final_observation == played.final_observation


class OneLine(BaseHTTPRequestHandler):
    """An OpenAI-compatible server that says one line."""

    line = "<leave/>"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        base = {"id": "c", "created": 0, "model": asked.get("model", "m")}
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        if asked.get("stream"):
            chunk = {**base, "object": "chat.completion.chunk"}
            said = {"role": "assistant", "content": self.line}
            parts: list[dict[str, Any]] = [
                {**chunk, "choices": [{"index": 0, "delta": said, "finish_reason": None}]},
                {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
                {**chunk, "choices": [], "usage": usage},
            ]
            body = "".join(f"data: {json.dumps(part)}\n\n" for part in parts) + "data: [DONE]\n\n"
            kind = "text/event-stream"
        else:
            message = {"role": "assistant", "content": self.line}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            whole = {**base, "object": "chat.completion", "choices": [choice], "usage": usage}
            body, kind = json.dumps(whole), "application/json"
        data = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server on loopback."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), OneLine)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}/v1"
    made.shutdown()
    made.server_close()


def test_an_environment_is_played_as_a_taskset(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import verifiers.v1 as vf

    from rmgym.integrations.verifiers import from_trace, taskset

    register_test_envs()
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    module = type(sys)("rmgym_echo_taskset")
    made = taskset(ECHO, seeds=[3, 4], name="Echo")
    module.EchoTaskset, module.EchoEnv = made  # type: ignore[attr-defined]  # a made-up package
    module.__all__ = ["EchoTaskset", "EchoEnv"]  # type: ignore[attr-defined]  # as above
    for each in made:
        each.__module__ = module.__name__
    monkeypatch.setitem(sys.modules, module.__name__, module)
    tasks = list(made[0](vf.TasksetConfig(id=module.__name__)))
    assert [task.data.seed for task in tasks] == [3, 4]
    assert tasks[0].data.prompt[0].role == "user"
    player = vf.AgentConfig(harness={"id": "null"}, runtime={"type": "subprocess"})
    tasks_config = vf.TasksetConfig(id=module.__name__)
    env = made[1](made[1].config_class(taskset=tasks_config, player=player))
    context = vf.ModelContext(
        client=vf.EvalClientConfig(base_url=server, api_key_var="OPENAI_API_KEY"),
        model="m",
        sampling=vf.SamplingConfig(),
    )

    async def run() -> Any:
        async with env.serving():
            return await env.run_slot(env.slots(tasks[0])[0], context, asyncio.Semaphore(1))

    episode = asyncio.run(run())
    assert episode.ok
    (trace,) = episode.traces
    assert trace.info["turn_rewards"] == [0.0]
    assert {name: reward.value for name, reward in trace.rewards.items()} == {"finished": 0.0}
    (back,) = from_trace(trace, env_id=ECHO)
    assert back.stop_reason == "left"
    assert back.turns[0].completion.text == "<leave/>"
