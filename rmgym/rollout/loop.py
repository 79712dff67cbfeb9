"""Play episodes: the environments, the policy and the reward terms joined, always as a batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import gymnasium as gym

from rmgym.errors import BackendError
from rmgym.protocols import Policy
from rmgym.rollout.asking import AsyncPolicy, ask_policy
from rmgym.rollout.engine import play_in_threads
from rmgym.rollout.episodes import EpisodeFailure, Progress, Rollout
from rmgym.rollout.ledger import Ledger, Running
from rmgym.rollout.players import Plan
from rmgym.rollout.seats import AnyEnv
from rmgym.rollout.stages import Stage, make_stage
from rmgym.rollout.store import TrajectoryStore
from rmgym.rollout.threads import run_blocking
from rmgym.trajectory import Completion, Trajectory
from rmgym.vector import ChatVectorEnv, VectorMode, make_vec
from rmgym.wrappers.record_trajectory import task_id_of

EngineName: TypeAlias = Literal["sync", "async", "ray"]


def rollout(
    env: AnyEnv,
    policy: Policy | AsyncPolicy,
    episodes: int,
    *,
    seed: int = 0,
    num_envs: int = 1,
    mode: VectorMode = "sync",
    store: TrajectoryStore | None = None,
    progress: Progress | None = None,
    policy_name: str | None = None,
    engine: EngineName = "sync",
    concurrency: int = 256,
    max_batch: int = 64,
    max_wait_ms: float = 5.0,
    max_seconds: float | None = None,
    max_tokens: int | None = None,
) -> Rollout:
    """Play episodes with a policy.

    Episode i begins from seed `seed + i`, whatever the engine and the number of environments, so a
    policy whose answer depends on its context alone gives the same trajectories from all of them.
    A broken backend (`BackendError` from the environment, the policy or a reward term) ends its
    own episode alone, which is then a failure and no trajectory.

    Args:
        env: An id, or a function that makes an environment; with the engine "sync" also an
            environment or a vector, which stays open. A vector of rmgym needs
            `isolate_errors=True` for failures to stay alone; one of Gymnasium needs DISABLED
            autoreset, and there a failure is raised.
        policy: Gets the live conversations as one batch, without the hidden facts of `info`. If
            the batch fails with a `BackendError`, each conversation is asked for alone. The other
            engines prefer `aact` where a policy has it.
        episodes: How many.
        seed: Seed of episode 0.
        num_envs: How many environments to make of an id, with the engine "sync".
        mode: How a vector made of an id steps: "sync", "thread" or "process".
        store: Where each episode is kept as it ends. Episodes that it holds already are returned
            and not played again; failures are.
        progress: Called with each trajectory or failure as it ends.
        policy_name: Name kept in `metadata` and in the store; by default that of the class.
        engine: "sync" plays in turns: all policies' turns, then all environments' steps. "async"
            keeps many episodes in flight (see `arollout`), also when called in a notebook. "ray"
            does so with environments and policy as actors of Ray (see `rmgym.rollout.ray_engine`).
        concurrency: Episodes in flight, with the engines "async" and "ray".
        max_batch: Conversations in a batch at most, with those engines.
        max_wait_ms: How long an idle policy waits for a batch to fill, with those engines.
        max_seconds: Time for one episode, with those engines.
        max_tokens: Sampled ids after which an episode ends, with those engines.

    Raises:
        ValueError: If an argument does not fit, or the policy gives another number of completions.
        RewardError: If a reward term failed.
        TrajectoryStoreError: If an episode could not be stored; those before it are.
        MissingExtraError: If the engine is "ray" and Ray is missing.
    """
    plan = Plan(
        episodes=episodes,
        seed=seed,
        concurrency=concurrency,
        max_batch=max_batch,
        max_wait_ms=max_wait_ms,
        max_seconds=max_seconds,
        max_tokens=max_tokens,
        store=store,
        progress=progress,
        policy_name=policy_name,
    )
    if engine == "sync":
        return _play_in_turns(env, policy, plan, num_envs, mode)
    if num_envs != 1 or mode != "sync":
        raise ValueError(
            f"expected num_envs and mode with engine='sync' alone, got them with {engine!r}; "
            "concurrency says how many environments it makes"
        )
    if engine == "async":
        return run_blocking(play_in_threads(env, policy, plan))
    if engine == "ray":
        from rmgym.rollout.ray_engine import play_on_ray

        return run_blocking(play_on_ray(env, policy, plan))
    raise ValueError(f'expected engine "sync", "async" or "ray", got {engine!r}')


def _play_in_turns(
    env: AnyEnv, policy: Policy | AsyncPolicy, plan: Plan, num_envs: int, mode: VectorMode
) -> Rollout:
    if plan.max_seconds is not None or plan.max_tokens is not None:
        raise ValueError(
            "expected max_seconds and max_tokens with engine='async' or 'ray', got engine='sync'"
        )
    if not isinstance(policy, Policy):
        raise TypeError(
            f"expected a policy with act, got {type(policy).__name__}; engine='async' takes aact"
        )
    made: gym.Env[Any, Any] | ChatVectorEnv | None = None
    number = max(1, min(num_envs, plan.episodes))
    if isinstance(env, str):
        made = env = make_vec(env, number, mode=mode, isolate_errors=True)
    elif callable(env) and number == 1 and mode == "sync":
        made = env = env()
    elif callable(env):
        made = env = ChatVectorEnv(env, number, mode=mode, isolate_errors=True)
    elif num_envs != 1 or mode != "sync":
        raise ValueError("expected num_envs and mode with an id alone, got them with an object")
    try:
        stage = make_stage(env)
        name = plan.policy_name or type(policy).__name__
        ledger = Ledger(stage.env_id, name, plan.seed, plan.store, plan.progress)
        return _Loop(stage, policy, ledger).run(plan.episodes)
    finally:
        if made is not None:
            made.close()


class _Loop:
    """One rollout: the queue of episodes, those being played, and those that ended."""

    def __init__(self, stage: Stage, policy: Policy, ledger: Ledger) -> None:
        self.stage = stage
        self.policy = policy
        self.ledger = ledger
        self.live: dict[int, Running] = {}

    def run(self, episodes: int) -> Rollout:
        """Play the episodes that the store does not hold; return all of them."""
        waiting = self.ledger.begin(episodes)
        while waiting or self.live:
            self._begin(waiting)
            self._step()
        return self.ledger.result()

    def _begin(self, waiting: deque[int]) -> None:
        free = [slot for slot in range(self.stage.slots) if slot not in self.live]
        chosen = {slot: waiting.popleft() for slot in free[: len(waiting)]}
        if not chosen:
            return
        begun = self.stage.begin({slot: self.ledger.seed + i for slot, i in chosen.items()})
        for slot, episode in chosen.items():
            result = begun[slot]
            if isinstance(result, BackendError):
                self._end(episode, self.ledger.failed(episode, result, turns_played=0))
            else:
                observation, info = result
                self.live[slot] = Running(episode, task_id_of(info), observation)

    def _step(self) -> None:
        said: dict[int, Completion] = {}
        for slot, answer in self._ask().items():
            if isinstance(answer, BackendError):
                self._drop(slot, answer)
            else:
                said[slot] = answer
        if not said:
            return
        for slot, outcome in self.stage.play(said).items():
            if isinstance(outcome, BackendError):
                self._drop(slot, outcome)
            elif self.live[slot].add(said[slot], outcome).ended:
                running = self.live.pop(slot)
                self._end(running.episode, self.ledger.finished(running))

    def _ask(self) -> Mapping[int, Completion | BackendError]:
        slots = sorted(self.live)
        answers = ask_policy(self.policy, [self.live[slot].context for slot in slots])
        return dict(zip(slots, answers, strict=True))

    def _drop(self, slot: int, error: BackendError) -> None:
        running = self.live.pop(slot)
        failure = self.ledger.failed(running.episode, error, turns_played=len(running.turns))
        self._end(running.episode, failure)

    def _end(self, episode: int, ended: Trajectory | EpisodeFailure) -> None:
        self.ledger.write(ended)
        self.ledger.enter(episode, ended)
