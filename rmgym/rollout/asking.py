"""Asking a policy for turns: in one batch, alone, or in batches that form while it works."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from rmgym.errors import BackendError
from rmgym.protocols import Policy
from rmgym.trajectory import Completion, Context

Answers: TypeAlias = list[Completion | BackendError]
Ask: TypeAlias = Callable[[Sequence[Context]], Awaitable[Answers]]


@runtime_checkable
class AsyncPolicy(Protocol):
    """A policy that waits without a thread; conversations are sent to it as they get ready."""

    async def aact(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return one completion per context, in order."""
        ...


def ask_policy(policy: Policy, contexts: Sequence[Context]) -> Answers:
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
    return _checked(f"{type(policy).__name__}.act", completions, len(contexts))


async def aask_policy(policy: AsyncPolicy, contexts: Sequence[Context]) -> Answers:
    """Return the same as `ask_policy`, from a policy that is asynchronous."""
    try:
        completions = await policy.aact(contexts)
    except BackendError as error:
        if len(contexts) == 1:
            return [error]
        alone = [await aask_policy(policy, [context]) for context in contexts]
        return [answer for answers in alone for answer in answers]
    return _checked(f"{type(policy).__name__}.aact", completions, len(contexts))


def _checked(asked: str, completions: Sequence[Any], expected: int) -> Answers:
    if len(completions) != expected:
        raise ValueError(
            f"expected one completion per context from {asked}, got {len(completions)} for "
            f"{expected} contexts"
        )
    for completion in completions:
        if not isinstance(completion, Completion):
            raise TypeError(
                f"expected completions from {asked}, got {type(completion).__name__}; "
                "wrap text as Completion(text=...)"
            )
    return list(completions)


class Asker(Protocol):
    """Gets one conversation its next turn."""

    async def complete(self, context: Context) -> Completion:
        """Return the policy's turn.

        Raises:
            BackendError: If its engine failed.
        """
        ...

    def leave(self) -> None:
        """Take note that one conversation fewer will ask."""
        ...


class OneByOne:
    """Sends each conversation at once: for policies that batch, or wait, on their own.

    Args:
        ask: Asks the policy.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def complete(self, context: Context) -> Completion:
        """Return the policy's turn."""
        return _turn_or_raise((await self._ask([context]))[0])

    def leave(self) -> None:
        """Do nothing: nobody waits for others."""


class _Question(NamedTuple):
    context: Context
    answer: asyncio.Future[Completion | BackendError]


class Batcher:
    """Gathers conversations while the policy works, and asks it for one batch after another.

    A batch goes out when it is full, when its first conversation has waited long enough, or when
    every conversation waits, so that no other can join.

    Args:
        ask: Asks the policy for a batch.
        players: How many conversations there are at most.
        max_batch: Conversations in a batch at most.
        max_wait_ms: How long a free policy waits for a batch to fill, in milliseconds.
    """

    def __init__(self, ask: Ask, players: int, max_batch: int, max_wait_ms: float) -> None:
        self._ask = ask
        self._players = players
        self._max_batch = max_batch
        self._max_wait = max_wait_ms / 1000
        self._questions: deque[_Question] = deque()
        self._changed = asyncio.Event()

    async def complete(self, context: Context) -> Completion:
        """Return the policy's turn, out of the batch that this conversation came into."""
        answer: asyncio.Future[Completion | BackendError]
        answer = asyncio.get_running_loop().create_future()
        self._questions.append(_Question(context, answer))
        self._changed.set()
        return _turn_or_raise(await answer)

    def leave(self) -> None:
        """Take note that one conversation fewer will ask."""
        self._players -= 1
        self._changed.set()

    async def serve(self) -> None:
        """Ask for batches until cancelled."""
        while True:
            await self._gather()
            batch = [self._questions.popleft() for _ in range(self._ready)]
            try:
                answers = await self._ask([question.context for question in batch])
            except Exception as error:
                for question in batch:
                    if not question.answer.done():
                        question.answer.set_exception(error)
                continue
            for question, answer in zip(batch, answers, strict=True):
                if not question.answer.done():
                    question.answer.set_result(answer)

    @property
    def _ready(self) -> int:
        return min(len(self._questions), self._max_batch)

    def _drop_cancelled(self) -> None:
        if any(question.answer.done() for question in self._questions):
            self._questions = deque(q for q in self._questions if not q.answer.done())

    async def _gather(self) -> None:
        """Wait until a batch is worth asking for."""
        loop = asyncio.get_running_loop()
        deadline: float | None = None
        while True:
            self._drop_cancelled()
            if self._ready and self._ready >= min(self._players, self._max_batch):
                return
            if self._ready and deadline is None:
                deadline = loop.time() + self._max_wait
            if self._ready and deadline is not None and loop.time() >= deadline:
                return
            self._changed.clear()
            try:
                async with asyncio.timeout_at(deadline if self._ready else None):
                    await self._changed.wait()
            except TimeoutError:
                continue


def _turn_or_raise(answer: Completion | BackendError) -> Completion:
    if isinstance(answer, BackendError):
        raise answer
    return answer
