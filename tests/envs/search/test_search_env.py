from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import rmgym
from rmgym.envs.search.env import SearchEnv
from rmgym.envs.search.prompts import information_text
from rmgym.envs.search.tasks import load_tasks
from rmgym.errors import DataError, RetrieverError
from rmgym.parsing import first_tag
from rmgym.protocols import Hit, Passage

SEARCH_R1 = re.compile(r"<(search|answer)>(.*?)</\1>", re.DOTALL)
TURNS = [
    "<search>who</search>",
    "<answer>Paris</answer>",
    "<think>x</think><search> two  words </search>",
    "<search>a</search><answer>b</answer>",
    "<answer>b</answer><search>a</search>",
    "<search>a<search>b</search></search>",
    "<search>never closed <answer>42</answer>",
    "<answer>unclosed <search>q</search>",
    "<search></search>",
    "<search>line one\nline two</search>",
    "no tags at all",
    "",
    "<Search>case</Search>",
    "< search>blank</search>",
    "</search>q<search>",
    "<answer><search>inner</search></answer>",
    "<search>a</answer></search>",
    "text <answer>a</answer> after <answer>b</answer>",
    "<answer>" * 50 + "x</answer>",
    "<search>tag <b>inside</b></search>",
]


def small_env(**settings: Any) -> SearchEnv:
    return SearchEnv(passages=200, questions=40, **settings)


@pytest.mark.parametrize("turn", TURNS)
def test_the_same_action_as_search_r1s_rule(turn: str) -> None:
    match = SEARCH_R1.search(turn)
    expected = None if match is None else (match[1], match[2].strip())
    assert first_tag(turn, ["search", "answer"]) == expected


def test_passages_are_shown_as_search_r1_shows_them() -> None:
    hits = [
        Hit(passage=Passage(id="a", title='"Ada"', text="First.\nSecond."), score=2.0, rank=1),
        Hit(passage=Passage(id="b", title='"Bo"', text="Third."), score=1.0, rank=2),
    ]
    expected = (
        '\n\n<information>Doc 1(Title: "Ada") First.\nSecond.\n'
        'Doc 2(Title: "Bo") Third.</information>\n\n'
    )
    assert information_text(hits) == expected


def test_a_search_shows_topk_passages_and_costs_a_turn() -> None:
    env = small_env(topk=2)
    _, info = env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(
        f"<search>{info['task']['sub_queries'][0]}</search>"
    )
    assert observation[0]["content"].count("(Title: ") == 2
    assert info["event"]["doc_ids"][0] in info["task"]["gold_passages"]
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info["metrics"]["searches"] == 1.0


def test_an_answer_terminates_with_exact_match() -> None:
    env = small_env()
    _, info = env.reset(seed=0)
    reference = info["task"]["references"][0]
    _, reward, terminated, truncated, info = env.step(f"<answer>The {reference}!</answer>")
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info["stop_reason"] == "answer"
    assert info["reward_terms"] == {"em": 1.0, "format": 0.0}


def test_the_example_answer_of_the_prompt_earns_nothing() -> None:
    env = small_env()
    env.reset(seed=0)
    _, reward, *_ = env.step("<answer>Lisbon</answer>")
    assert reward == 0.0


def test_the_last_turn_finds_nothing_and_truncates() -> None:
    env = small_env(max_searches=2)
    env.reset(seed=0)
    env.step("<search>a town</search>")
    observation, *_ = env.step("<search>a town</search>")
    assert "No searches are left" in observation[0]["content"]
    observation, reward, terminated, truncated, info = env.step("<search>a town</search>")
    assert observation[0]["content"] == "\n\n<information></information>\n\n"
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert (info["stop_reason"], info["event"]["kind"]) == ("max_turns", "late_search")
    assert info["metrics"]["searches"] == 2.0


def test_without_a_final_answer_turn_the_last_search_truncates() -> None:
    env = small_env(max_searches=1, final_answer_turn=False)
    env.reset(seed=0)
    observation, _, terminated, truncated, _ = env.step("<search>a town</search>")
    assert "Doc 1" in observation[0]["content"]
    assert (terminated, truncated) == (False, True)


def test_a_malformed_turn_is_spent_and_costs_the_format_term() -> None:
    env = small_env()
    env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step("I would like to search.")
    assert reward == pytest.approx(-0.1)
    assert info["reward_terms"]["format"] == pytest.approx(-0.1)
    assert "<search>" in observation[0]["content"]
    assert not terminated
    assert not truncated


