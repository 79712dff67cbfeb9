from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from rmgym.errors import JudgeError, ParseError, RetrieverError
from rmgym.judges.tool_judge import ToolJudge, ToolUse, retriever_tool
from rmgym.judges.transcripts import answering
from rmgym.protocols import Criterion, Hit, Passage, Rubric
from rmgym.tools.calculator import calculate
from rmgym.trajectory import Completion, Context

RUBRIC = Rubric(name="r", criteria=(Criterion(name="sum", text="Is the sum right?"),))
SAID = answering("17 + 25?", "It is 42.")


def call(tool: str, text: str) -> str:
    return json.dumps({"tool": tool, "input": text})


def verdict(choice: str) -> str:
    return json.dumps({"verdicts": [{"criterion": "sum", "choice": choice}]})


class Replies:
    """Says one text a call, in order, and keeps what it was asked."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.asked: list[str] = []

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        self.asked.extend(c.observation[-1]["content"] for c in contexts)
        return [Completion(text=self.texts.pop(0)) for _ in contexts]


def test_the_calls_before_a_verdict_are_kept_and_shown() -> None:
    policy = Replies(call("calculator", "17 + 25"), verdict("yes"))
    (found,) = ToolJudge(policy, {"calculator": calculate}).examine([SAID], [RUBRIC])
    assert found.verdicts[0].choice == "yes"
    assert found.uses == (ToolUse(tool="calculator", input="17 + 25", output="42"),)
    assert "BEGIN CALLS SO FAR" in policy.asked[1]
    assert '"output": "42"' in policy.asked[1]


def test_input_that_a_tool_cannot_use_is_told_to_the_judge() -> None:
    policy = Replies(call("calculator", "17 plus 25"), verdict("no"))
    (found,) = ToolJudge(policy, {"calculator": calculate}).examine([SAID], [RUBRIC])
    assert found.uses[0].failed
    assert '"error": "expected' in policy.asked[1]


def test_transcripts_are_examined_side_by_side() -> None:
    other = answering("2 + 2?", "It is 5.")
    policy = Replies(call("calculator", "17 + 25"), verdict("no"), verdict("yes"))
    judge = ToolJudge(policy, {"calculator": calculate})
    found = judge.grade([SAID, other], [RUBRIC] * 2)
    assert [verdicts[0].choice for verdicts in found] == ["yes", "no"]


@pytest.mark.parametrize(
    "reply",
    [
        call("shell", "ls"),
        '{"tool": "calculator"}',
        '{"tool": "calculator", "input": 3}',
        '{"input": "3"}',
        "{}",
        '{"tool": "calculator", "input": "1", "verdicts": []}',
    ],
)
def test_another_call_is_unreadable(reply: str) -> None:
    judge = ToolJudge(Replies(reply), {"calculator": calculate}, retries=0)
    with pytest.raises(JudgeError, match="unreadable"):
        judge.grade([SAID], [RUBRIC])


def test_more_calls_than_allowed_are_an_error() -> None:
    judge = ToolJudge(
        Replies(*[call("calculator", f"1 + {i}") for i in range(3)]),
        {"calculator": calculate},
        max_calls=2,
        retries=0,
    )
    with pytest.raises(JudgeError, match="no call is left"):
        judge.grade([SAID], [RUBRIC])


def test_a_backend_that_breaks_is_not_hidden() -> None:
    def broken(query: str) -> str:
        raise RetrieverError("down")

    judge = ToolJudge(Replies(call("search", "Ulm")), {"search": broken})
    with pytest.raises(RetrieverError, match="down"):
        judge.grade([SAID], [RUBRIC])


class OnePassage:
    """Finds its passage if the query names the title."""

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        passage = Passage(id="p", title="Ulm", text="A town on the Danube.")
        return [[Hit(passage=passage, score=1.0, rank=1)] if "Ulm" in q else [] for q in queries]


def test_a_retriever_is_a_tool() -> None:
    look_up = retriever_tool(OnePassage())
    assert look_up("Ulm") == "Ulm\nA town on the Danube."
    assert look_up("Bonn") == "nothing found"
    with pytest.raises(ParseError, match="query"):
        look_up(" ")


def test_the_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="expected a tool"):
        ToolJudge(Replies(), {})
    with pytest.raises(ValueError, match="max_calls"):
        ToolJudge(Replies(), {"calculator": calculate}, max_calls=0)
    with pytest.raises(ValueError, match="descriptions"):
        ToolJudge(Replies(), {"calculator": calculate}, descriptions={"shell": "runs"})
