from __future__ import annotations

import asyncio
import json
import os
import pickle
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rmgym.errors import PolicyError, ScorerError
from rmgym.messages import message
from rmgym.protocols import Policy, Scorer, Target, Tool
from rmgym.trajectory import Completion, Context, Turn
from tests.agents.stub_openai import Answer, Request, StubServer, bodies, chat

pytest.importorskip("openai", reason="openai is not installed: pip install 'rmgym[openai]'")
pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install 'rmgym[openai]'")

from rmgym.agents.openai_compatible import OpenAIPolicy, OpenAIScorer

ASKED = Context((), (message("user", "Which?"),))
TOOL = Tool(name="search", description="Search.", parameters={"query": {"type": "string"}})


def context(text: str) -> Context:
    return Context((), (message("user", text),))


@contextmanager
def serving(
    answer: Answer | Callable[[Request], Answer], **settings: Any
) -> Iterator[tuple[OpenAIPolicy, StubServer]]:
    respond = answer if callable(answer) else lambda request: answer
    options = {"retries": 0, "backoff": 0.01, **settings}
    with StubServer(respond) as server, OpenAIPolicy("m", server.url, **options) as policy:
        yield policy, server


def test_a_turn_is_what_the_server_says() -> None:
    with serving(Answer(chat("<answer>42</answer>"))) as (policy, server):
        assert policy.act([ASKED]) == [Completion(text="<answer>42</answer>")]
        assert isinstance(policy, Policy)
        [request] = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "m",
        "temperature": 1.0,
        "messages": [{"role": "user", "content": "Which?"}],
    }


def test_a_batch_is_sent_together_and_answered_in_order() -> None:
    def echo(request: Request) -> Answer:
        said = request.body["messages"][0]["content"]
        return Answer(chat(said), seconds=0.3 - 0.05 * int(said))

    with serving(echo) as (policy, server):
        said = policy.act([context(str(i)) for i in range(5)])
        assert server.most_in_flight == 5
    assert [completion.text for completion in said] == ["0", "1", "2", "3", "4"]
    assert policy.act([]) == []


def test_a_policy_is_asked_from_any_event_loop() -> None:
    with serving(Answer(chat("x"))) as (policy, _):

        async def ask() -> list[Completion]:
            return await policy.aact([ASKED, ASKED])

        assert asyncio.run(ask()) == asyncio.run(ask()) == policy.act([ASKED, ASKED])


def test_a_cancelled_request_makes_room_for_the_next() -> None:
    stalls = lambda request: Answer(chat("x"), seconds=60 if request.number == 0 else 0)  # noqa: E731
    with serving(stalls, concurrency=1) as (policy, server):

        async def give_up() -> None:
            asking = asyncio.ensure_future(policy.aact([ASKED]))
            while not server.requests:
                await asyncio.sleep(0.01)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

        asyncio.run(give_up())
        assert policy.act([ASKED])[0].text == "x"


def test_settings_reach_the_server() -> None:
    options = {
        "temperature": 0.0,
        "max_tokens": 7,
        "extra": {"top_p": 0.9, "seed": 3},
        "api_key": "k",
    }
    with serving(Answer(chat("x")), **options) as (policy, server):
        policy.act([ASKED])
        [request] = server.requests
    assert request.headers["authorization"] == "Bearer k"
    assert {k: v for k, v in request.body.items() if k != "messages"} == {
        "model": "m",
        "temperature": 0.0,
        "max_tokens": 7,
        "top_p": 0.9,
        "seed": 3,
    }


IDS = {
    **chat(
        "ab",
        token_ids=[11, 12, 2],
        logprobs={"content": [{"token": "t", "logprob": x} for x in (-0.5, -1, -0.25)]},
    ),
    "prompt_token_ids": [1, 5, 6],
}


