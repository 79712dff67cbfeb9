"""What a debater can do in one turn: speak, and with it answer, agree or vote."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rmgym.errors import ParseError
from rmgym.parsing import ActionFormat, Grammar, make_grammar
from rmgym.protocols import Call, Tool

MAX_SPEECH = 2_000
"""Characters of one turn."""
SAY = "say"
ANSWER = "answer"
AGREE = "agree"
VOTE = "vote"
FORM = "form"
_AGREE_WITH = re.compile(r"<agree with=[\"']([^\"'<>]{1,40})[\"'] ?/>")
_SHOWN_ANSWER = 120

DEBATE_TOOLS = (
    Tool(
        name=ANSWER,
        description="hold this answer from now on, in few words",
        parameters={"answer": {"type": "string"}},
        required=("answer",),
        text_argument="answer",
    ),
    Tool(
        name=AGREE,
        description="give in: hold another agent's answer, that of most others if none is named",
        parameters={"with": {"type": "string", "description": "the agent, e.g. Agent2"}},
    ),
    Tool(
        name=VOTE,
        description="when a vote is called: name the agent with the worst proposal",
        parameters={"agent": {"type": "string"}},
        required=("agent",),
        text_argument="agent",
    ),
)
FORM_TOOL = Tool(
    name=FORM,
    description="after the debate: your choices, separated by commas",
    parameters={"choices": {"type": "string"}},
    required=("choices",),
    text_argument="choices",
)


class DebateGrammar:
    """Free text with at most one action, the first complete one; text alone is speech.

    Args:
        tools: What can be called.
        action_format: "tags" or "tool_call".
    """

    def __init__(self, tools: Sequence[Tool], action_format: ActionFormat = "tags") -> None:
        self.inner: Grammar = make_grammar(action_format, tools)
        self.tags: tuple[str, ...] = ()
        self._is_tags = action_format == "tags"

    def parse(self, text: str) -> Call:
        """Return the action of a turn, with the whole turn as the argument `text`.

        Speech without an action is `Call("say")`.

        Raises:
            ParseError: If a tool call cannot be read.
        """
        call = self._action(text)
        return Call(call.name, {**call.arguments, "text": text})

    def _action(self, text: str) -> Call:
        if not self._is_tags:
            return self.inner.parse(text) if "<tool_call>" in text else Call(SAY)
        named = _AGREE_WITH.search(text)
        # What stands before a named agreement comes first if it is complete.
        head = text[: named.start()] if named else text
        try:
            return self.inner.parse(head)
        except ParseError:
            return Call(AGREE, {"with": named[1]}) if named else Call(SAY)

    def describe(self) -> str:
        """Return one line per action."""
        lines = self.inner.describe()
        if self._is_tags:
            lines = lines.replace("<agree/>", '<agree/> or <agree with="Agent2"/>')
        return lines


def one_line(answer: str) -> str:
    r"""Return an answer as it is shown to the others: one line without brackets, cut.

    >>> one_line("42 [really]\nyes")
    '42 (really) yes'
    """
    flat = " ".join(answer.split()).replace("[", "(").replace("]", ")")
    return flat if len(flat) <= _SHOWN_ANSWER else flat[: _SHOWN_ANSWER - 3] + "..."
