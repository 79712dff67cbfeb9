"""An OpenAI-compatible server that says one turn after log-normal latencies, in so many slots.

`stub_model.py SLOTS MEDIAN_MS SIGMA REQUESTS SEED REPLY`; prints its port on the first line.
Request i takes the i-th of REQUESTS latencies, and after them again from the first.
"""

from __future__ import annotations

import asyncio
import json
import sys

import numpy as np


def latencies(median_ms: float, sigma: float, number: int, seed: int) -> list[float]:
    """Return seconds, drawn once, so that every engine gets the same sum."""
    drawn = np.random.default_rng(seed).lognormal(np.log(median_ms / 1000), sigma, number)
    return [float(seconds) for seconds in drawn]


class Stub:
    """Answers every POST with the same turn."""

    def __init__(self, slots: int, waits: list[float], reply: str) -> None:
        self._free = asyncio.Semaphore(slots)
        self._waits = waits
        self._begun = 0
        message = {"role": "assistant", "content": reply}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        body = json.dumps({"id": "x", "object": "chat.completion", "choices": choices}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self._answer = head.encode() + b"\r\n\r\n" + body

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests of one connection until it closes."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                ]
                await reader.readexactly(lengths[0] if lengths else 0)
                async with self._free:
                    wait = self._waits[self._begun % len(self._waits)]
                    self._begun += 1
                    await asyncio.sleep(wait)
                writer.write(self._answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def main() -> None:
    """Listen on a free port until the process is ended."""
    slots, median_ms, sigma, number, seed, reply = sys.argv[1:]
    waits = latencies(float(median_ms), float(sigma), int(number), int(seed))
    stub = Stub(int(slots), waits, reply)
    server = await asyncio.start_server(stub.serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
