"""Connections to one server that stay open, on the standard library's HTTP client.

A rollout sends one small request a turn from each of many threads, so what a request costs beside
the waiting decides how many turns a second are played. Head and body leave in one packet, and an
answer of the usual form is read without building a message object for its headers.
"""

from __future__ import annotations

import io
import os
import re
import threading
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from socket import socket
from typing import Any
from urllib.parse import urlsplit

_CHUNK = 65_536
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,12}) *\r\n")
_UNUSUAL = re.compile(rb"\r\n(?:transfer-encoding|content-encoding|connection: *close)")
_DROPPED = (BrokenPipeError, ConnectionResetError, BadStatusLine)
"""What a connection gives that the server has closed."""


class KeepAliveLine:
    """Posts JSON to one URL from any number of threads.

    Args:
        url: Where to post.
        timeout: Seconds to wait for a connection, and for each read of an answer.
        connections: At most so many are open at once; further threads wait.
    """

    def __init__(self, url: str, timeout: float, connections: int) -> None:
        parts = urlsplit(url)
        self.process = os.getpid()
        self._timeout = timeout
        self._host, self._port = parts.hostname or "", parts.port
        self._secure = parts.scheme == "https"
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            "Accept: application/json\r\nConnection: keep-alive\r\nContent-Length: "
        ).encode("latin-1", "replace")
        self._free = threading.BoundedSemaphore(connections)
        self._idle: list[HTTPConnection] = []

    def post(self, body: bytes) -> tuple[int, bytes]:
        """Return status and body of the answer.

        Raises:
            OSError: If the server cannot be reached in time.
            HTTPException: If its answer is not HTTP.
        """
        with self._free:
            try:
                return self._post(self._take(), body)
            except _DROPPED:
                # A server may close an idle connection just as it is used again; asking twice
                # does no harm.
                return self._post(self._open(), body)

    def _take(self) -> HTTPConnection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def close(self) -> None:
        """Close the connections that no thread is using."""
        while self._idle:
            self._idle.pop().close()

    def _open(self) -> HTTPConnection:
        kind = HTTPSConnection if self._secure else HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout)
        connection.connect()
        return connection

    def _post(self, connection: HTTPConnection, body: bytes) -> tuple[int, bytes]:
        try:
            connection.send(b"%s%d\r\n\r\n%s" % (self._head, len(body), body))
            status, answer, stays_open = _read(connection.sock)
        except BaseException:
            connection.close()
            raise
        if stays_open:
            self._idle.append(connection)
        else:
            connection.close()
        return status, answer


def _read(sock: socket) -> tuple[int, bytes, bool]:
    """Return status, body, and whether the connection stays open.

    An answer of a stated length is read here; any other goes through the library's parser.
    """
    data = sock.recv(_CHUNK)
    end = data.find(b"\r\n\r\n")
    head = data[: end + 2].lower()
    stated = _LENGTH.search(head)
    if end < 0 or stated is None or _UNUSUAL.search(head) or not head.startswith(b"http/1.1 2"):
        return _read_by_library(sock, data)
    length = int(stated[1])
    parts = [data[end + 4 :]]
    missing = length - len(parts[0])
    while missing > 0:
        part = sock.recv(_CHUNK)
        if not part:
            raise IncompleteRead(b"".join(parts), missing)
        parts.append(part)
        missing -= len(part)
    return int(head[9:12]), b"".join(parts)[:length], missing == 0


def _read_by_library(sock: socket, seen: bytes) -> tuple[int, bytes, bool]:
    response = HTTPResponse(_Reread(sock, seen), method="POST")  # type: ignore[arg-type]
    response.begin()
    answer = response.read()
    stays_open = not response.will_close
    response.close()
    return response.status, answer, stays_open


class _Reread(io.RawIOBase):
    """A socket's stream that begins with what was read from it already."""

    def __init__(self, sock: socket, seen: bytes) -> None:
        self._sock = sock
        self._seen = seen

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the stream, as a socket does."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give what was seen, then what comes."""
        data = self._seen[: len(buffer)] or self._sock.recv(len(buffer))
        self._seen = self._seen[len(data) :] if self._seen else b""
        buffer[: len(data)] = data
        return len(data)
