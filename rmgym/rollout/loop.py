"""Play episodes: the environments, the policy and the reward terms joined, always as a batch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
from gymnasium.vector import VectorEnv

from rmgym.errors import BackendError
from rmgym.messages import Observation
from rmgym.protocols import Policy
from rmgym.rollout.episodes import (
    EpisodeFailure,
    EpisodeKey,
    Progress,
    Rollout,
    describe_error,
)
from rmgym.rollout.stages import Stage, make_stage
from rmgym.rollout.store import TrajectoryStore
from rmgym.trajectory import Completion, Context, Trajectory, Turn
from rmgym.vector import VectorMode, make_vec
from rmgym.vector_workers import StepOutcome
from rmgym.wrappers.record_trajectory import task_id_of


def rollout(
    env: str | gym.Env[Any, Any] | VectorEnv[Any, Any, Any],
    policy: Policy,
    episodes: int,
    *,
    seed: int = 0,
    num_envs: int = 1,
    mode: VectorMode = "sync",
    store: TrajectoryStore | None = None,
    progress: Progress | None = None,
    policy_name: str | None = None,
) -> Rollout:
    """Play episodes with a policy.

    Episode i begins from seed `seed + i`, whatever the number of environments, so a policy whose
    answer depends on its context alone gives the same trajectories from one environment and from
    any vector. A broken backend (`BackendError` from the environment, the policy or a reward term)
    ends its own episode alone, which is then a failure and no trajectory.

    Args:
        env: An id; or an environment or vector, which stays open. A vector of rmgym needs
            `isolate_errors=True` for failures to stay alone; one of Gymnasium needs DISABLED
            autoreset, and there a failure is raised.
        policy: Gets the live conversations as one batch, without the hidden facts of `info`. If
            the batch fails with a `BackendError`, each conversation is asked for alone.
        episodes: How many.
        seed: Seed of episode 0.
        num_envs: How many environments to make of an id.
        mode: How a vector made of an id steps: "sync", "thread" or "process".
        store: Where each episode is kept as it ends. Episodes that it holds already are returned
            and not played again; failures are.
        progress: Called with each trajectory or failure as it ends.
        policy_name: Name kept in `metadata` and in the store; by default that of the class.

    Raises:
        ValueError: If an argument does not fit, or the policy gives another number of completions.
        RewardError: If a reward term failed.
        TrajectoryStoreError: If an episode could not be stored; those before it are.
    """
    if episodes < 0:
        raise ValueError(f"expected episodes of at least 0, got {episodes}")
    made = None
    if isinstance(env, str):
        made = env = make_vec(env, max(1, min(num_envs, episodes)), mode=mode, isolate_errors=True)
    elif num_envs != 1 or mode != "sync":
        raise ValueError("expected num_envs and mode with an id alone, got them with an object")
    try:
        name = policy_name or type(policy).__name__
        return _Loop(make_stage(env), policy, name, seed, store, progress).run(episodes)
    finally:
        if made is not None:
            made.close()


class _Running:
    """An episode being played."""

    def __init__(self, episode: int, task_id: str, observation: Observation) -> None:
        self.episode = episode
        self.task_id = task_id
        self.observation = observation
        self.turns: tuple[Turn, ...] = ()
        self.seen: tuple[Turn, ...] = ()
        self.started = time.perf_counter()

    @property
    def context(self) -> Context:
        """What the policy may see."""
        return Context(self.seen, self.observation)

    def add(self, completion: Completion, outcome: StepOutcome) -> Turn:
        """Enter a turn and what it earned."""
        turn = Turn(
            observation=self.observation,
            completion=completion,
            reward=float(outcome.reward),
            reward_terms=outcome.info.get("reward_terms", {}),
            terminated=bool(outcome.terminated),
            truncated=bool(outcome.truncated),
            info=outcome.info,
        )
        self.turns = (*self.turns, turn)
        self.seen = (*self.seen, turn.public())
        self.observation = outcome.observation
        return turn

    def trajectory(self, key: EpisodeKey) -> Trajectory:
        """Return the episode as it stands."""
        return Trajectory(
            env_id=key.env_id,
            seed=key.seed,
            task_id=self.task_id,
            turns=self.turns,
            final_observation=self.observation,
            metadata={
                "policy": key.policy,
                "episode": key.episode,
                "seconds": time.perf_counter() - self.started,
            },
        )


class _Loop:
    """One rollout: the queue of episodes, those being played, and those that ended."""

    def __init__(
        self,
        stage: Stage,
        policy: Policy,
        policy_name: str,
        seed: int,
        store: TrajectoryStore | None,
        progress: Progress | None,
    ) -> None:
        self.stage = stage
        self.policy = policy
        self.policy_name = policy_name
        self.seed = seed
        self.store = store
        self.progress = progress
        self.live: dict[int, _Running] = {}
        self.done: dict[int, Trajectory] = {}
        self.failures: dict[int, EpisodeFailure] = {}

    def run(self, episodes: int) -> Rollout:
        """Play the episodes that the store does not hold; return all of them."""
        waiting = deque(i for i in range(episodes) if not self._recall(i))
        while waiting or self.live:
            self._begin(waiting)
            self._step()
        return Rollout(
            [self.done[i] for i in sorted(self.done)],
            [self.failures[i] for i in sorted(self.failures)],
        )

    def _key(self, episode: int) -> EpisodeKey:
        return EpisodeKey(self.stage.env_id, self.policy_name, self.seed + episode, episode)

    def _recall(self, episode: int) -> bool:
        key = self._key(episode)
        if self.store is None or key not in self.store:
            return False
        self.done[episode] = self.store.read(key)
        return True

    def _begin(self, waiting: deque[int]) -> None:
        free = [slot for slot in range(self.stage.slots) if slot not in self.live]
        chosen = {slot: waiting.popleft() for slot in free[: len(waiting)]}
        if not chosen:
            return
        begun = self.stage.begin({slot: self.seed + i for slot, i in chosen.items()})
        for slot, episode in chosen.items():
            result = begun[slot]
            if isinstance(result, BackendError):
                self._fail(episode, result, turns_played=0)
            else:
                observation, info = result
                self.live[slot] = _Running(episode, task_id_of(info), observation)

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
                self._finish(self.live.pop(slot))

    def _ask(self) -> Mapping[int, Completion | BackendError]:
        slots = sorted(self.live)
        answers = ask_policy(self.policy, [self.live[slot].context for slot in slots])
        return dict(zip(slots, answers, strict=True))

    def _drop(self, slot: int, error: BackendError) -> None:
        running = self.live.pop(slot)
        self._fail(running.episode, error, turns_played=len(running.turns))

    def _finish(self, running: _Running) -> None:
        trajectory = running.trajectory(self._key(running.episode))
        if self.store is not None:
            self.store.append(trajectory)
        self.done[running.episode] = trajectory
        if self.progress is not None:
            self.progress(trajectory)

    def _fail(self, episode: int, error: BackendError, *, turns_played: int) -> None:
        key = self._key(episode)
        failure = EpisodeFailure(
            env_id=key.env_id,
            policy=key.policy,
            seed=key.seed,
            episode=episode,
            error=type(error).__name__,
            message=describe_error(error),
            turns_played=turns_played,
        )
        if self.store is not None:
            self.store.append_failure(failure)
        self.failures[episode] = failure
        if self.progress is not None:
            self.progress(failure)


def ask_policy(policy: Policy, contexts: Sequence[Context]) -> list[Completion | BackendError]:
    """Return the policy's completion for each context, or the error that kept it from one.

    A batch that fails as a whole is asked again one by one.

    Raises:
        ValueError: If the policy returns another number of completions.
        TypeError: If it returns something else than completions.
    """
    if not contexts:
        return []
    try:
        completions = policy.act(contexts)
    except BackendError as error:
        if len(contexts) == 1:
            return [error]
        return [answer for context in contexts for answer in ask_policy(policy, [context])]
    if len(completions) != len(contexts):
        raise ValueError(
            f"expected one completion per context from {type(policy).__name__}.act, got "
            f"{len(completions)} for {len(contexts)} contexts"
        )
    for completion in completions:
        if not isinstance(completion, Completion):
            raise TypeError(
                f"expected completions from {type(policy).__name__}.act, got "
                f"{type(completion).__name__}; wrap text as Completion(text=...)"
            )
    return list(completions)
