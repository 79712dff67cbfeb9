"""Episodes recorded with a copy of the environment before each turn, and played on from there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np

from rmgym.messages import Observation
from rmgym.protocols import Policy
from rmgym.state import fork
from rmgym.trajectory import Completion, Context, Trajectory, Turn
from rmgym.wrappers.episode import env_name, takes_completions
from rmgym.wrappers.record_trajectory import task_id_of

PolicyFactory: TypeAlias = Callable[[int], Policy]
"""From a seed to a policy. A policy keeps no state, so another draw of a stochastic one is another
policy; a deterministic one ignores the seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEpisode:
    """An episode, and the environment as it stood before each of its turns."""

    trajectory: Trajectory
    states: tuple[gym.Env[Any, Any], ...]
    """One per turn. They are forked to replay, never stepped."""


def derived_seed(*parts: int) -> int:
    """Return a seed that depends on all parts and their order; for streams that must differ."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint32)[0])


class LiveEpisode:
    """An episode being played in an environment of its own.

    Args:
        env: The environment, in the state before the next turn; it is stepped.
        turns: The turns so far.
        observation: What the agent sees now.
    """

    def __init__(
        self, env: gym.Env[Any, Any], turns: Sequence[Turn], observation: Observation
    ) -> None:
        self.env = env
        self.turns = list(turns)
        self.observation = observation
        self._seen = [turn.public() for turn in turns]
        self._gives_completions = takes_completions(env)

    @property
    def ended(self) -> bool:
        """Whether the last turn ended the episode."""
        return bool(self.turns) and self.turns[-1].ended

    @property
    def context(self) -> Context:
        """What the policy may see."""
        return Context(tuple(self._seen), self.observation)

    def play(self, completion: Completion) -> None:
        """Step the environment and enter the turn."""
        action: Any = completion if self._gives_completions else completion.text
        observation, reward, terminated, truncated, info = self.env.step(action)
        turn = Turn(
            observation=self.observation,
            completion=completion,
            reward=float(reward),
            reward_terms=info.get("reward_terms", {}),
            terminated=bool(terminated),
            truncated=bool(truncated),
            info=info,
        )
        self.turns.append(turn)
        self._seen.append(turn.public())
        self.observation = observation


def record_episode(
    env: gym.Env[Any, Any], policy: Policy, *, seed: int, stream: int | None = None
) -> RecordedEpisode:
    """Play one episode and keep the environment before each turn.

    Args:
        env: Is reset, and then copied; its running episode is lost.
        policy: Who plays.
        seed: Of the reset: equal seeds give equal tasks.
        stream: Seed of what the world draws after the reset, so that attempts at one task differ
            by luck; the reset's own stream when None.

    Raises:
        BackendError: If a part outside the conversation broke.
        TypeError: If the environment cannot fork.
    """
    observation, info = env.reset(seed=seed)
    live = LiveEpisode(fork(env, seed=stream, same_stream=stream is None), (), observation)
    states: list[gym.Env[Any, Any]] = []
    while not live.ended:
        states.append(fork(live.env, same_stream=True))
        live.play(policy.act([live.context])[0])
    trajectory = Trajectory(
        env_id=env_name(env),
        seed=seed,
        task_id=task_id_of(info),
        turns=tuple(live.turns),
        final_observation=live.observation,
    )
    return RecordedEpisode(trajectory=trajectory, states=tuple(states))


def play_out(live: Sequence[LiveEpisode], policy: Policy) -> int:
    """Play episodes to their ends in lock-step, one batch a step; return how many turns it took."""
    steps = 0
    running = [episode for episode in live if not episode.ended]
    while running:
        completions = policy.act([episode.context for episode in running])
        for episode, completion in zip(running, completions, strict=True):
            episode.play(completion)
        steps += len(running)
        running = [episode for episode in running if not episode.ended]
    return steps
