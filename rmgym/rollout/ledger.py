"""What every engine keeps of a rollout: episodes being played, those that ended, and the store."""

from __future__ import annotations

import time
from collections import deque

from rmgym.errors import BackendError
from rmgym.messages import Observation
from rmgym.rollout.episodes import EpisodeFailure, EpisodeKey, Progress, Rollout, describe_error
from rmgym.rollout.store import TrajectoryStore
from rmgym.trajectory import Completion, Context, Trajectory, Turn
from rmgym.vector_workers import StepOutcome


class Running:
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

    def replace_last(self, turn: Turn) -> None:
        """Enter the last turn again, as one that a budget ended."""
        self.turns = (*self.turns[:-1], turn)

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


class Ledger:
    """Which episodes ended and how, by their numbers.

    Args:
        env_id: Of the environment.
        policy_name: Kept in the metadata and in the store.
        seed: Of episode 0.
        store: Where each episode is kept as it ends.
        progress: Told of each end.
    """

    def __init__(
        self,
        env_id: str,
        policy_name: str,
        seed: int,
        store: TrajectoryStore | None,
        progress: Progress | None,
    ) -> None:
        self.env_id = env_id
        self.policy_name = policy_name
        self.seed = seed
        self.store = store
        self.progress = progress
        self.done: dict[int, Trajectory] = {}
        self.failures: dict[int, EpisodeFailure] = {}

    def begin(self, episodes: int) -> deque[int]:
        """Take the episodes that the store holds; return the numbers of the others."""
        return deque(i for i in range(episodes) if not self._recall(i))

    def result(self) -> Rollout:
        """Return what ended, in the order of the episodes' numbers."""
        return Rollout(
            [self.done[i] for i in sorted(self.done)],
            [self.failures[i] for i in sorted(self.failures)],
        )

    def key(self, episode: int) -> EpisodeKey:
        """Return the key of an episode."""
        return EpisodeKey(self.env_id, self.policy_name, self.seed + episode, episode)

    def _recall(self, episode: int) -> bool:
        key = self.key(episode)
        if self.store is None or key not in self.store:
            return False
        self.done[episode] = self.store.read(key)
        return True

    def finished(self, running: Running) -> Trajectory:
        """Return the trajectory of an episode that came to its end."""
        return running.trajectory(self.key(running.episode))

    def failed(self, episode: int, error: BackendError, *, turns_played: int) -> EpisodeFailure:
        """Return the failure of an episode that a broken backend ended."""
        key = self.key(episode)
        return EpisodeFailure(
            env_id=key.env_id,
            policy=key.policy,
            seed=key.seed,
            episode=episode,
            error=type(error).__name__,
            message=describe_error(error),
            turns_played=turns_played,
        )

    def write(self, ended: Trajectory | EpisodeFailure) -> None:
        """Keep an end in the store.

        Raises:
            TrajectoryStoreError: If it could not be stored.
        """
        if self.store is None:
            return
        if isinstance(ended, EpisodeFailure):
            self.store.append_failure(ended)
        else:
            self.store.append(ended)

    def enter(self, episode: int, ended: Trajectory | EpisodeFailure) -> None:
        """Take note of an end that is stored, and tell of it."""
        if isinstance(ended, EpisodeFailure):
            self.failures[episode] = ended
        else:
            self.done[episode] = ended
        if self.progress is not None:
            self.progress(ended)
