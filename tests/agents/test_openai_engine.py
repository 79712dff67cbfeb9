from __future__ import annotations

import json
import os
import pickle
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from rmgym.errors import PolicyError
from rmgym.messages import message
from rmgym.protocols import Target
from rmgym.rollout import rollout
from rmgym.testing import register_test_envs
from rmgym.testing.bytes_tokenizer import END, ByteTokenizer
from rmgym.trajectory import Context
from tests.agents.stub_openai import Answer, Request, StubServer, bodies

pytest.importorskip("openai", reason="openai is not installed: pip install 'rmgym[openai]'")
pytest.importorskip("aiohttp", reason="aiohttp is not installed: pip install 'rmgym[openai]'")

from rmgym.agents.engine import Engine, EngineError, Sampling, Span
from rmgym.agents.language_model import LanguageModelScorer
from rmgym.agents.openai_engine import OpenAIEngine, ServedPolicy
from rmgym.agents.renderer import Renderer

GREEDY = Sampling(temperature=0.0, max_new_tokens=4, stop=("</a>",), stop_ids=(2,))


def choice(text: str) -> dict[str, Any]:
    """Say a text in bytes; a byte's log-probability is minus a hundredth of it."""
    ids = [*text.encode(), END]
    scores = {"token_logprobs": [-i / 100 for i in ids], "tokens": []}
    return {"text": text, "token_ids": ids, "logprobs": scores, "finish_reason": "stop"}


def says(text: str) -> Callable[[Request], Answer]:
    def respond(request: Request) -> Answer:
        assert request.path == "/v1/completions"
        rows = [{str(i): {"logprob": -i / 100}} for i in request.body["prompt"]]
        return Answer({"choices": [{**choice(text), "prompt_logprobs": [None, *rows[1:]]}]})

    return respond


def test_ids_go_in_and_come_out() -> None:
    with StubServer(says("ab")) as server, OpenAIEngine("m", server.url) as engine:
        assert isinstance(engine, Engine)
        [output] = engine.generate([(5, 6)], [GREEDY])
        [body] = bodies(server)
    assert output.ids == (97, 98, END)
    assert output.logprobs == (-0.97, -0.98, -END / 100)
    assert output.finish_reason == "stop"
    assert body == {
        "model": "m",
        "prompt": [5, 6],
        "max_tokens": 4,
        "temperature": 0.0,
        "top_p": 1.0,
        "stop": ["</a>"],
        "include_stop_str_in_output": True,
        "stop_token_ids": [2],
        "ignore_eos": True,
        "skip_special_tokens": False,
        "logprobs": 0,
        "return_token_ids": True,
    }


def test_a_seed_is_sent_where_there_is_one() -> None:
    with StubServer(says("a")) as server, OpenAIEngine("m", server.url) as engine:
        engine.generate([(1,), (1,)], [Sampling(seed=7), Sampling()])
        assert sorted(body.get("seed", -1) for body in bodies(server)) == [-1, 7]


def test_spans_are_scored_and_what_follows_them_is_not_sent() -> None:
    with StubServer(says("a")) as server, OpenAIEngine("m", server.url) as engine:
        found = engine.logprobs([(5, 6, 7, 8), (1, 2)], [Span(1, 3), Span(1, 1)])
        assert [body["prompt"] for body in bodies(server)] == [[5, 6, 7]]
        with pytest.raises(ValueError, match=r"within 1\.\.2, got 0\.\.1"):
            engine.logprobs([(1, 2)], [Span(0, 1)])
        with pytest.raises(ValueError, match="got 0 for 1 prompts"):
            engine.generate([(1,)], [])
    assert found == [(-0.06, -0.07), ()]


@pytest.mark.parametrize(
    ("change", "came"),
    [
        ({"token_ids": None}, "token_ids as list, got null"),
        ({"token_ids": [1]}, "one logprob per token id, got 2 for 1 ids"),
        ({"logprobs": None}, "logprobs as dict, got null"),
        ({"logprobs": {"token_logprobs": [None, -1]}}, "a token_logprob as a number, got null"),
        ({"finish_reason": None}, "finish_reason"),
    ],
)
def test_garbage_is_named(change: dict[str, Any], came: str) -> None:
    answer = Answer({"choices": [{**choice("a"), **change}]})
    with (
        StubServer(lambda request: answer) as server,
        OpenAIEngine("m", server.url) as engine,
        pytest.raises(EngineError, match=came),
    ):
        engine.generate([(1,)], [GREEDY])


