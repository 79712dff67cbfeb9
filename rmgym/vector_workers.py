"""Who steps the environments of a vector: this process, its threads, or other processes."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import gymnasium as gym
from gymnasium.vector.utils import CloudpickleWrapper

from rmgym.composition import Granted
from rmgym.conversation import Pending
from rmgym.env import ChatEnv
from rmgym.errors import BackendError
from rmgym.messages import Observation


class StepOutcome(NamedTuple):
    """What `step` of one environment returned."""

    observation: Observation
    reward: float
    terminated: bool
    truncated: bool
    info: dict[str, Any]


ResetJob = tuple[int, int | None, Mapping[str, Any]]
ResetResult = tuple[Observation, dict[str, Any]]


class EnvMaker:
    """Makes a registered environment without Gymnasium's checking wrappers; can be pickled."""

    def __init__(self, id: str, kwargs: Mapping[str, Any]) -> None:
        self.id = id
        self.kwargs = dict(kwargs)

    def __call__(self) -> gym.Env[Any, Any]:
        """Return a new environment."""
        return gym.make(self.id, disable_env_checker=True, **self.kwargs).unwrapped


class Pool:
    """Environments that are reset and stepped by their numbers."""

    metadata: Mapping[str, Any]
    render_mode: str | None
    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]

    @abstractmethod
    def reset(self, jobs: Sequence[ResetJob]) -> list[ResetResult]:
        """Reset environments; a job is its number, seed and options."""

    @abstractmethod
    def step(self, actions: Sequence[tuple[int, str]]) -> list[StepOutcome]:
        """Step environments; an action comes with its environment's number."""

    @abstractmethod
    def call(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """Return each environment's attribute, or what its method of that name returns."""

    @abstractmethod
    def close(self) -> None:
        """Close every environment."""


class LocalPool(Pool):
    """Environments of this process, stepped in turn or by threads, scored as one batch."""

    def __init__(
        self,
        envs: Sequence[gym.Env[Any, Any]],
        isolate_errors: bool,
        executor: ThreadPoolExecutor | None = None,
    ) -> None:
        self.envs = list(envs)
        self.isolate_errors = isolate_errors
        self.executor = executor
        self._is_chat = all(isinstance(env, ChatEnv) for env in self.envs)
        first = self.envs[0]
        self.metadata, self.render_mode = first.metadata, first.render_mode
        self.observation_space, self.action_space = first.observation_space, first.action_space

    def _map(self, function: Callable[..., Any], jobs: Sequence[Any]) -> list[Any]:
        if self.executor is None:
            return [function(job) for job in jobs]
        return list(self.executor.map(function, jobs))

    def reset(self, jobs: Sequence[ResetJob]) -> list[ResetResult]:
        """Reset environments."""
        return self._map(self._reset_one, jobs)

    def _reset_one(self, job: ResetJob) -> ResetResult:
        number, seed, options = job
        return self.envs[number].reset(seed=seed, options=dict(options))

    def step(self, actions: Sequence[tuple[int, str]]) -> list[StepOutcome]:
        """Step environments."""
        if not self._is_chat:
            return self._map(self._step_one, actions)
        played: list[Pending | BackendError] = self._map(self._advance_one, actions)
        granted = iter(self._score([p for p in played if isinstance(p, Pending)]))
        outcomes = []
        for (number, _), pending in zip(actions, played, strict=True):
            result = pending if isinstance(pending, BackendError) else next(granted)
            if isinstance(result, BackendError):
                outcomes.append(_failed(result))
            else:
                env: ChatEnv[Any] = self.envs[number]  # type: ignore[assignment]  # _is_chat
                outcomes.append(StepOutcome(*env.settle(result)))
        return outcomes

    def _advance_one(self, job: tuple[int, str]) -> Pending | BackendError:
        number, action = job
        env: ChatEnv[Any] = self.envs[number]  # type: ignore[assignment]  # _is_chat
        try:
            return env.advance(action)
        except BackendError as error:
            if not self.isolate_errors:
                raise
            return error

    def _score(self, pendings: Sequence[Pending]) -> Sequence[Granted | BackendError]:
        composition = self.envs[0].composition  # type: ignore[attr-defined]  # _is_chat
        contexts = [pending.context for pending in pendings]
        try:
            granted: Sequence[Granted] = composition.score(contexts)
            return granted
        except BackendError as error:
            if not self.isolate_errors:
                raise
            if len(contexts) == 1:
                return [error]
        return [self._score([pending])[0] for pending in pendings]

    def _step_one(self, job: tuple[int, str]) -> StepOutcome:
        number, action = job
        try:
            return StepOutcome(*self.envs[number].step(action))  # type: ignore[arg-type]
        except BackendError as error:
            if not self.isolate_errors:
                raise
            return _failed(error)

    def call(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """Return each environment's attribute, or what its method of that name returns."""
        found = [getattr(env, name) for env in self.envs]
        return [value(*args, **kwargs) if callable(value) else value for value in found]

    def close(self) -> None:
        """Close every environment and the threads."""
        for env in self.envs:
            env.close()
        if self.executor is not None:
            self.executor.shutdown()


def _failed(error: BackendError) -> StepOutcome:
    return StepOutcome((), float("nan"), False, True, {"error": error, "stop_reason": "error"})


class ProcessPool(Pool):
    """Environments shared out over worker processes, a chunk each."""

    def __init__(
        self,
        make_env: Callable[[], gym.Env[Any, Any]],
        num_envs: int,
        isolate_errors: bool,
        workers: int | None,
        context: str | None,
    ) -> None:
        number = min(num_envs, workers or os.cpu_count() or 1)
        self._owner = [i * number // num_envs for i in range(num_envs)]
        self._local = [i - self._owner.index(w) for i, w in enumerate(self._owner)]
        start = multiprocessing.get_context(context)
        self._pipes: list[Connection] = []
        self._processes = []
        for worker in range(number):
            ours, theirs = start.Pipe()
            share = self._owner.count(worker)
            arguments = (theirs, CloudpickleWrapper(make_env), share, isolate_errors)
            process = start.Process(target=_work, args=arguments, daemon=True)  # type: ignore[attr-defined]
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        self.metadata, self.render_mode, self.observation_space, self.action_space = next(
            self._ask(w, ("describe",)) for w in range(number)
        )

    def _ask(self, worker: int, request: tuple[Any, ...]) -> Any:
        self._pipes[worker].send(request)
        return self._receive(worker)

    def _receive(self, worker: int) -> Any:
        try:
            error, result = self._pipes[worker].recv()
        except EOFError:
            process = self._processes[worker]
            process.join(timeout=1)
            raise RuntimeError(
                f"expected an answer from worker {worker}, got its end "
                f"(exit code {process.exitcode}); close this vector and make a new one"
            ) from None
        if error is not None:
            raise error
        return result

    def _share_out(self, verb: str, jobs: Sequence[tuple[Any, ...]]) -> list[Any]:
        shares: dict[int, list[tuple[Any, ...]]] = {}
        for number, *rest in jobs:
            local = (self._local[number], *rest)
            shares.setdefault(self._owner[number], []).append(local)
        for worker, share in shares.items():
            self._pipes[worker].send((verb, share))
        answers, errors = {}, []
        for worker in shares:
            try:
                answers[worker] = iter(self._receive(worker))
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return [next(answers[self._owner[number]]) for number, *_ in jobs]

    def reset(self, jobs: Sequence[ResetJob]) -> list[ResetResult]:
        """Reset environments."""
        return self._share_out("reset", jobs)

    def step(self, actions: Sequence[tuple[int, str]]) -> list[StepOutcome]:
        """Step environments."""
        return [StepOutcome(*outcome) for outcome in self._share_out("step", actions)]

    def call(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
        """Return each environment's attribute, or what its method of that name returns."""
        answers = [self._ask(w, ("call", name, args, kwargs)) for w in range(len(self._pipes))]
        return [value for answer in answers for value in answer]

    def close(self) -> None:
        """End the workers."""
        for pipe in self._pipes:
            try:
                pipe.send(None)
            except BrokenPipeError:
                continue
        for process in self._processes:
            process.join(timeout=5)
            if process.is_alive():
                process.terminate()
                process.join()
        for pipe in self._pipes:
            pipe.close()


def _work(
    pipe: Connection, make_env: Callable[[], gym.Env[Any, Any]], share: int, isolate_errors: bool
) -> None:
    pool: LocalPool | None = None
    while True:
        try:
            request = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        if request is None:
            if pool is not None:
                pool.close()
            return
        try:
            if pool is None:
                pool = LocalPool([make_env() for _ in range(share)], isolate_errors)
            answer: tuple[Exception | None, Any] = (None, _serve(pool, request))
        except Exception as error:
            error.add_note("in a worker process:\n" + traceback.format_exc())
            answer = (error, None)
        pipe.send(answer)


def _serve(pool: LocalPool, request: tuple[Any, ...]) -> Any:
    verb, *arguments = request
    if verb == "describe":
        return pool.metadata, pool.render_mode, pool.observation_space, pool.action_space
    if verb == "step":
        return [tuple(outcome) for outcome in pool.step(*arguments)]
    return getattr(pool, verb)(*arguments)
