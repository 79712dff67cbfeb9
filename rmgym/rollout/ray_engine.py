"""Rollouts on Ray: environments, reward terms and the policy as actors, on one machine or many.

`rollout(..., engine="ray")` is the same call as `engine="async"`: environments live in actors, one
for each CPU of the cluster with a thread for each environment, the policy in another, and this
process passes the turns on. A Ray that runs already is used (`ray.init(address=...)` before the
call says which); otherwise one is started here and stopped at the end.

When an actor with environments dies, Ray starts it again and its episodes begin again from their
seeds: that costs their time and no more. Actors of policies and reward terms are started again too,
and asked again. No actor counts as a CPU (`num_cpus=0`): light ones would use the count up, and
everything else would wait for ever.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Mapping, Sequence
from itertools import count
from types import ModuleType
from typing import Any, NamedTuple, TypeVar, cast

from rmgym.errors import BackendError, JudgeError, MissingExtraError, PolicyError
from rmgym.protocols import Grant, Policy, RewardTerm, TermScore
from rmgym.rollout.asking import Answers, AsyncPolicy, aask_policy, ask_policy
from rmgym.rollout.engine import env_maker, play
from rmgym.rollout.episodes import Rollout
from rmgym.rollout.players import Plan
from rmgym.rollout.seats import AnyEnv, MakeEnv, SeatLostError, ThreadSeat
from rmgym.rollout.stages import Begun
from rmgym.trajectory import Completion, Context, Turn
from rmgym.vector_workers import StepOutcome

ResultT = TypeVar("ResultT")
RETRIES = 3
"""How often a turn or a score is asked for again because its actor died."""


class RemotePolicy:
    """A policy in an actor, to be given to any number of rollouts.

    Any engine takes it; "ray" makes one of its own out of another policy.

    Args:
        policy: The policy; it must be one that can be pickled.
        options: Of the actor, such as `num_gpus=1`.

    Raises:
        MissingExtraError: If Ray is missing.
    """

    def __init__(self, policy: Policy | AsyncPolicy, **options: Any) -> None:
        self.name = type(policy).__name__
        self.batches = not isinstance(policy, AsyncPolicy)
        host = _PolicyHost if self.batches else _AsyncPolicyHost
        self._actor = _actor(host, options, policy)

    async def ask(self, contexts: Sequence[Context]) -> Answers:
        """Return the policy's completion for each context, or the error that kept it from one."""
        answers: Answers = await _answer(self._actor.handle.ask.remote(list(contexts)), PolicyError)
        return answers

    async def aact(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return one completion per context.

        Raises:
            BackendError: If the policy's engine failed, or its actor died again and again.
        """
        said = []
        for answer in await self.ask(contexts):
            if isinstance(answer, BackendError):
                raise answer
            said.append(answer)
        return said

    def close(self) -> None:
        """End the actor."""
        _ray().kill(self._actor.handle)


class RemoteTerm:
    """A reward term in an actor, which environments in any process share: a judge, a scorer.

    Args:
        term: The term; it must be one that can be pickled.
        options: Of the actor, such as `num_gpus=1`.

    Raises:
        MissingExtraError: If Ray is missing.
    """

    def __init__(self, term: RewardTerm, **options: Any) -> None:
        self.name = term.name
        self.grant: Grant = term.grant
        self._actor = _actor(_TermHost, options, term)

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        """Return the raw score of the last turn of each context.

        Raises:
            BackendError: If the term's judge broke, or its actor died again and again.
        """
        ray = _ray()
        try:
            scores: Sequence[TermScore] = ray.get(self._actor.handle.score.remote(list(contexts)))
            return scores
        except ray.exceptions.RayError as error:
            raise _own(error, JudgeError) from error


class _PolicyHost:
    """Holds a policy that works on one batch after another."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def ask(self, contexts: Sequence[Context]) -> Answers:
        return ask_policy(self._policy, contexts)


class _AsyncPolicyHost:
    """Holds a policy that waits without a thread."""

    def __init__(self, policy: AsyncPolicy) -> None:
        self._policy = policy

    async def ask(self, contexts: Sequence[Context]) -> Answers:
        return await aask_policy(self._policy, contexts)


class _TermHost:
    def __init__(self, term: RewardTerm) -> None:
        self._term = term

    def score(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        return self._term(contexts)


class _SeatHost:
    """Holds environments, each in a thread of its own, by numbers.

    An actor that was started again knows none of the numbers given out before.
    """

    def __init__(self, make_env: MakeEnv) -> None:
        self._make_env = make_env
        self._seats: dict[int, ThreadSeat] = {}

    def _seat(self, number: int) -> ThreadSeat:
        if number not in self._seats:
            self._seats[number] = ThreadSeat(self._make_env)
        return self._seats[number]

    async def ready(self) -> None:
        """Answer as soon as the actor runs."""

    async def env_id(self, number: int) -> str:
        return await self._seat(number).env_id()

    async def begin(self, number: int, seed: int) -> Begun:
        return await self._seat(number).begin(seed)

    async def play(self, number: int, said: Completion) -> StepOutcome:
        if number not in self._seats:
            raise SeatLostError("expected an episode that has begun here, got one of a dead actor")
        return await self._seats[number].play(said)

    async def cut(self, number: int, context: Context, reason: str) -> Turn:
        return await self._seat(number).cut(context, reason)

    async def close(self, number: int) -> None:
        seat = self._seats.pop(number, None)
        if seat is not None:
            await seat.close()


class RaySeat:
    """One environment of an actor.

    Args:
        host: Handle of the actor.
        number: Of the environment there.
    """

    def __init__(self, host: Any, number: int) -> None:
        self._host = host
        self._number = number
        self._is_whole = True

    @property
    def is_usable(self) -> bool:
        """Whether no call was given up and the actor has not died."""
        return self._is_whole

    async def _call(self, method: Any, *arguments: Any) -> Any:
        try:
            return await _answer(method.remote(self._number, *arguments), SeatLostError)
        except (asyncio.CancelledError, SeatLostError):
            self._is_whole = False
            raise

    async def env_id(self) -> str:
        """Return the registered id of the environment, or the name of its class."""
        return cast(str, await self._call(self._host.env_id))

    async def begin(self, seed: int) -> Begun:
        """Begin an episode."""
        return cast(Begun, await self._call(self._host.begin, seed))

    async def play(self, said: Completion) -> StepOutcome:
        """Play one turn."""
        return cast(StepOutcome, await self._call(self._host.play, said))

    async def cut(self, context: Context, reason: str) -> Turn:
        """Return the last turn of an episode that a budget ended."""
        return cast(Turn, await self._call(self._host.cut, context, reason))

    async def close(self) -> None:
        """Close the environment, unless its actor is dead and it closed with it."""
        try:
            await _answer(self._host.close.remote(self._number), SeatLostError)
        except SeatLostError:
            return


async def play_on_ray(env: AnyEnv, policy: Policy | AsyncPolicy, plan: Plan) -> Rollout:
    """Play a plan with environments and policy as actors; see `rmgym.rollout.rollout`.

    Raises:
        MissingExtraError: If Ray is missing.
    """
    ray = _ray()
    make_env = env_maker(env)
    is_ours = not ray.is_initialized()
    if is_ours:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(include_dashboard=False)
    try:
        remote = policy if isinstance(policy, RemotePolicy) else RemotePolicy(policy)
        cpus = int(ray.cluster_resources().get("CPU", 1))
        number = max(1, min(plan.concurrency, plan.episodes, cpus))
        hosts = [_actor(_SeatHost, {"max_task_retries": 0}, make_env) for _ in range(number)]
        for host in hosts:  # no episode pays for the start of processes
            await _answer(host.handle.ready.remote(), SeatLostError)
        seats = (RaySeat(hosts[i % number].handle, i) for i in count())
        name = plan.policy_name or remote.name
        try:
            return await play(seats.__next__, name, plan, remote.ask, batches=remote.batches)
        finally:
            for host in hosts:
                ray.kill(host.handle)
            if remote is not policy:
                remote.close()
    finally:
        if is_ours:
            ray.shutdown()


class _Actor(NamedTuple):
    handle: Any
    content: Any
    """Ray's reference to what the actor holds; without it the actor could not start again."""


def _actor(host: type, options: Mapping[str, Any], content: Any) -> _Actor:
    """Return a new actor, which Ray starts again whenever it dies."""
    ray = _ray()
    defaults = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": RETRIES}
    kept = ray.put(content)
    return _Actor(ray.remote(**{**defaults, **options})(host).remote(kept), kept)


async def _answer(reference: Awaitable[ResultT], lost: type[BackendError]) -> ResultT:
    """Return what an actor returns, or raise what it raised there.

    Args:
        reference: Ray's promise of it.
        lost: What to raise if the actor died.
    """
    ray = _ray()
    try:
        return await reference
    except ray.exceptions.RayError as error:
        raise _own(error, lost) from error


def _own(error: Exception, lost: type[BackendError]) -> BaseException:
    """Return the exception that was raised in an actor, or that the actor is lost."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, BaseException):
        return cause
    return lost(f"expected an answer from an actor of Ray, got {type(error).__name__}: {error}")


def _ray() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("engine='ray'", "ray") from error
    module: ModuleType = ray
    return module