def test_token_ids_and_logprobs_are_kept_where_the_server_gives_them() -> None:
    with serving(Answer(IDS), token_ids=True, policy_version=3) as (policy, server):
        [said] = policy.act([ASKED])
        [body] = bodies(server)
    assert body["return_token_ids"] is True
    assert body["logprobs"] is True
    assert said == Completion(
        text="ab",
        prompt_ids=(1, 5, 6),
        completion_ids=(11, 12, 2),
        logprobs=(-0.5, -1.0, -0.25),
        policy_version=3,
    )


def test_a_server_without_token_ids_is_an_error_when_they_were_asked_for() -> None:
    with (
        serving(Answer(chat("x")), token_ids=True) as (policy, _),
        pytest.raises(PolicyError, match=r"token_ids.*got none.*take vLLM, or token_ids=False"),
    ):
        policy.act([ASKED])


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "stop"),
        ("content_filter", "abort"),
        ("abort", "abort"),
    ],
)
def test_finish_reasons_are_mapped(sent: str, kept: str) -> None:
    with serving(Answer(chat("x", finish=sent))) as (policy, _):
        assert policy.act([ASKED])[0].finish_reason == kept


def test_an_empty_turn_is_a_turn_and_a_refusal_is_its_text() -> None:
    refused = chat(None)
    refused["choices"][0]["message"]["refusal"] = "No."
    answers = [chat(""), chat(None), refused]
    with serving(lambda request: Answer(answers[request.number])) as (policy, _):
        said = [policy.act([ASKED])[0].text for _ in answers]
    assert said == ["", "", "No."]


def called(arguments: str, content: str | None = None) -> dict[str, Any]:
    answer = chat(content, finish="tool_calls")
    function = {"name": "search", "arguments": arguments}
    calls = [{"id": "c", "type": "function", "function": function}]
    answer["choices"][0]["message"]["tool_calls"] = calls
    return answer


@pytest.mark.parametrize(
    ("arguments", "content", "text"),
    [
        ('{"query": "x"}', None, '<tool_call>{"name": "search", "arguments": {"query": "x"}}'),
        ("", "Hm.", 'Hm.\n<tool_call>{"name": "search", "arguments": {}}'),
        ("{broken", None, '<tool_call>{"name": "search", "arguments": {broken}'),
    ],
)
def test_tool_calls_come_back_as_the_text_that_environments_read(
    arguments: str, content: str | None, text: str
) -> None:
    answer = Answer(called(arguments, content))
    with serving(answer, tools=[TOOL.json_schema()]) as (policy, server):
        [said] = policy.act([ASKED])
        assert bodies(server)[0]["tools"] == [TOOL.json_schema()]
    assert said.text == f"{text}</tool_call>"


def test_past_tool_calls_are_sent_as_calls_with_their_answers() -> None:
    call = 'I look.\n<tool_call>{"name": "search", "arguments": {"query": "é"}}</tool_call>'
    turns = (
        Turn(observation=(message("user", "Which?"),), completion=Completion(text="Hm.")),
        Turn(observation=(message("user", "Go on."),), completion=Completion(text=call)),
    )
    asked = Context(turns, (message("tool", "found"), message("user", "So?")))
    with serving(Answer(chat("x")), tools=[TOOL.json_schema()]) as (policy, server):
        policy.act([asked])
        sent = bodies(server)[0]["messages"]
    function = {"name": "search", "arguments": '{"query": "\\u00e9"}'}
    assert sent[1:] == [
        {"role": "assistant", "content": "Hm."},
        {"role": "user", "content": "Go on."},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [{"id": "call_3", "type": "function", "function": function}],
        },
        {"role": "tool", "content": "found", "tool_call_id": "call_3"},
        {"role": "user", "content": "So?"},
    ]


def test_without_tools_messages_are_sent_as_they_are() -> None:
    call = '<tool_call>{"name": "search", "arguments": {}}</tool_call>'
    turn = Turn(observation=ASKED.observation, completion=Completion(text=call))
    with serving(Answer(chat("x"))) as (policy, server):
        policy.act([Context((turn,), (message("tool", "found"),))])
        sent = bodies(server)[0]["messages"]
    assert sent[1:] == [
        {"role": "assistant", "content": call},
        {"role": "tool", "content": "found"},
    ]


