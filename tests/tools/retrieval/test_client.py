import json
import os
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest

from rmgym.errors import RetrieverError
from rmgym.protocols import Hit, Passage
from rmgym.tools.retrieval import HttpRetriever


class Answer(NamedTuple):
    body: bytes
    status: int = 200
    drop: bool = False


class Stub:
    """A server that gives scripted answers and notes what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[dict[str, Any]] = []
        self.connections = 0
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                stub.connections += 1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                stub.requests.append({"path": self.path, **json.loads(body)})
                answer = stub.answers.pop(0)
                if answer.drop:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/octet-stream")
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub()
    yield server
    server.close()


@pytest.fixture
def client(stub: Stub) -> Iterator[HttpRetriever]:
    retriever = HttpRetriever(stub.url, timeout=5.0)
    yield retriever
    retriever.close()


def answer(*results: object) -> Answer:
    return Answer(json.dumps({"result": list(results)}).encode())


def hit(**document: object) -> dict[str, object]:
    return {"document": document, "score": 2.5}


def test_a_batch_is_one_request_that_asks_for_scores(stub: Stub, client: HttpRetriever) -> None:
    stub.answers = [answer([hit(id="3", contents='"Title 0"\nlorem\nipsum')], [])]
    passage = Passage(id="3", title='"Title 0"', text="lorem\nipsum")
    assert client.search(["a", "b"], 3) == [[Hit(passage=passage, score=2.5, rank=1)], []]
    assert stub.requests == [
        {"path": "/retrieve", "queries": ["a", "b"], "topk": 3, "return_scores": True}
    ]


def test_title_and_text_are_read(stub: Stub, client: HttpRetriever) -> None:
    stub.answers = [answer([hit(_id=4, title="T", text="x")])]
    assert client.search(["a"], 1)[0][0].passage == Passage(id="4", title="T", text="x")


def test_a_title_with_a_line_break_survives(stub: Stub, client: HttpRetriever) -> None:
    stub.answers = [answer([hit(id="1", title="A\nB", contents="A\nB\nx")])]
    assert client.search(["a"], 1)[0][0].passage == Passage(id="1", title="A\nB", text="x")


def test_a_document_without_id_is_named_by_its_contents(stub: Stub, client: HttpRetriever) -> None:
    stub.answers = [answer([hit(contents="T\nx"), hit(contents="T\nx"), hit(contents="T\ny")])]
    names = [found.passage.id for found in client.search(["a"], 3)[0]]
    assert names[0] == names[1] != names[2]


def test_more_than_k_hits_are_cut(stub: Stub, client: HttpRetriever) -> None:
    stub.answers = [answer([hit(id=str(i), contents="T\nx") for i in range(3)])]
    assert [found.rank for found in client.search(["a"], 2)[0]] == [1, 2]


def test_lone_surrogates_are_replaced(stub: Stub, client: HttpRetriever) -> None:
    stub.answers = [answer([])]
    client.search(["a\ud800b"], 1)
    assert stub.requests[0]["queries"] == ["a\ufffdb"]


def test_nothing_asked_sends_nothing(client: HttpRetriever) -> None:
    assert client.search([], 3) == []
    assert client.search(["a"], 0) == [[]]


def test_connections_are_kept(stub: Stub, client: HttpRetriever) -> None:
    stub.answers = [answer([])] * 5
    for _ in range(5):
        client.search(["a"], 1)
    assert stub.connections == 1


def test_a_dropped_connection_is_tried_once_more(stub: Stub, client: HttpRetriever) -> None:
    stub.answers = [Answer(b"", drop=True), answer([])]
    assert client.search(["a"], 1) == [[]]


def test_a_connection_dropped_twice_is_an_error(stub: Stub, client: HttpRetriever) -> None:
    stub.answers = [Answer(b"", drop=True)] * 2
    with pytest.raises(RetrieverError, match="expected an answer"):
        client.search(["a"], 1)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Answer(b"overloaded", status=503), "status 200, got 503: 'overloaded'"),
        (Answer(b"{}", status=302), "status 200, got 302"),
        (Answer(b"<html>"), "expected JSON"),
        (Answer(b"\xff\xfe"), "expected JSON"),
        (Answer(b"[]"), "key 'result', got list"),
        (Answer(b'{"results": []}'), r"key 'result', got keys \['results'\]"),
        (Answer(b'{"result": {}}'), "1 results, one per query, got dict"),
        (answer([], []), "1 results, one per query, got 2"),
        (answer({}), "a list of hits per query, got dict"),
        (answer([{"contents": "T\nx"}]), "hits {'document'"),
        (answer([{"document": {"contents": "T"}, "score": None}]), "a number as score, got None"),
        (answer([{"document": {"contents": "T"}, "score": True}]), "a number as score"),
        (answer([{"document": {"contents": "T"}, "score": float("nan")}]), "a finite score"),
        (answer([hit(id="1", title="T")]), r"got keys \['id', 'title'\]"),
        (answer([hit(id="1", title=3, text="x")]), "a document with"),
    ],
)
def test_an_unusable_answer_is_an_error(
    stub: Stub, client: HttpRetriever, reply: Answer, message: str
) -> None:
    stub.answers = [reply]
    with pytest.raises(RetrieverError, match=message):
        client.search(["a"], 1)


def test_a_refused_connection_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = HttpRetriever(f"http://127.0.0.1:{taken.getsockname()[1]}", timeout=5.0)
        with pytest.raises(RetrieverError, match="start the server"):
            client.search(["a"], 1)


def test_a_silent_server_is_an_error() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = HttpRetriever(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.1)
        with pytest.raises(RetrieverError, match=r"within 0\.1 s"):
            client.search(["a"], 1)
        client.close()


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("http://h:1", "http://h:1/retrieve"),
        ("http://h:1/", "http://h:1/retrieve"),
        ("https://h/search", "https://h/search"),
    ],
)
def test_a_bare_address_gets_the_path(url: str, full: str) -> None:
    assert HttpRetriever(url).url == full


@pytest.mark.parametrize(
    "make",
    [
        lambda: HttpRetriever("localhost:8000"),
        lambda: HttpRetriever("ftp://h"),
        lambda: HttpRetriever("http://h", timeout=0.0),
        lambda: HttpRetriever("http://h", connections=0),
    ],
)
def test_unusable_settings_are_refused(make: Callable[[], HttpRetriever]) -> None:
    with pytest.raises(ValueError, match="expected a"):
        make()


def test_a_pickled_copy_opens_its_own_connection(stub: Stub, client: HttpRetriever) -> None:
    stub.answers = [answer([]), answer([])]
    client.search(["a"], 1)
    copy = pickle.loads(pickle.dumps(client))
    assert copy.search(["a"], 1) == [[]]
    copy.close()
    assert stub.connections == 2


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_opens_its_own_connection(stub: Stub, client: HttpRetriever) -> None:
    stub.answers = [answer([])] * 3
    client.search(["a"], 1)
    child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if client.search(["a"], 1) == [[]] else 1
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    client.search(["a"], 1)
    assert stub.connections == 2


def test_threads_share_a_client(stub: Stub, client: HttpRetriever) -> None:
    stub.answers = [answer([])] * 40
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                client.search(["a"], 1)
        except RetrieverError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(stub.requests) == 40
