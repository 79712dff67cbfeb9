"""Connections to one server that stay open, on the standard library's HTTP client.

A rollout sends one small request a turn from each of many threads, so what a request costs beside
the waiting decides how many turns a second are played. Head and body leave in one packet, and no
layer stands between the socket and the response parser.
"""

from __future__ import annotations

import os
import threading
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPResponse,
    HTTPSConnection,
)
from urllib.parse import urlsplit

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
            response = HTTPResponse(connection.sock, method="POST")
            response.begin()
            answer = response.status, response.read()
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        response.close()
        return answer
