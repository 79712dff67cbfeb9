"""The asynchronous engine: hundreds of episodes in flight over one policy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from rmgym.protocols import Policy
from rmgym.rollout.asking import (
    Answers,
    Ask,
    Asker,
    AsyncPolicy,
    Batcher,
    OneByOne,
    aask_policy,
    ask_policy,
)
from rmgym.rollout.episodes import Progress, Rollout
from rmgym.rollout.ledger import Ledger
from rmgym.rollout.players import Plan, Players
from rmgym.rollout.seats import AnyEnv, MakeEnv, Seat, ThreadSeat
from rmgym.rollout.store import TrajectoryStore
from rmgym.rollout.threads import WorkerThread
from rmgym.trajectory import Context
from rmgym.vector_workers import EnvMaker


async def arollout(
    env: str | MakeEnv,
    policy: Policy | AsyncPolicy,
    episodes: int,
    *,
    seed: int = 0,
    concurrency: int = 256,
    max_batch: int = 64,
    max_wait_ms: float = 5.0,
    max_seconds: float | None = None,
    max_tokens: int | None = None,
    store: TrajectoryStore | None = None,
    progress: Progress | None = None,
    policy_name: str | None = None,
) -> Rollout:
    """Play episodes with a policy, many at once; none waits for another's turn.

    Episode i begins from seed `seed + i`, so a policy whose answer depends on its context alone
    gives the same trajectories as `rmgym.rollout`. Each environment lives in a thread of its own,
    where it may block; what environments share (a retriever, a scorer) is called from all of them.

    A policy with `aact` gets each conversation as soon as it is ready. Any other gets batches, one
    after another, in one thread: a batch holds what became ready while the last was worked on.

    A `BackendError` ends its own episode alone, as a failure. An episode that outlives a budget is
    a trajectory: its last turn is truncated with `stop_reason` "max_seconds" or "max_tokens", and
    the outcome terms are granted there. A turn in the making when time runs out is left out.

    Args:
        env: An id, or a function that makes an environment.
        policy: One with `act`, or with `aact`.
        episodes: How many.
        seed: Seed of episode 0.
        concurrency: Episodes in flight; each has an environment of its own.
        max_batch: Conversations that a policy without `aact` gets at once, at most.
        max_wait_ms: How long such a policy, when idle, waits for a batch to fill, in milliseconds.
        max_seconds: Time for one episode, from its reset; None for no bound.
        max_tokens: Sampled ids in one episode after which it ends; None for no bound.
        store: Where each episode is kept as it ends. Episodes that it holds already are returned
            and not played again; failures are.
        progress: Called in the event loop with each trajectory or failure as it ends.
        policy_name: Name kept in `metadata` and in the store; by default that of the class.

    Raises:
        ValueError: If an argument does not fit, the policy gives another number of completions, or
            `max_tokens` is set and the policy gives no ids.
        RewardError: If a reward term failed.
        TrajectoryStoreError: If an episode could not be stored; those before it are.
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
    return await play_in_threads(env, policy, plan)


async def play_in_threads(env: AnyEnv, policy: Policy | AsyncPolicy, plan: Plan) -> Rollout:
    """Play a plan in this process."""
    name = plan.policy_name or type(policy).__name__
    make_seat = partial(ThreadSeat, env_maker(env))
    if isinstance(policy, AsyncPolicy):
        return await play(make_seat, name, plan, partial(aask_policy, policy), batches=False)
    thread = WorkerThread("rmgym policy")
    try:

        async def ask(contexts: Sequence[Context]) -> Answers:
            return await thread.call(ask_policy, policy, contexts)

        return await play(make_seat, name, plan, ask, batches=True)
    finally:
        thread.close()


async def play(
    make_seat: Callable[[], Seat], policy_name: str, plan: Plan, ask: Ask, *, batches: bool
) -> Rollout:
    """Play a plan wherever its seats and its policy are.

    Args:
        make_seat: Makes a place to play in.
        policy_name: Kept in the metadata and in the store.
        plan: What to play.
        ask: Asks the policy.
        batches: Whether to gather conversations for it.
    """
    first = make_seat()
    try:
        env_id = await first.env_id()
        ledger = Ledger(env_id, policy_name, plan.seed, plan.store, plan.progress)
        waiting = ledger.begin(plan.episodes)
    except BaseException:
        await first.close()
        raise
    number = max(1, min(plan.concurrency, len(waiting)))
    asker: Asker = OneByOne(ask)
    serving = None
    if batches:
        asker = batcher = Batcher(ask, number, plan.max_batch, plan.max_wait_ms)
        serving = asyncio.create_task(batcher.serve())
    seats = [first, *(make_seat() for _ in range(number - 1))]
    try:
        await Players(make_seat, asker, ledger, plan).run(waiting, seats)
    finally:
        if serving is not None:
            serving.cancel()
    return ledger.result()


def env_maker(env: AnyEnv) -> MakeEnv:
    """Return what makes one environment after another.

    Raises:
        TypeError: If `env` is one environment or a vector: each episode needs its own.
    """
    if isinstance(env, str):
        return EnvMaker(env, {})
    if not callable(env):
        raise TypeError(
            "expected an id or a function that makes an environment, since each episode in flight "
            f"needs its own, got {type(env).__name__}; pass a function, or engine='sync'"
        )
    return env