def test_a_server_that_does_not_score_is_named() -> None:
    with (
        StubServer(lambda request: Answer({"choices": [choice("a")]})) as server,
        OpenAIEngine("m", server.url) as engine,
        pytest.raises(EngineError, match="this server does not score prompts"),
    ):
        engine.logprobs([(1, 2)], [Span(1, 2)])


def test_a_served_policy_plays_the_same_turn_by_turn_as_in_batches() -> None:
    register_test_envs()
    with StubServer(says("<say>é</say>")) as server, OpenAIEngine("m", server.url) as engine:
        policy = ServedPolicy(engine, Renderer(ByteTokenizer()))
        alone = rollout("rmgym-testing/Echo-v0", policy, 5, engine="async")
        together = rollout("rmgym-testing/Echo-v0", policy, 5, num_envs=5)
        copy = pickle.loads(pickle.dumps(policy))
        [said] = copy.act([Context((), (message("user", "Which?"),))])
        copy.engine.close()
    assert [t.turns for t in alone] == [t.turns for t in together]
    first, second = (turn.completion for turn in alone[0].turns[:2])
    assert said.completion_ids == first.completion_ids == (*"<say>é</say>".encode(), END)
    assert second.prompt_ids[: len(first.prompt_ids) + len(first.completion_ids)] == (
        first.prompt_ids + first.completion_ids
    )


def test_a_served_policy_names_what_its_server_did() -> None:
    register_test_envs()
    refusing = lambda request: Answer("no", status=400)  # noqa: E731
    with StubServer(refusing) as server, OpenAIEngine("m", server.url) as engine:
        policy = ServedPolicy(engine, Renderer(ByteTokenizer()))
        played = rollout("rmgym-testing/Echo-v0", policy, 2, engine="async")
    assert [f.error for f in played.failures] == [PolicyError.__name__] * 2
    assert "got status 400: no" in played.failures[0].message


@pytest.fixture
def vllm() -> tuple[str, str]:
    url = os.environ.get("RMGYM_VLLM_URL")
    if url is None:
        pytest.skip("RMGYM_VLLM_URL names no vLLM server, such as http://127.0.0.1:8000/v1")
    with urllib.request.urlopen(f"{url}/models") as answer:
        name: str = json.loads(answer.read())["data"][0]["id"]
    return name, url


def test_vllm_scores_what_it_sampled_as_it_sampled_it(vllm: tuple[str, str]) -> None:
    prompts = [(5, 6, 7, 8), (9, 10, 11)]
    warm = Sampling(temperature=0.7, top_p=0.9, max_new_tokens=8, seed=3)
    with OpenAIEngine(*vllm) as engine:
        for sampling in (Sampling(temperature=0.0, max_new_tokens=8), warm):
            outputs = engine.generate(prompts, [sampling] * 2)
            assert engine.generate(prompts, [sampling] * 2) == pytest.approx(outputs)
            sequences = [p + o.ids for p, o in zip(prompts, outputs, strict=True)]
            spans = [Span(len(p), len(s)) for p, s in zip(prompts, sequences, strict=True)]
            scored = engine.logprobs(sequences, spans)
            for found, output in zip(scored, outputs, strict=True):
                assert len(output.ids) == 8
                assert output.finish_reason == "length"
                assert found == pytest.approx(output.logprobs, abs=1e-4)


def test_vllm_scores_targets_as_a_scorer_of_the_server_does(vllm: tuple[str, str]) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    folder = os.environ.get("RMGYM_VLLM_MODEL")
    if folder is None:
        pytest.skip("RMGYM_VLLM_MODEL names no folder of the served model")
    from rmgym.agents.openai_compatible import OpenAIScorer

    renderer = Renderer(transformers.AutoTokenizer.from_pretrained(folder))
    contexts = [Context((), (message("user", "Which?"),))] * 3
    targets = [Target("Paris"), Target("def f", lead="I think "), Target("x", lead="<answer>")]
    with OpenAIEngine(*vllm) as engine, OpenAIScorer(*vllm) as scorer:
        exact = LanguageModelScorer(engine, renderer).logprobs(contexts, targets)
        served = scorer.logprobs(contexts, targets)
    assert [s.token_ids for s in served] == [s.token_ids for s in exact]
    for one, other in zip(served, exact, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
