"""Threads that an event loop hands blocking work to, and a loop for callers that have none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class _Job(NamedTuple):
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    work: Callable[[], Any]


class WorkerThread:
    """One thread that does one call after another; it starts with the first.

    What it works on stays in its thread, as databases and virtual machines want it. The thread is
    a daemon: a call that never ends keeps neither the loop nor the process from ending.

    Args:
        name: Of the thread, for stack dumps.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._unfinished = 0
        self._name = name
        self._thread: Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a call has not ended yet, be it that nobody waits for it any more."""
        return self._unfinished > 0

    async def call(
        self, function: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs
    ) -> ResultT:
        """Return what the function returns in the thread, or raise what it raises there.

        When the caller is cancelled the function goes on; calls made later wait for its end.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ResultT] = loop.create_future()
        if self._thread is None:
            self._thread = Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._unfinished += 1
        self._jobs.put(_Job(loop, future, lambda: function(*args, **kwargs)))
        return await future

    def close(self, last: Callable[[], object] = lambda: None) -> None:
        """Let the thread end after the calls made so far and a last one, not waited for."""
        if self._thread is not None:
            self._last = last
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = job.work()
            except StopIteration as caught:  # no future takes one
                error = RuntimeError(f"a call raised {caught!r}")
                error.__cause__ = caught
            except BaseException as caught:
                error = caught
            try:
                job.loop.call_soon_threadsafe(self._settle, job.future, result, error)
            except RuntimeError:
                if not job.loop.is_closed():
                    raise
            del job, result, error
        self._last()

    def _settle(
        self, future: asyncio.Future[Any], result: Any, error: BaseException | None
    ) -> None:
        self._unfinished -= 1
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def run_blocking(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Return what a coroutine returns, also where a loop runs already, as in a notebook.

    There the coroutine runs in a loop of its own, in another thread, while the caller waits. An
    interrupt cancels it.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    return _run_elsewhere(coroutine)


def _run_elsewhere(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    ended: SimpleQueue[tuple[ResultT | None, BaseException | None]] = SimpleQueue()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[ResultT]]] = []

    async def main() -> ResultT:
        task = asyncio.ensure_future(coroutine)
        running.append((asyncio.get_running_loop(), task))
        return await task

    def work() -> None:
        try:
            ended.put((asyncio.run(main()), None))
        except BaseException as error:
            ended.put((None, error))

    thread = Thread(target=work, name="rollout", daemon=True)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        for loop, task in running:
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    result, error = ended.get()
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # there was no error
