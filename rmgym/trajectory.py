"""What happened: completions, turns, trajectories, and the context of a policy or reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias

from rmgym.messages import Message, Observation

FinishReason: TypeAlias = Literal["stop", "length", "abort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a policy returns for one turn.

    Raises:
        ValueError: If there is not exactly one log-probability per completion id.
    """

    text: str
    """The turn, decoded once; the action given to `env.step`."""
    prompt_ids: tuple[int, ...] = ()
    """Exactly what the engine was given."""
    completion_ids: tuple[int, ...] = ()
    """Exactly what it sampled, the stop token included."""
    logprobs: tuple[float, ...] | None = None
    """Log-probability of each completion id under the sampling policy."""
    finish_reason: FinishReason = "stop"
    policy_version: int | None = None
    """Which weights sampled it, so that off-policy data is visible."""

    def __post_init__(self) -> None:
        """Check that log-probabilities and ids match."""
        if self.logprobs is not None and len(self.logprobs) != len(self.completion_ids):
            raise ValueError(
                f"expected one logprob per completion id, got {len(self.logprobs)} for "
                f"{len(self.completion_ids)} ids; pass both from the same engine call"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn: what was seen, what was said, what it earned."""

    observation: Observation
    """The new messages that the agent saw before it spoke."""
    completion: Completion
    reward: float = 0.0
    reward_terms: Mapping[str, float] = field(default_factory=dict)
    """Weighted terms by name; they sum to `reward`."""
    terminated: bool = False
    truncated: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)
    """The step's info, hidden facts included; emptied before a policy sees the turn."""

    @property
    def ended(self) -> bool:
        """Whether this turn ended the episode."""
        return self.terminated or self.truncated

    def public(self) -> Turn:
        """Return the turn as a policy may see it: without `info`."""
        return replace(self, info={})


class Context(NamedTuple):
    """A conversation at one moment.

    A policy gets the turns so far and the new observation. A reward term gets the same after the
    turn to be scored: `turns[-1]` is that turn, `observation` what the world answered.
    """

    turns: Sequence[Turn]
    observation: Observation

    @property
    def messages(self) -> list[Message]:
        """The whole conversation as messages, the agent's turns under role "assistant"."""
        said: list[Message] = []
        for turn in self.turns:
            said.extend(turn.observation)
            said.append({"role": "assistant", "content": turn.completion.text})
        said.extend(self.observation)
        return said

    @property
    def last(self) -> Turn:
        """The turn to be scored."""
        return self.turns[-1]

    @property
    def task(self) -> Mapping[str, Any]:
        """The hidden facts of the task (`info["task"]` of the last turn)."""
        task: Mapping[str, Any] = self.turns[-1].info["task"]
        return task


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """One agent's episode."""

    env_id: str
    seed: int | None = None
    task_id: str
    agent: str = "agent"
    turns: tuple[Turn, ...]
    final_observation: Observation = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What the recorder wants to keep: policy name, episode index, wall seconds."""

    @property
    def messages(self) -> list[Message]:
        """The whole conversation, the final observation included."""
        return Context(self.turns, self.final_observation).messages

    @property
    def episode_return(self) -> float:
        """Sum of the turns' rewards."""
        return sum(turn.reward for turn in self.turns)

    @property
    def term_sums(self) -> dict[str, float]:
        """Sum of each reward term over the episode."""
        sums: dict[str, float] = {}
        for turn in self.turns:
            for name, value in turn.reward_terms.items():
                sums[name] = sums.get(name, 0.0) + value
        return sums

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics of the last turn."""
        return dict(self.turns[-1].info.get("metrics", {})) if self.turns else {}

    @property
    def stop_reason(self) -> str | None:
        """Why the episode ended, or None while it runs."""
        reason: str | None = self.turns[-1].info.get("stop_reason") if self.turns else None
        return reason

    def contexts(self) -> list[Context]:
        """Return the context of each turn as a reward term sees it, in order."""
        after = [turn.observation for turn in self.turns[1:]] + [self.final_observation]
        return [Context(self.turns[: t + 1], after[t]) for t in range(len(self.turns))]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrajectoryGroup:
    """The attempts at one task.

    Raises:
        ValueError: If a trajectory belongs to another task.
    """

    task_id: str
    trajectories: tuple[Trajectory, ...]

    def __post_init__(self) -> None:
        """Check that all attempts are at the same task."""
        strangers = sorted({t.task_id for t in self.trajectories} - {self.task_id})
        if strangers:
            raise ValueError(
                f"expected trajectories of task {self.task_id!r}, got {strangers}; "
                "use group_by_task to form groups"
            )


def group_by_task(trajectories: Sequence[Trajectory]) -> list[TrajectoryGroup]:
    """Return one group per task, in the order in which the tasks first appear."""
    groups: dict[str, list[Trajectory]] = {}
    for trajectory in trajectories:
        groups.setdefault(trajectory.task_id, []).append(trajectory)
    return [TrajectoryGroup(task_id=task, trajectories=tuple(g)) for task, g in groups.items()]
