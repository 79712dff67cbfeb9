"""verifiers: traces out and in, and any rmgym environment as a taskset.

    # my_search/__init__.py, a taskset for `vf-eval` and prime-rl
    from rmgym.integrations.verifiers import taskset
    SearchTaskset, SearchEnv = taskset("rmgym/Search-v0", seeds=range(1000))
    __all__ = ["SearchTaskset", "SearchEnv"]

`to_trace` writes a trajectory as a message graph whose sampled nodes carry ids, log-probabilities
and the turn's advantage on each token; `from_trace` reads one. A trace sampled by an evaluation
client has no token ids. Written for verifiers 0.4 (`verifiers.v1`); needs
`pip install 'rmgym[verifiers]'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rmgym.integrations.credit import CreditRow
from rmgym.integrations.episodes import MakeEnv, trainer_module
from rmgym.messages import Message, Observation, Role, message
from rmgym.rollout.engine import env_maker
from rmgym.rollout.episodes import EpisodeKey
from rmgym.rollout.ledger import Running
from rmgym.rollout.seats import EnvHost, ThreadSeat
from rmgym.trajectory import Completion, Context, Trajectory, Turn
from rmgym.wrappers.record_trajectory import task_id_of

EXTRA = "verifiers"
TOOL_CALL_ID = "rmgym"
"""verifiers wants the call that a tool message answers; rmgym's messages name none."""

__all__ = ["from_trace", "taskset", "to_trace"]


def to_trace(trajectory: Trajectory, rows: Sequence[CreditRow] = ()) -> Any:
    """Return a trajectory as a `verifiers.v1.Trace`.

    Args:
        trajectory: An episode whose completions carry token ids.
        rows: Its credited rows; without, nodes have no advantages.

    Raises:
        MissingExtraError: If verifiers is not installed.
    """
    vf = _v1("to_trace")
    graph = _Graph(vf, _per_turn(rows))
    for number, turn in enumerate(trajectory.turns):
        told = Context(trajectory.turns[:number], turn.observation).messages
        graph.add(number, turn, told)
    graph.hear(trajectory.final_observation, [])
    return _trace(vf, trajectory, graph.nodes)


class _Graph:
    """A message graph that grows by turns; a prompt that does not extend the last opens a root."""

    def __init__(self, vf: Any, advantages: dict[int, list[float]]) -> None:
        self.nodes: list[Any] = []
        self._vf = vf
        self._advantages = advantages
        self._parent: int | None = None
        self._ids: tuple[int, ...] = ()

    def add(self, number: int, turn: Turn, told: Sequence[Message]) -> None:
        """Add what a turn was shown, and what was said."""
        said = turn.completion
        news: Sequence[Message] = turn.observation
        if said.prompt_ids[: len(self._ids)] != self._ids:
            self._parent, self._ids, news = None, (), told
        head = self.hear(news, list(said.prompt_ids[len(self._ids) :]))
        self._append(
            message=self._vf.AssistantMessage(content=said.text),
            sampled=True,
            token_ids=[*head, *said.completion_ids],
            mask=[False] * len(head) + [True] * len(said.completion_ids),
            logprobs=list(said.logprobs or ()),
            advantages=self._advantages.get(number),
        )
        self._ids = said.prompt_ids + said.completion_ids

    def hear(self, news: Sequence[Message], ids: list[int]) -> list[int]:
        """Add messages, their tokens on the last; return the tokens if there is no message."""
        for place, given in enumerate(news):
            own = ids if place == len(news) - 1 else []
            told = _to_message(self._vf, given)
            self._append(message=told, token_ids=own, mask=[False] * len(own))
        return [] if news else ids

    def _append(self, **fields: Any) -> None:
        self.nodes.append(self._vf.MessageNode(parent=self._parent, **fields))
        self._parent = len(self.nodes) - 1


