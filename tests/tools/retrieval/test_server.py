import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rmgym.errors import RetrieverError
from rmgym.protocols import Hit, Passage
from rmgym.tools.retrieval import Bm25Retriever, HttpRetriever, RetrievalServer

PASSAGES = [Passage(id=f"d{i}", title=f'"T{i}"', text=f"cats number{i}") for i in range(5)]


@pytest.fixture
def server() -> Iterator[RetrievalServer]:
    with RetrievalServer(Bm25Retriever(PASSAGES)) as running:
        yield running


def post(server: RetrievalServer, body: bytes, path: str = "/retrieve") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    try:
        connection.request("POST", path, body=body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def ask(server: RetrievalServer, **request: Any) -> tuple[int, Any]:
    return post(server, json.dumps(request).encode())


def test_scores_are_given_when_asked_for(server: RetrievalServer) -> None:
    status, reply = ask(server, queries=["number2", "none"], topk=1, return_scores=True)
    assert status == 200
    first, second = reply["result"]
    assert first[0]["document"] == {"id": "d2", "title": '"T2"', "contents": '"T2"\ncats number2'}
    assert first[0]["score"] > 0
    assert second == []


@pytest.mark.parametrize("extra", [{}, {"return_scores": False}])
def test_without_scores_documents_stand_alone(
    server: RetrievalServer, extra: dict[str, bool]
) -> None:
    status, reply = ask(server, queries=["number2"], topk=1, **extra)
    assert status == 200
    assert reply["result"][0][0]["id"] == "d2"


@pytest.mark.parametrize("request_part", [{}, {"topk": None}])
def test_topk_defaults_to_three(server: RetrievalServer, request_part: dict[str, None]) -> None:
    assert len(ask(server, queries=["cats"], **request_part)[1]["result"][0]) == 3


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "expected a JSON object"),
        (b"\xff", "expected a JSON object"),
        (b"[]", "got list"),
        (b"[" * 100_000, "expected a JSON object"),
        (b"{}", "list of strings under 'queries'"),
        (b'{"queries": "cats"}', "list of strings"),
        (b'{"queries": [1]}', "list of strings"),
        (b'{"queries": [], "topk": 0}', "'topk' of 1 or more"),
        (b'{"queries": [], "topk": true}', "'topk' of 1 or more"),
        (b'{"queries": [], "topk": "3"}', "'topk' of 1 or more"),
        (b'{"queries": [], "return_scores": 1}', "true or false"),
    ],
)
def test_a_bad_request_is_answered_400(server: RetrievalServer, body: bytes, message: str) -> None:
    status, reply = post(server, body)
    assert status == 400
    assert message in reply["error"]


def test_another_path_is_answered_404(server: RetrievalServer) -> None:
    assert post(server, b"{}", path="/search")[0] == 404


def test_get_is_answered_404(server: RetrievalServer) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.request("GET", "/retrieve")
    response = connection.getresponse()
    assert (response.status, "POST /retrieve" in json.loads(response.read())["error"]) == (
        404,
        True,
    )
    connection.close()


@pytest.mark.parametrize("length", ["", "x", "-1", str(10**12)])
def test_an_unusable_length_is_answered_400(server: RetrievalServer, length: str) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(
            f"POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        assert raw.makefile("rb").readline().startswith(b"HTTP/1.1 400")


def test_a_bad_request_leaves_the_connection_usable(server: RetrievalServer) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    for body, status in ((b"{", 400), (b'{"queries": ["cats"]}', 200)):
        connection.request("POST", "/retrieve", body=body)
        response = connection.getresponse()
        response.read()
        assert response.status == status
    connection.close()


class Broken:
    """A retriever that is down."""

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        raise RetrieverError("the index is gone")


def test_a_failing_retriever_is_answered_503_and_fails_the_client() -> None:
    with RetrievalServer(Broken()) as server:
        client = HttpRetriever(server.url)
        with pytest.raises(RetrieverError, match=r"503.*the index is gone"):
            client.search(["cats"], 1)
        client.close()


def test_a_closed_server_answers_no_more_on_open_connections() -> None:
    with RetrievalServer(Bm25Retriever(PASSAGES)) as server:
        client = HttpRetriever(server.url, timeout=5.0)
        client.search(["cats"], 1)
    with pytest.raises(RetrieverError):
        client.search(["cats"], 1)
    client.close()


def test_the_command_line_serves_a_corpus(tmp_path: Path) -> None:
    corpus = tmp_path / "c.jsonl"
    corpus.write_text('{"id": "d1", "contents": "Ada\\nprogram"}\n')
    command = [sys.executable, "-W", "error", "-m", "rmgym.tools.retrieval.server"]
    command += ["--corpus", str(corpus), "--port", "0", "--index-dir", str(tmp_path / "index")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        client = HttpRetriever(line.split()[-1])
        try:
            assert line.startswith("serving 1 passages at http://127.0.0.1:")
            assert client.search(["program"], 1)[0][0].passage.id == "d1"
        finally:
            client.close()
            process.terminate()