def test_what_is_said_about_a_malformed_turn_does_not_echo_the_agent() -> None:
    env = small_env(action_format="tool_call")
    env.reset(seed=0)
    for turn in (
        '<tool_call>{"name": "zanzibar"}</tool_call>',
        "<tool_call>zanzibar</tool_call>",
        '<tool_call>{"name": "web_search", "arguments": {"zanzibar": 1}}</tool_call>',
    ):
        observation, *_ = env.step(turn)
        assert "zanzibar" not in observation[0]["content"]


def test_tool_calls_search_and_are_answered_by_the_tool() -> None:
    env = small_env(action_format="tool_call")
    _, info = env.reset(seed=0)
    query = info["task"]["sub_queries"][0]
    call = json.dumps({"name": "web_search", "arguments": {"query": query}})
    observation, *_, info = env.step(f"<think>x</think><tool_call>{call}</tool_call>")
    assert observation[0]["role"] == "tool"
    assert info["event"]["query"] == query
    assert [tool["function"]["name"] for tool in env.tools] == ["web_search", "answer"]
    _, _, terminated, _, _ = env.step("<answer>x</answer>")
    assert terminated


def test_told_facts_stand_in_the_prompt_and_only_there() -> None:
    env = small_env(known_fraction=1.0, kinds=["one_hop"])
    observation, info = env.reset(seed=0)
    assert info["task"]["known"]
    assert info["task"]["references"][0] in observation[0]["content"]
    env = small_env(known_fraction=0.0, kinds=["one_hop"])
    observation, info = env.reset(seed=0)
    assert not info["task"]["known"]
    assert info["task"]["references"][0] not in observation[0]["content"]


def test_a_task_can_be_named() -> None:
    env = small_env()
    _, info = env.reset(options={"task_id": env.tasks[7].id})
    assert info["task_id"] == env.tasks[7].id
    with pytest.raises(ValueError, match="expected the id of one of 40 tasks, got 'nope'"):
        env.reset(options={"task_id": "nope"})


def test_a_broken_retriever_raises_its_own_error() -> None:
    class Down:
        def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
            raise RetrieverError("the index is gone")

    env = small_env(retriever=Down())
    env.reset(seed=0)
    with pytest.raises(RetrieverError, match="the index is gone"):
        env.step("<search>x</search>")


def test_make_works_without_an_import_before_it() -> None:
    env = gym.make("rmgym:rmgym/Search-v0", passages=200, questions=20)
    assert isinstance(env.unwrapped, SearchEnv)


def test_a_fork_goes_its_own_way() -> None:
    env = small_env()
    env.reset(seed=3)
    env.step("<search>a river</search>")
    twin = rmgym.fork(env)
    assert twin.state_hash == env.state_hash
    twin.step("<search>an opera</search>")
    assert twin.state_hash != env.state_hash
    assert len(env.context.turns) == 1


def test_questions_and_corpus_of_ones_own(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"id": "d1", "contents": "Ada\\nAda was born in Riva in 1815."}\n')
    rows = [{"question": "Where was Ada born?", "golden_answers": ["Riva"], "id": "q1"}]
    env = SearchEnv(corpus=corpus, tasks=rows)
    env.reset(seed=0)
    _, _, _, _, info = env.step("<search>Ada born</search>")
    assert info["metrics"]["answer_seen"] == 1.0
    assert "gold_recall" not in info["metrics"]
    assert env.step("<answer>Riva</answer>")[1] == 1.0


def test_hugging_face_datasets_are_taken_as_they_are() -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    corpus = datasets.Dataset.from_list([{"title": "Ada", "text": "Ada was born in Riva."}])
    tasks = datasets.Dataset.from_list([{"question": "Where was Ada born?", "answer": "Riva"}])
    env = SearchEnv(corpus=corpus, tasks=tasks)
    env.reset(seed=0)
    assert "Ada was born in Riva." in env.step("<search>Ada born</search>")[0][0]["content"]
    assert env.step("<answer>Riva</answer>")[1] == 1.0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"answer": "x"}, "row 0: expected a question under 'question'"),
        ({"question": "x?"}, "row 0: expected an answer under 'answer'"),
        ("text", "row 0: expected an object, got str"),
    ],
)
def test_a_row_that_cannot_be_asked_is_named(row: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_tasks([row])


def test_a_broken_line_of_questions_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"question": "a?", "answer": "b"}\n{"question": \n')
    with pytest.raises(DataError, match="line 2"):
        load_tasks(path)


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="kinds of"):
        small_env(kinds=["three_hop"])
    with pytest.raises(ValueError, match="got 'faiss'"):
        small_env(retriever="faiss")
    with pytest.raises(ValueError, match="tasks together with corpus"):
        SearchEnv(corpus=[{"text": "x"}])
    with pytest.raises(KeyError, match="did you mean em"):
        small_env(rewards=["emm"])
