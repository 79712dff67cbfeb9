"""A retriever that answers any POST after a fixed latency: `stub_retriever.py MILLISECONDS`.

Speaks JSON as Search-R1's server does; a body that is not JSON is answered in msgpack, as GEM's
server does. Prints its port on the first line.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys

DOCUMENTS = [{"contents": f'"Title {i}"\n' + "some words of a passage " * 20} for i in range(3)]
HITS = [{"document": document, "score": 1.0} for document in DOCUMENTS]


def pack(value: object) -> bytes:
    """Encode the few types of the answer in msgpack."""
    if isinstance(value, str):
        data = value.encode()
        return b"\xda" + struct.pack(">H", len(data)) + data
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, list):
        return bytes([0x90 | len(value)]) + b"".join(map(pack, value))
    if isinstance(value, dict):
        pairs = b"".join(pack(key) + pack(item) for key, item in value.items())
        return bytes([0x80 | len(value)]) + pairs
    raise TypeError(f"expected str, float, list or dict, got {type(value).__name__}")


JSON_ANSWER = json.dumps({"result": [HITS]}).encode()
MSGPACK_ANSWER = pack({"result": HITS})


class Answering(asyncio.Protocol):
    """One connection: answers each request when the latency is over."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection to answer on."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            answer = JSON_ANSWER if body[:1] == b"{" else MSGPACK_ANSWER
            asyncio.get_running_loop().call_later(self.latency, self.answer, answer)

    def answer(self, answer: bytes) -> None:
        """Send the answer, unless the other side has gone."""
        if not self.transport.is_closing():
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n"
            self.transport.write(head.encode() + answer)  # type: ignore[attr-defined]


async def main() -> None:
    """Listen on a free port until the process is ended."""
    latency = float(sys.argv[1]) / 1000
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(latency), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
