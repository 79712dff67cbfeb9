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


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests of one connection until it closes."""
    latency = float(sys.argv[1]) / 1000
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lengths = [
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ]
            body = await reader.readexactly(lengths[0]) if lengths else b""
            if latency:
                await asyncio.sleep(latency)
            answer = JSON_ANSWER if body[:1] == b"{" else MSGPACK_ANSWER
            head_out = f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n"
            writer.write(head_out.encode() + answer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Listen on a free port until the process is ended."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