def from_trace(trace: Any, *, env_id: str | None = None) -> list[Trajectory]:
    """Return the trajectories of a trace, one a trainable branch.

    Turn rewards are those that `to_trace`, the environment of `taskset`, or another writer left in
    `trace.info`; without any, the named rewards stand on the last turn.

    Args:
        trace: A `verifiers.v1.Trace`.
        env_id: Name of the environment; that of the task's class when None.
    """
    found = []
    for branch in trace.branches:
        if branch.trainable and any(node.sampled for node in branch.nodes):
            found.append(_from_branch(trace, branch, env_id))
    return found


def taskset(env: MakeEnv, seeds: Sequence[int], *, name: str = "Rmgym") -> tuple[Any, Any]:
    """Return a taskset class and its environment class, to be exported by a taskset package.

    The environment is stepped in this process and answers as the user. Each reward term is recorded
    as a reward of weight 1; `trace.info` keeps `turn_rewards` and `reward_terms` turn by turn.

    Args:
        env: An id, or a function that makes an environment.
        seeds: One task each.
        name: What the classes' names begin with.

    Raises:
        MissingExtraError: If verifiers is not installed.
    """
    vf = _v1("taskset")
    pydantic = trainer_module("pydantic", "taskset", EXTRA)
    make = env_maker(env)

    data_base: Any = vf.TaskData

    class Data(data_base):
        """A task: what opens the episode, and its seed."""

        seed: int

    task_base: Any = vf.Task[Data]

    class Task(task_base):
        """Scored by the environment."""

    taskset_base: Any = vf.Taskset[Task, vf.TasksetConfig]

    class Taskset(taskset_base):
        """One task a seed."""

        def load(self) -> Any:
            host = EnvHost(make)
            for index, seed in enumerate(seeds):
                opening, info = host.begin(seed)
                prompt = [_to_message(vf, said) for said in opening]
                task_id = task_id_of(info)
                data = Data(idx=index, id=task_id, name=f"{name}#{seed}", prompt=prompt, seed=seed)
                yield Task(data, self.config.task)
            host.close()

    Config = pydantic.create_model(
        f"{name}EnvConfig",
        __base__=vf.EnvConfig,
        player=(vf.AgentConfig, vf.AgentConfig()),
    )
    env_base: Any = vf.Env[Config]

    class Env(env_base):
        """Steps the environment."""

        config_class = Config

        async def run(self, task: Any, agents: Any) -> None:
            seat = ThreadSeat(make)
            try:
                observation, info = await seat.begin(task.data.seed)
                running = Running(0, task_id_of(info), observation)
                async with agents.player.interaction(task) as interaction:
                    await _converse(interaction, seat, running)
                key = EpisodeKey(await seat.env_id(), None, task.data.seed, None)
            finally:
                await seat.close()
            if running.turns:
                _record(interaction.trace, running.trajectory(key))

    for made, role in ((Data, "Data"), (Task, "Task"), (Taskset, "Taskset"), (Env, "Env")):
        made.__name__ = made.__qualname__ = f"{name}{role}"
    return Taskset, Env


async def _converse(interaction: Any, seat: ThreadSeat, running: Running) -> None:
    """Let the agent and the environment answer each other until one of them ends."""
    segment = await interaction.turn()
    while not segment.terminated:
        said = Completion(text=segment.last_reply or "")
        if running.add(said, await seat.play(said)).ended:
            return
        segment = await interaction.turn(_text(running.observation))
    if running.turns:
        context = Context(running.turns, running.observation)
        running.replace_last(await seat.cut(context, "agent_stopped"))


def _trace(vf: Any, trajectory: Trajectory, nodes: list[Any]) -> Any:
    data = vf.TaskData(id=trajectory.task_id)
    agent = vf.AgentInfo[vf.AgentConfig](config=vf.AgentConfig(), name=trajectory.agent)
    trace = vf.Trace[vf.TaskData, vf.State, vf.AgentConfig](
        task=vf.TraceTask[vf.TaskData](type=trajectory.env_id, data=data, key=trajectory.task_id),
        agent=agent,
        nodes=nodes,
        is_completed=True,
        ok=True,
        stop_condition=trajectory.stop_reason,
    )
    _record(trace, trajectory)
    return trace


