"""Serve a retriever over HTTP by Search-R1's protocol.

    python -m rmgym.tools.retrieval.server --corpus corpus.jsonl --port 8000

`POST /retrieve` takes `{"queries": [str], "topk": int or null, "return_scores": bool}` and answers
`{"result": [[{"document": {"id", "title", "contents"}, "score": x}, ...], ...]}`; without scores
the inner lists hold the documents alone. A request that does not fit is answered 400 and one JSON
sentence; a retriever that fails, 503.
"""

from __future__ import annotations

import argparse
import json
import logging
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

from rmgym.errors import RetrieverError
from rmgym.protocols import Hit, Retriever

DEFAULT_TOPK = 3
MAX_BODY_BYTES = 16 * 1024 * 1024
IDLE_SECONDS = 120.0

_log = logging.getLogger(__name__)


class RetrievalServer:
    """A retriever behind a port, answering in threads of this process.

    The retriever is called from several threads at once. Use it as a context manager, or call
    `serve_forever`.

    >>> from rmgym.protocols import Passage
    >>> from rmgym.tools.retrieval import Bm25Retriever, HttpRetriever
    >>> corpus = [Passage(id="d1", title="Ada Lovelace", text="Wrote the first program.")]
    >>> with RetrievalServer(Bm25Retriever(corpus)) as server:
    ...     client = HttpRetriever(server.url)
    ...     client.search(["first program"], k=1)[0][0].passage.id
    ...     client.close()
    'd1'
    """

    def __init__(self, retriever: Retriever, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind the port, 0 for a free one.

        Raises:
            OSError: If the port is taken.
        """
        self._server = _Server((host, port), _Handler)
        self._server.retriever = retriever
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address to give to `HttpRetriever`."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Answer requests in a background thread."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="retrieval-server", daemon=True
        )
        self._thread.start()

    def serve_forever(self) -> None:
        """Answer requests in this thread, until interrupted."""
        self._server.serve_forever()

    def close(self) -> None:
        """Stop answering, on open connections too."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.close_connections()

    def __enter__(self) -> RetrievalServer:
        """Start answering in the background."""
        self.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop answering."""
        self.close()


class _Request(NamedTuple):
    queries: list[str]
    topk: int
    return_scores: bool


class _BadRequest(ValueError):
    """Raised when a request does not fit the protocol."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    retriever: Retriever

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self._connections: dict[int, socket.socket] = {}
        self._connections_lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections[id(request)] = request
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.pop(id(request), None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if isinstance(sys.exception(), ConnectionError):
            _log.debug("a client went away before its answer")
        else:
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        """Wake the threads that wait on idle connections, so that they end."""
        with self._connections_lock:
            for connection in self._connections.values():
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    _log.debug("a connection was closed by its client first")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # One write per answer: head and body leave in one packet.
    wbufsize = -1
    timeout = IDLE_SECONDS
    server: _Server

    def do_POST(self) -> None:
        if self.path.split("?")[0].rstrip("/") != "/retrieve":
            self.close_connection = True
            self._answer(404, _error(f"expected POST /retrieve, got POST {self.path}"))
            return
        try:
            request = _parse_request(self._body())
            found = self.server.retriever.search(request.queries, request.topk)
        except _BadRequest as error:
            self._answer(400, _error(str(error)))
        except RetrieverError as error:
            self._answer(503, _error(str(error)))
        else:
            self._answer(200, {"result": _result(found, request.return_scores)})

    def do_GET(self) -> None:
        self._answer(404, _error(f"expected POST /retrieve, got GET {self.path}"))

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and int(length) <= MAX_BODY_BYTES):
            # The body stays unread, so the connection cannot be used again.
            self.close_connection = True
            raise _BadRequest(
                f"expected a Content-Length of at most {MAX_BODY_BYTES}, got {length!r}"
            )
        return self.rfile.read(int(length))

    def _answer(self, status: int, answer: Mapping[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        _log.debug(format, *args)


def _parse_request(body: bytes) -> _Request:
    """Return the queries, topk and whether scores are wanted.

    Raises:
        ValueError: If the body does not fit the protocol.
    """
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _BadRequest(f"expected a JSON object, got {error}") from error
    if not isinstance(request, dict):
        raise _BadRequest(f"expected a JSON object, got {type(request).__name__}")
    queries = request.get("queries")
    if not isinstance(queries, list) or not all(isinstance(query, str) for query in queries):
        raise _BadRequest("expected a list of strings under 'queries'")
    topk = request.get("topk")
    topk = DEFAULT_TOPK if topk is None else topk
    if isinstance(topk, bool) or not isinstance(topk, int) or topk < 1:
        raise _BadRequest(f"expected 'topk' of 1 or more, or null, got {topk!r}")
    return_scores = request.get("return_scores", False)
    if not isinstance(return_scores, bool):
        raise _BadRequest(f"expected true or false under 'return_scores', got {return_scores!r}")
    return _Request(queries, topk, return_scores)


def _result(found: Sequence[Sequence[Hit]], return_scores: bool) -> list[list[Any]]:
    if return_scores:
        return [
            [{"document": _document(hit), "score": hit.score} for hit in hits] for hits in found
        ]
    return [[_document(hit) for hit in hits] for hits in found]


def _document(hit: Hit) -> dict[str, str]:
    passage = hit.passage
    return {"id": passage.id, "title": passage.title, "contents": passage.contents}


def _error(sentence: str) -> dict[str, str]:
    return {"error": sentence}


def main(arguments: Sequence[str] | None = None) -> None:
    """Index a corpus and serve it until interrupted."""
    from rmgym.tools.retrieval.bm25 import Bm25Retriever
    from rmgym.tools.retrieval.corpus import load_corpus

    parser = argparse.ArgumentParser(prog="python -m rmgym.tools.retrieval.server")
    parser.add_argument("--corpus", required=True, help="JSONL or JSON file of passages")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--index-dir", help="keep the index in this folder")
    options = parser.parse_args(arguments)
    retriever = Bm25Retriever(load_corpus(options.corpus), index_dir=options.index_dir)
    server = RetrievalServer(retriever, host=options.host, port=options.port)
    print(f"serving {len(retriever.passages)} passages at {server.url}/retrieve", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print("stopped")
    finally:
        server.close()


if __name__ == "__main__":
    main()
