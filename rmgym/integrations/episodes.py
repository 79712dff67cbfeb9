"""Episodes of given seeds, played by a policy turn by turn, for trainers that ask for them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import gymnasium as gym

from rmgym.errors import BackendError, MissingExtraError
from rmgym.protocols import Policy
from rmgym.rollout.asking import ask_policy
from rmgym.rollout.engine import env_maker
from rmgym.rollout.episodes import EpisodeFailure, EpisodeKey, describe_error
from rmgym.rollout.ledger import Running
from rmgym.rollout.seats import EnvHost
from rmgym.trajectory import Completion, Trajectory, Turn
from rmgym.wrappers.record_trajectory import task_id_of

MakeEnv: TypeAlias = str | Callable[[], gym.Env[Any, Any]]
"""An id, or a function that makes an environment."""
Ended: TypeAlias = Trajectory | EpisodeFailure


def trainer_module(name: str, what: str, extra: str) -> Any:
    """Import a module of a trainer.

    Raises:
        MissingExtraError: If the trainer is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.split(".")[0] != name.split(".")[0]:
            raise
        raise MissingExtraError(what, extra) from error


class EpisodePlayer:
    """Plays one episode a seed, all in step with each other; keeps the environments.

    Args:
        env: An id, or a function that makes an environment.
        max_tokens: Prompt and completion of a turn together after which an episode is truncated
            with `stop_reason` "max_tokens"; None for no bound.
    """

    def __init__(self, env: MakeEnv, *, max_tokens: int | None = None) -> None:
        self._make_env = env_maker(env)
        self.max_tokens = max_tokens
        self._hosts: list[EnvHost] = []

    def play(self, policy: Policy, seeds: Sequence[int]) -> list[Ended]:
        """Return one trajectory a seed, in order; a broken backend gives a failure in its place.

        Raises:
            RewardError: If a reward term failed.
        """
        while len(self._hosts) < len(seeds):
            self._hosts.append(EnvHost(self._make_env))
        episodes = [
            _Episode(host, seed, number, self.max_tokens)
            for number, (host, seed) in enumerate(zip(self._hosts, seeds, strict=False))
        ]
        while live := [episode for episode in episodes if episode.ended is None]:
            answers = ask_policy(policy, [episode.running.context for episode in live])
            for episode, answer in zip(live, answers, strict=True):
                episode.take(answer)
        return [episode.result for episode in episodes]

    def close(self) -> None:
        """Close the environments."""
        for host in self._hosts:
            host.close()
        self._hosts.clear()


class _Episode:
    """An episode of a seed, until it has ended."""

    running: Running

    def __init__(self, host: EnvHost, seed: int, number: int, max_tokens: int | None) -> None:
        self._host = host
        self._key = EpisodeKey(host.env_id(), None, seed, number)
        self._max_tokens = max_tokens
        self.ended: Ended | None = None
        try:
            observation, info = host.begin(seed)
        except BackendError as error:
            self.ended = self._failed(error, 0)
        else:
            self.running = Running(number, task_id_of(info), observation)

    @property
    def result(self) -> Ended:
        if self.ended is None:
            raise RuntimeError("expected an episode that has ended")
        return self.ended

    def take(self, answer: Completion | BackendError) -> None:
        """Play a turn, or end with the error that kept the policy from one."""
        if isinstance(answer, BackendError):
            self.ended = self._failed(answer, len(self.running.turns))
            return
        try:
            turn = self.running.add(answer, self._host.play(answer))
            if not turn.ended and self._is_spent(turn):
                self._cut(turn)
        except BackendError as error:
            self.ended = self._failed(error, len(self.running.turns))
            return
        if self.running.turns[-1].ended:
            self.ended = self.running.trajectory(self._key)

    def _is_spent(self, turn: Turn) -> bool:
        used = len(turn.completion.prompt_ids) + len(turn.completion.completion_ids)
        return self._max_tokens is not None and used >= self._max_tokens

    def _cut(self, turn: Turn) -> None:
        context = self.running.context._replace(turns=(*self.running.turns[:-1], turn))
        self.running.replace_last(self._host.cut(context, "max_tokens"))

    def _failed(self, error: BackendError, turns_played: int) -> EpisodeFailure:
        return EpisodeFailure(
            env_id=self._key.env_id,
            policy=None,
            seed=self._key.seed,
            episode=self._key.episode or 0,
            error=type(error).__name__,
            message=describe_error(error),
            turns_played=turns_played,
        )


def without_tokens(trajectory: Trajectory) -> Trajectory:
    """Return a trajectory with the text of its completions alone: light enough to be sent round."""
    turns = (replace(t, completion=Completion(text=t.completion.text)) for t in trajectory.turns)
    return replace(trajectory, turns=tuple(turns))