def test_what_utf8_cannot_hold_is_sent_as_the_replacement_character() -> None:
    with serving(Answer(chat("x"))) as (policy, server):
        policy.act([context("a\udc80b é \ud83d\ude00")])
        [sent] = bodies(server)[0]["messages"]
    assert sent["content"] == "a\ufffdb é \ufffd\ufffd"


PASSING = [
    (Answer(chat("x"), drop="before"), "got none in 3 attempts: ServerDisconnectedError"),
    (Answer(chat("x"), drop="within"), "got none in 3 attempts: ContentLengthError"),
    (Answer(chat("x"), seconds=30), "got none within 0.2 s in 3 attempts"),
    (Answer("overloaded", status=500), "got status 500 in 3 attempts: overloaded"),
    (Answer({"error": "slow down"}, status=429), 'got status 429 in 3 attempts: {"error": "slow'),
]


@pytest.mark.parametrize(("answer", "came"), PASSING)
def test_a_passing_failure_is_tried_again_and_then_named(answer: Answer, came: str) -> None:
    with serving(answer, retries=2, timeout=0.2) as (policy, server):
        with pytest.raises(PolicyError) as caught:
            policy.act([ASKED])
        assert len(server.requests) == 3
    assert came in str(caught.value)
    assert f"{server.url}/chat/completions" in str(caught.value)


@pytest.mark.parametrize("answer", [answer for answer, _ in PASSING])
def test_a_request_that_is_answered_later_is_no_failure(answer: Answer) -> None:
    later = lambda request: answer if request.number < 2 else Answer(chat("x"))  # noqa: E731
    with serving(later, retries=2, timeout=0.2) as (policy, _):
        assert policy.act([ASKED])[0].text == "x"


def test_a_server_that_is_not_there_is_named() -> None:
    with serving(Answer("")) as (policy, server):
        url = server.url
    with policy, pytest.raises(PolicyError, match=f"{url}.*got none: ConnectionRefusedError"):
        policy.act([ASKED])


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_a_refusal_is_not_tried_again(status: int) -> None:
    answer = Answer({"error": {"message": "no such model"}}, status=status)
    with serving(answer, retries=3) as (policy, server):
        with pytest.raises(PolicyError, match=rf"got status {status}: .*no such model"):
            policy.act([ASKED])
        assert len(server.requests) == 1


GARBAGE: list[tuple[Any, str]] = [
    (b"", "a JSON object from .*, got an empty body"),
    ("<html>Bad gateway</html>", "a JSON object from .*, got <html>Bad gateway</html>"),
    (b"\xff\xfe\x00", "a JSON object"),
    ("[1, 2]", r"a JSON object from .*, got \[1, 2\]"),
    ("null", "a JSON object from .*, got null"),
    ({}, "choices as list, got null"),
    ({"choices": []}, "a choice, got none"),
    ({"choices": {}}, "choices as list, got {}"),
    ({"choices": [None]}, r"choices\[0\] as dict, got null"),
    ({"choices": [{"finish_reason": "stop"}]}, "message as dict, got null"),
    (chat("x", finish=None), "finish_reason in .*, got null"),
    (chat("x", finish="tired"), "finish_reason in .*, got tired"),
    (chat("x", finish=["stop"]), r'finish_reason in .*, got \["stop"\]'),
    (chat("x", message={"role": "assistant"}), "content in the message, got"),
    (chat("x", message={"content": 5}), "content as str, got 5"),
    (chat("x", message={"content": [{"text": "x"}]}), "content as str, got "),
    (chat("x", message={"tool_calls": [{}]}), "function as dict, got null"),
    (chat("x", message={"tool_calls": 5}), "tool_calls as list, got 5"),
]


