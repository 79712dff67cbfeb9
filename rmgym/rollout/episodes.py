"""What a rollout gives: finished episodes, failures, and the key that names an episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, overload

from rmgym.errors import BackendError
from rmgym.trajectory import Trajectory


class EpisodeKey(NamedTuple):
    """Which episode of which experiment.

    The environment's arguments and wrappers are not part of it: keep one store for each
    configuration, or tell them apart by the policy's name.
    """

    env_id: str
    policy: str | None
    seed: int | None
    episode: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeFailure:
    """An episode that a broken backend ended: no fault of the policy, so never a reward of 0."""

    env_id: str
    policy: str | None
    seed: int | None
    episode: int
    error: str
    """Class of the exception."""
    message: str
    turns_played: int
    """Turns that had been played and rewarded before it."""

    @property
    def key(self) -> EpisodeKey:
        """Which episode failed."""
        return EpisodeKey(self.env_id, self.policy, self.seed, self.episode)


class Progress(Protocol):
    """Is told of each episode as it ends."""

    def __call__(self, ended: Trajectory | EpisodeFailure, /) -> None:
        """Take note of a finished or failed episode; episodes read from a store are not shown."""
        ...


class Rollout(Sequence[Trajectory]):
    """The finished episodes, in the order of their numbers.

    Args:
        trajectories: The episodes that came to their end.
        failures: Those that a broken backend ended, in the order of their numbers.
    """

    def __init__(
        self, trajectories: Sequence[Trajectory], failures: Sequence[EpisodeFailure] = ()
    ) -> None:
        self.trajectories = tuple(trajectories)
        self.failures = tuple(failures)

    @overload
    def __getitem__(self, index: int) -> Trajectory: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Trajectory, ...]: ...
    def __getitem__(self, index: int | slice) -> Trajectory | tuple[Trajectory, ...]:
        return self.trajectories[index]

    def __len__(self) -> int:
        return len(self.trajectories)

    def __repr__(self) -> str:
        return f"Rollout({len(self.trajectories)} episodes, {len(self.failures)} failures)"


def key_of(trajectory: Trajectory) -> EpisodeKey:
    """Return which episode a trajectory is, by its metadata."""
    facts = trajectory.metadata
    return EpisodeKey(trajectory.env_id, facts.get("policy"), trajectory.seed, facts.get("episode"))


def describe_error(error: BackendError) -> str:
    """Return the message of an error with the notes that were added to it."""
    return "\n".join([str(error), *getattr(error, "__notes__", ())])
