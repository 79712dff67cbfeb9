"""Who steps the environments of a vector: this process, its threads, or other processes."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pickle
import traceback
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from multiprocessing import connection
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
        module, _, name = id.rpartition(":")
        if module:
            importlib.import_module(module)
        self.spec = gym.spec(name)  # a process that is spawned may not have registered the id
        self.kwargs = dict(kwargs)

    def __call__(self) -> gym.Env[Any, Any]:
        """Return a new environment."""
        return gym.make(self.spec, disable_env_checker=True, **self.kwargs).unwrapped


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
        self._is_chat = all(
            isinstance(env, ChatEnv) and type(env).step is ChatEnv.step for env in self.envs
        )
        self._scores_together = self._is_chat and len({_terms_of(env) for env in self.envs}) == 1
        first = self.envs[0]
        self.metadata, self.render_mode = first.metadata, first.render_mode
        self.observation_space, self.action_space = first.observation_space, first.action_space

    def _map(self, function: Callable[..., Any], jobs: Sequence[Any]) -> list[Any]:
        if self.executor is None:
            return [function(job) for job in jobs]
        futures = [self.executor.submit(function, job) for job in jobs]
        wait(futures)  # an error must not leave the others running
        return [future.result() for future in futures]

    def reset(self, jobs: Sequence[ResetJob]) -> list[ResetResult]:
        """Reset environments."""
        return self._map(self._reset_one, jobs)

    def _reset_one(self, job: ResetJob) -> ResetResult:
        number, seed, options = job
        try:
            return self.envs[number].reset(seed=seed, options=dict(options))
        except BackendError as error:
            if not self.isolate_errors:
                raise
            return (), {"error": error, "stop_reason": "error"}

    def step(self, actions: Sequence[tuple[int, str]]) -> list[StepOutcome]:
        """Step environments."""
        if not self._is_chat:
            return self._map(self._step_one, actions)
        played: list[Pending | BackendError] = self._map(self._advance_one, actions)
        granted = iter(self._score_all([number for number, _ in actions], played))
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

    def _score_all(
        self, numbers: Sequence[int], played: Sequence[Pending | BackendError]
    ) -> Sequence[Granted | BackendError]:
        """Score the turns that were played, as one batch if all environments earn alike."""
        turns = [(n, p) for n, p in zip(numbers, played, strict=True) if isinstance(p, Pending)]
        if self._scores_together:
            return self._score(self.envs[0], [pending for _, pending in turns])
        return [self._score(self.envs[number], [pending])[0] for number, pending in turns]

    def _score(self, env: Any, pendings: Sequence[Pending]) -> Sequence[Granted | BackendError]:
        contexts = [pending.context for pending in pendings]
        try:
            granted: Sequence[Granted] = env.composition.score(contexts)
            return granted
        except BackendError as error:
            if not self.isolate_errors:
                raise
            if len(contexts) == 1:
                return [error]
        return [self._score(env, [pending])[0] for pending in pendings]

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


def _terms_of(env: Any) -> tuple[tuple[type, str, float], ...]:
    return tuple((type(t), t.name, weight) for t, weight in env.composition.terms)


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
        try:
            self.metadata, self.render_mode, self.observation_space, self.action_space = self._ask(
                0, ("describe",)
            )
        except Exception:
            self.close()
            raise

    def _ask(self, worker: int, request: tuple[Any, ...]) -> Any:
        self._send(worker, request)
        return self._receive(worker)

    def _send(self, worker: int, request: tuple[Any, ...]) -> None:
        try:
            self._pipes[worker].send(request)
        except (BrokenPipeError, ConnectionResetError):
            raise self._death(worker) from None

    def _death(self, worker: int) -> RuntimeError:
        process = self._processes[worker]
        process.join(timeout=1)
        return RuntimeError(
            f"expected an answer from worker {worker}, got its end "
            f"(exit code {process.exitcode}); close this vector and make a new one"
        )

    def _receive(self, worker: int) -> Any:
        try:
            error, result = self._pipes[worker].recv()
        except (EOFError, ConnectionResetError):
            raise self._death(worker) from None
        if error is not None:
            raise error
        return result

    def _share_out(self, verb: str, jobs: Sequence[tuple[Any, ...]]) -> list[Any]:
        shares: dict[int, list[tuple[Any, ...]]] = {}
        for number, *rest in jobs:
            local = (self._local[number], *rest)
            shares.setdefault(self._owner[number], []).append(local)
        for worker, share in shares.items():
            self._send(worker, (verb, share))
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
            except (BrokenPipeError, ConnectionResetError):
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
    parent = multiprocessing.parent_process()
    watched: list[Connection | int] = [pipe] if parent is None else [pipe, parent.sentinel]
    while True:
        try:
            # A sibling may hold our pipe's other end open, so its closing is no sign of the end.
            request = pipe.recv() if pipe in connection.wait(watched) else None
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
            answer = (_portable(error), None)
        try:
            pipe.send(answer)
        except Exception as error:  # what cannot be pickled
            pipe.send((RuntimeError(f"a worker's answer cannot be sent: {error!r}"), None))


def _serve(pool: LocalPool, request: tuple[Any, ...]) -> Any:
    verb, *arguments = request
    if verb == "describe":
        return pool.metadata, pool.render_mode, pool.observation_space, pool.action_space
    if verb == "step":
        return [tuple(_carry(outcome)) for outcome in pool.step(*arguments)]
    if verb == "reset":
        return [(observation, _sendable(info)) for observation, info in pool.reset(*arguments)]
    return getattr(pool, verb)(*arguments)


def _carry(outcome: StepOutcome) -> StepOutcome:
    return outcome._replace(info=_sendable(outcome.info)) if "error" in outcome.info else outcome


def _sendable(info: dict[str, Any]) -> dict[str, Any]:
    return {**info, "error": _portable(info["error"])} if "error" in info else info


def _portable(error: Exception) -> Exception:
    """Return the error, or one of the same family that survives the way to another process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        family = [c for c in type(error).__mro__ if c.__module__ in ("rmgym.errors", "builtins")]
        told = str(error) if family[0] is type(error) else f"{type(error).__name__}: {error}"
        kept: Exception = family[0](told)
        return kept
    return error