@pytest.mark.parametrize(("body", "came"), GARBAGE)
def test_garbage_is_named_and_not_tried_again(body: Any, came: str) -> None:
    with serving(Answer(body), retries=3) as (policy, server):
        with pytest.raises(PolicyError, match=f"(?s)expected (a )?{came}"):
            policy.act([ASKED])
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("change", "came"),
    [
        ({"token_ids": [1, "2"]}, r'token_ids as whole numbers, got \[1, "2"\]'),
        ({"token_ids": 7}, "token_ids as list, got 7"),
        ({"token_ids": [1]}, "one logprob per token id, got 3 for 1"),
        ({"logprobs": {"content": [{}] * 3}}, "logprob as a number, got null"),
        ({"logprobs": "x"}, "logprobs as dict, got x"),
    ],
)
def test_garbage_among_token_ids_is_named(change: dict[str, Any], came: str) -> None:
    answer = {**IDS, "choices": [{**IDS["choices"][0], **change}]}
    with (
        serving(Answer(answer), token_ids=True) as (policy, _),
        pytest.raises(PolicyError, match=came),
    ):
        policy.act([ASKED])


def test_a_long_answer_is_shown_in_part() -> None:
    with (
        serving(Answer("y" * 5000)) as (policy, _),
        pytest.raises(PolicyError, match=r"got y{200}\.\.\. \(5000 characters\)"),
    ):
        policy.act([ASKED])


def test_the_server_says_when_to_come_again() -> None:
    times: list[float] = []

    def respond(request: Request) -> Answer:
        times.append(time.monotonic())
        asked = Answer("busy", status=429, headers={"Retry-After": "0.3"})
        return asked if request.number == 0 else Answer(chat("x"))

    with serving(respond, retries=1, backoff=0.0) as (policy, _):
        policy.act([ASKED])
    assert times[1] - times[0] >= 0.3


def test_no_more_requests_are_in_flight_than_allowed() -> None:
    with serving(Answer(chat("x"), seconds=0.02), concurrency=3) as (policy, server):
        assert len(policy.act([ASKED] * 12)) == 12
        assert server.most_in_flight == 3


def test_no_more_requests_begin_in_a_second_than_allowed() -> None:
    with serving(Answer(chat("x")), requests_per_second=50) as (policy, _):
        start = time.monotonic()
        policy.act([ASKED] * 11)
        assert time.monotonic() - start >= 10 / 50


def test_a_closed_policy_opens_again_and_a_pickled_one_too() -> None:
    with serving(Answer(chat("x"))) as (policy, _):
        policy.act([ASKED])
        policy.close()
        policy.close()
        assert policy.act([ASKED])[0].text == "x"
        with pickle.loads(pickle.dumps(policy)) as copy:
            assert copy.act([ASKED])[0].text == "x"


@pytest.mark.parametrize(
    "bad",
    [
        {"timeout": 0},
        {"concurrency": 0},
        {"retries": -1},
        {"requests_per_second": 0},
        {"requests_per_second": float("inf")},
    ],
)
def test_limits_that_do_not_fit_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        OpenAIPolicy("m", "http://127.0.0.1:1/v1", **bad)


def byte_scores(request: Request) -> Answer:
    """Tokenise by bytes; the log-probability of a byte is minus a hundredth of it."""
    body = request.body
    if request.path == "/tokenize":
        text = body.get("prompt", "")
        if "messages" in body:
            assert body["add_generation_prompt"] is True
            text = "".join(f"{said['role']}:{said['content']}\n" for said in body["messages"])
        # "ab" is one token, so that a lead's end and a text's start can merge.
        ids = list(text.encode().replace(b"ab", b"\xff"))
        return Answer({"count": len(ids), "tokens": ids})
    if request.path == "/detokenize":
        return Answer({"prompt": bytes(body["tokens"]).replace(b"\xff", b"ab").decode()})
    assert request.path == "/v1/completions"
    rows = [
        {str(i): {"logprob": -i / 100, "rank": 1}, "0": {"logprob": -9}} for i in body["prompt"]
    ]
    choice = {"index": 0, "text": "x", "finish_reason": "length"}
    return Answer({"choices": [{**choice, "prompt_logprobs": [None, *rows[1:]]}]})