def _record(trace: Any, trajectory: Trajectory) -> None:
    for term, value in trajectory.term_sums.items():
        trace.record_reward(term, value, 1.0)
    for metric, value in trajectory.metrics.items():
        trace.metrics[metric] = float(value)
    trace.info["turn_rewards"] = [turn.reward for turn in trajectory.turns]
    trace.info["reward_terms"] = [dict(turn.reward_terms) for turn in trajectory.turns]
    trace.info["seed"] = trajectory.seed
    last = trajectory.turns[-1]
    trace.info["ends"] = [last.terminated, last.truncated]
    trace.info["stop_reason"] = trajectory.stop_reason


def _from_branch(trace: Any, branch: Any, env_id: str | None) -> Trajectory:
    turns: list[Turn] = []
    seen: list[Message] = []
    ids: tuple[int, ...] = ()
    for node in branch.nodes:
        if not node.sampled:
            seen.append(_from_message(node.message))
            ids += tuple(node.token_ids)
            continue
        turns.append(Turn(observation=tuple(seen), completion=_completion(node, ids)))
        seen, ids = [], ids + tuple(node.token_ids)
    return Trajectory(
        env_id=env_id or trace.task.type,
        seed=trace.info.get("seed"),
        task_id=str(trace.task.key or trace.task.data.id or trace.task.hash),
        agent=trace.agent.name,
        turns=_rewarded(trace, turns),
        final_observation=tuple(seen),
        metadata={"trace_id": trace.id},
    )


def _completion(node: Any, before: tuple[int, ...]) -> Completion:
    sampled = sum(node.mask)
    head = len(node.token_ids) - sampled
    return Completion(
        text=node.message.content or "",
        prompt_ids=before + tuple(node.token_ids[:head]) if sampled else (),
        completion_ids=tuple(node.token_ids[head:]),
        logprobs=tuple(node.logprobs) if sampled and node.logprobs else None,
    )


def _rewarded(trace: Any, turns: Sequence[Turn]) -> tuple[Turn, ...]:
    terms: list[dict[str, float]] = trace.info.get("reward_terms") or []
    rewards: list[float] = trace.info.get("turn_rewards") or []
    if rewards and len(rewards) != len(turns):
        raise ValueError(
            f"trace {trace.id}: expected a reward for each of {len(turns)} turns, got "
            f"{len(rewards)}"
        )
    if not rewards:
        named = {name: reward.value for name, reward in trace.rewards.items() if reward is not None}
        terms = [{} for _ in turns[1:]] + [named]
        rewards = [sum(own.values()) for own in terms]
    terms = terms or [{} for _ in turns]
    terminated, truncated = trace.info.get("ends", (True, False))
    found = [
        replace(turn, reward=reward, reward_terms=own)
        for turn, reward, own in zip(turns, rewards, terms, strict=True)
    ]
    stop = trace.info.get("stop_reason") or trace.stop_condition
    found[-1] = replace(
        found[-1],
        terminated=terminated,
        truncated=truncated,
        info={"stop_reason": stop, "metrics": dict(trace.metrics)},
    )
    return tuple(found)


def _per_turn(rows: Sequence[CreditRow]) -> dict[int, list[float]]:
    """Return the advantages of each turn's tokens."""
    found: dict[int, list[float]] = {}
    for row in rows:
        for turn, advantage in zip(row.turn_index, row.advantages, strict=True):
            if turn >= 0:
                found.setdefault(turn, []).append(advantage)
    return found


def _to_message(vf: Any, said: Message) -> Any:
    role, content = said["role"], said["content"]
    if role == "system":
        return vf.SystemMessage(content=content)
    if role == "assistant":
        return vf.AssistantMessage(content=content)
    if role == "tool":
        return vf.ToolMessage(content=content, tool_call_id=TOOL_CALL_ID)
    return vf.UserMessage(content=content)


def _from_message(given: Any) -> Message:
    role: Role = given.role
    content = given.content
    if isinstance(content, list):
        content = "\n".join(part.text for part in content if part.type == "text")
    return message(role, content or "")


def _text(observation: Observation) -> str:
    return "\n\n".join(said["content"] for said in observation)


def _v1(what: str) -> Any:
    return trainer_module("verifiers.v1", what, EXTRA)
