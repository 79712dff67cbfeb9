"""Ask a retrieval server that speaks Search-R1's protocol."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from rmgym.errors import RetrieverError
from rmgym.protocols import Hit, Passage
from rmgym.tools.retrieval.keep_alive import KeepAliveLine
from rmgym.tools.retrieval.ranking import check_k

_SURROGATES = re.compile("[\ud800-\udfff]")


class HttpRetriever:
    """Sends a batch of queries to `POST /retrieve` and reads the hits.

    The request is `{"queries", "topk", "return_scores": true}`: Search-R1's own server fails when
    scores are not asked for. A document is `{"contents"}`, title line first, or
    `{"title", "text"}`; without an id it is named by a digest of its contents. Connections are
    kept open and shared by threads; a forked or pickled copy opens its own.

    Raises:
        ValueError: If the URL is not an http or https one, or the timeout is not positive.
    """

    def __init__(self, url: str, *, timeout: float = 30.0, connections: int = 16) -> None:
        """Name the server; nothing is sent yet.

        Args:
            url: For example `http://127.0.0.1:8000`; a bare address gets the path `/retrieve`.
            timeout: Seconds to wait for a connection, and for each read of the answer.
            connections: At most so many are open at once; further threads wait.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"expected a URL like http://127.0.0.1:8000, got {url!r}")
        if not timeout > 0 or connections < 1:
            raise ValueError(
                f"expected a positive timeout and number of connections, got {timeout} and "
                f"{connections}"
            )
        self.url = parts._replace(path="/retrieve").geturl() if parts.path in ("", "/") else url
        self.timeout = timeout
        self.connections = connections
        self._line: KeepAliveLine | None = None

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Return at most `k` hits per query, in the server's order, from one request.

        Raises:
            ValueError: If `k` is negative.
            RetrieverError: If the server cannot be reached in time or its answer is not usable.
        """
        check_k(k)
        if not queries or not k:
            return [[] for _ in queries]
        # Servers that check UTF-8 refuse lone surrogates, which a sampled turn may hold.
        clean = [_SURROGATES.sub("\ufffd", query) for query in queries]
        result = self._ask({"queries": clean, "topk": k, "return_scores": True})
        if not isinstance(result, list) or len(result) != len(queries):
            got = f"{len(result)}" if isinstance(result, list) else type(result).__name__
            raise self._unusable(f"a list of {len(queries)} results, one per query", got)
        return [self._hits(documents, k) for documents in result]

    def close(self) -> None:
        """Close the connections; the next search opens new ones."""
        if self._line is not None and self._line.process == os.getpid():
            self._line.close()
        self._line = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as settings, without connections."""
        return _rebuild, (self.url, self.timeout, self.connections)

    def _ask(self, request: Mapping[str, Any]) -> Any:
        """Return what stands under "result" in the answer."""
        status, data = self._post(json.dumps(request).encode())
        if status != 200:
            body = data[:300].decode("utf-8", "replace")
            raise self._unusable("status 200", f"{status}: {body!r}")
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._unusable("JSON", f"{data[:100]!r} ({error})") from error
        if not isinstance(answer, dict) or "result" not in answer:
            got = f"keys {list(answer)}" if isinstance(answer, dict) else type(answer).__name__
            raise self._unusable("an object with the key 'result'", got)
        return answer["result"]

    def _post(self, body: bytes) -> tuple[int, bytes]:
        line = self._line
        if line is None or line.process != os.getpid():
            line = self._line = KeepAliveLine(self.url, self.timeout, self.connections)
        try:
            return line.post(body)
        except (OSError, HTTPException) as error:
            raise RetrieverError(
                f"{self.url}: expected an answer within {self.timeout:g} s, got "
                f"{type(error).__name__}: {error}; start the server, e.g. python -m "
                f"rmgym.tools.retrieval.server, or raise the timeout"
            ) from error

    def _hits(self, documents: object, k: int) -> list[Hit]:
        if not isinstance(documents, list):
            raise self._unusable("a list of hits per query", type(documents).__name__)
        return [self._hit(row, rank) for rank, row in enumerate(documents[:k], start=1)]

    def _hit(self, row: object, rank: int) -> Hit:
        document = row.get("document") if isinstance(row, dict) else None
        score = row.get("score") if isinstance(row, dict) else None
        if not isinstance(document, dict):
            raise self._unusable("hits {'document': {...}, 'score': x}", repr(row)[:200])
        if isinstance(score, bool) or not isinstance(score, (int, float)):
            raise self._unusable("a number as score", repr(score)[:200])
        if not math.isfinite(score):
            raise self._unusable("a finite score", repr(score))
        return Hit(passage=self._passage(document), score=float(score), rank=rank)

    def _passage(self, document: Mapping[str, Any]) -> Passage:
        title, text = document.get("title"), document.get("text")
        contents = document.get("contents")
        if isinstance(contents, str):
            # A title known from its own field may hold a line break.
            if isinstance(title, str) and contents.startswith(f"{title}\n"):
                text = contents[len(title) + 1 :]
            else:
                title, _, text = contents.partition("\n")
        if not isinstance(text, str) or not isinstance(title or "", str):
            raise self._unusable(
                "a document with 'contents', or with 'title' and 'text'", f"keys {list(document)}"
            )
        title = title or ""
        names = (document.get(key) for key in ("id", "_id", "docid"))
        name = next((name for name in names if name is not None), None)
        return Passage(
            id=_digest(title, text) if name is None else str(name), title=title, text=text
        )

    def _unusable(self, expected: str, got: str) -> RetrieverError:
        return RetrieverError(
            f"{self.url}: expected {expected}, got {got}; check that the server speaks Search-R1's "
            f"POST /retrieve"
        )


def _rebuild(url: str, timeout: float, connections: int) -> HttpRetriever:
    return HttpRetriever(url, timeout=timeout, connections=connections)


def _digest(title: str, text: str) -> str:
    contents = f"{title}\n{text}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(contents, digest_size=8).hexdigest()