def test_targets_are_scored_behind_their_contexts() -> None:
    with StubServer(byte_scores) as server, OpenAIScorer("m", server.url) as scorer:
        assert isinstance(scorer, Scorer)
        targets = [Target("bc", lead="<a>"), Target("c"), Target("")]
        found = scorer.logprobs([ASKED, ASKED, ASKED], targets)
        prompts = [r.body["prompt"] for r in server.requests if r.path == "/v1/completions"]
    assert [scored.token_ids for scored in found] == [(98, 99), (99,), ()]
    assert found[0].logprobs == pytest.approx((-0.98, -0.99))
    assert found[0].mean == pytest.approx(-0.985)
    expected = [list(b"user:Which?\n<a>bc"), list(b"user:Which?\nc")]
    assert sorted(prompts) == sorted(expected)


def test_a_token_across_the_border_of_lead_and_text_belongs_to_the_text() -> None:
    with StubServer(byte_scores) as server, OpenAIScorer("m", server.url) as scorer:
        [across] = scorer.logprobs([ASKED], [Target("bc", lead="xa")])
        [within] = scorer.logprobs([ASKED], [Target("c", lead="xab")])
    assert across.token_ids == (255, 99)
    assert across.logprobs == pytest.approx((-2.55, -0.99))
    assert within.token_ids == (99,)


def refusing(body: Any, path: str) -> Callable[[Request], Answer]:
    return lambda request: Answer(body) if request.path == path else byte_scores(request)


@pytest.mark.parametrize(
    ("respond", "came"),
    [
        (refusing(chat("x"), "/v1/completions"), "prompt_logprobs .*none: this server does not"),
        (
            refusing({"choices": [{"prompt_logprobs": [None]}]}, "/v1/completions"),
            "expected 13 prompt_logprobs, got 1",
        ),
        (
            refusing({"choices": [{"prompt_logprobs": [{}] * 13}]}, "/v1/completions"),
            "expected the logprob of token 97",
        ),
        (refusing({"choices": []}, "/v1/completions"), "expected a choice, got none"),
        (refusing({"tokens": "x"}, "/tokenize"), "tokens as list, got x"),
        (lambda request: Answer("Not Found", status=404), "got status 404: Not Found"),
    ],
)
def test_a_server_that_cannot_score_is_named(
    respond: Callable[[Request], Answer], came: str
) -> None:
    with (
        StubServer(respond) as server,
        OpenAIScorer("m", server.url, retries=0) as scorer,
        pytest.raises(ScorerError, match=came),
    ):
        scorer.logprobs([ASKED], [Target("a")])


def test_a_target_is_needed_for_each_context() -> None:
    with (
        OpenAIScorer("m", "http://127.0.0.1:1/v1") as scorer,
        pytest.raises(ValueError, match="got 0 for 1"),
    ):
        scorer.logprobs([ASKED], [])


@pytest.fixture
def vllm_url() -> str:
    url = os.environ.get("RMGYM_VLLM_URL")
    if url is None:
        pytest.skip("RMGYM_VLLM_URL names no vLLM server, such as http://127.0.0.1:8000/v1")
    return url


def vllm_model(url: str) -> str:
    with urllib.request.urlopen(f"{url}/models") as answer:
        name: str = json.loads(answer.read())["data"][0]["id"]
    return name


def test_vllm_scores_a_greedy_turn_as_it_sampled_it(vllm_url: str) -> None:
    model = vllm_model(vllm_url)
    options: dict[str, Any] = {"temperature": 0.0, "max_tokens": 8, "token_ids": True}
    with (
        OpenAIPolicy(model, vllm_url, **options) as policy,
        OpenAIScorer(model, vllm_url) as scorer,
    ):
        first, second = policy.act([ASKED, ASKED])
        assert first == second
        assert first.logprobs is not None
        scored = scorer.transport.run(scorer._read_prompt(first.prompt_ids, first.completion_ids))
        [target] = scorer.logprobs([ASKED], [Target("yes", lead="I say ")])
    assert scored == pytest.approx(first.logprobs, abs=1e-4)
    assert all(value < 0 for value in target.logprobs)
