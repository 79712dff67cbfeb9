"""A server on loopback that speaks OpenAI's protocol, and breaks it when told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, Literal, NamedTuple

Json = Mapping[str, Any]


class Request(NamedTuple):
    path: str
    headers: Mapping[str, str]
    body: Any
    number: int
    """From 0, over all connections."""


@dataclass(frozen=True)
class Answer:
    body: bytes | str | Json
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """Before it begins."""
    drop: Literal["before", "within"] | None = None
    """Close the connection before the answer, or in the middle of it."""

    def encoded(self) -> bytes:
        content = self.body
        if isinstance(content, Mapping):
            content = json.dumps(content)
        if isinstance(content, str):
            content = content.encode()
        head = [f"HTTP/1.1 {self.status} X", f"Content-Length: {len(content)}"]
        given = {"Content-Type": "application/json", **self.headers}
        head += [f"{name}: {value}" for name, value in given.items()]
        return "\r\n".join([*head, "", ""]).encode() + content


Respond = Callable[[Request], Answer]


def chat(content: str | None, *, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    """Return an answer of `/v1/chat/completions`; `more` goes to the choice."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": finish, **more}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


class StubServer:
    """Answers every request by `respond`, in a thread; a context manager.

    Args:
        respond: Says what to answer; called in the order in which requests come.
        slots: How many requests are worked on at once.
    """

    def __init__(self, respond: Respond, slots: int = 10_000) -> None:
        self._respond = respond
        self._slots = slots
        self.requests: list[Request] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> StubServer:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> int:
        self._free = asyncio.Semaphore(self._slots)
        self._connections: set[asyncio.Task[Any]] = set()
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0, backlog=1024)
        return int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        self._server.close()
        talking = list(self._connections)
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._answer_one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = [line.split(": ", 1) for line in head[1:] if line]
        headers = {name.lower(): value for name, value in pairs}
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        path = head[0].split(" ")[1]
        request = Request(path, headers, json.loads(content or b"null"), len(self.requests))
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            async with self._free:
                answer = self._respond(request)
                await asyncio.sleep(answer.seconds)
        finally:
            self.in_flight -= 1
        data = answer.encoded()
        if answer.drop == "before":
            return False
        writer.write(data[: len(data) - 5] if answer.drop else data)
        await writer.drain()
        return answer.drop is None


def bodies(server: StubServer) -> Sequence[Any]:
    """Return what was sent."""
    return [request.body for request in server.requests]
