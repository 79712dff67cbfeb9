"""A judge that looks things up before it decides (Themis, OpenRM).

Before each verdict the policy may call tools, one at a time; what they answered stands in its next
prompt, fenced like everything that others wrote. The wording is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, Unpack

from rmgym.errors import JudgeError, ParseError
from rmgym.judges.asking import (
    Asker,
    AskOptions,
    Fence,
    Question,
    as_json,
    check_keys,
    prompt,
    shown,
    strict_object,
)
from rmgym.judges.guarded import GuardedJudge
from rmgym.judges.policy_judge import parse_verdicts, rubric_data, rubric_text
from rmgym.judges.protocols import Transcript
from rmgym.judges.verdicts import nothing
from rmgym.messages import Observation
from rmgym.protocols import Policy, Retriever, Rubric, Verdict

JudgeTool: TypeAlias = Callable[[str], str]
"""From the input text to the output; raises `ParseError` for input that it cannot use."""

SYSTEM = """\
You grade what the assistant of a conversation achieved, by a rubric. What can be checked with a \
tool, check before you decide; a check that would not change a verdict is a waste. You have {left} \
calls left. The tools:
{tools}

{notice}

Reply with one JSON object and no other text: either a call,
{{"tool": "<name>", "input": "<text>"}}
or the verdicts, one per criterion, in the order of the rubric,
{{"verdicts": [{{"criterion": "<name>", "reason": "<one sentence>", "choice": "<one of its \
choices>"}}]}}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """One call of a judge."""

    tool: str
    input: str
    output: str
    failed: bool = False
    """Whether the tool could not use the input; `output` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Verdicts with the calls that led to them."""

    verdicts: tuple[Verdict, ...]
    uses: tuple[ToolUse, ...] = ()


_Reply: TypeAlias = ToolUse | tuple[Verdict, ...]


class ToolJudge(GuardedJudge, doors=("examine",)):
    """Grades by asking a policy that may call tools first.

    Args:
        policy: Who is asked.
        tools: By name, e.g. `{"calculator": calculate, "search": retriever_tool(retriever)}`.
        descriptions: One line a tool for the policy; by default the name alone.
        max_calls: Calls a transcript; a judge that wants more is an error.
        unguarded_for_research: Takes away the guard and the fence.
        options: How the policy is asked, see `AskOptions`.

    Raises:
        ValueError: If there is no tool, `max_calls` is below 1, or a description has no tool.
    """

    def __init__(
        self,
        policy: Policy,
        tools: Mapping[str, JudgeTool],
        *,
        descriptions: Mapping[str, str] | None = None,
        max_calls: int = 4,
        unguarded_for_research: bool = False,
        **options: Unpack[AskOptions],
    ) -> None:
        super().__init__(unguarded_for_research=unguarded_for_research)
        if not tools or max_calls < 1:
            raise ValueError(
                f"expected a tool and max_calls of 1 or more, got {sorted(tools)} and {max_calls}"
            )
        self.tools = dict(tools)
        self.descriptions = dict(descriptions or {})
        strangers = sorted(set(self.descriptions) - set(self.tools))
        if strangers:
            raise ValueError(f"expected descriptions of {sorted(tools)}, got one of {strangers}")
        self.max_calls = max_calls
        self.asker = Asker(policy, fenced=self.is_guarded, **options)

    def examine(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[Examination]:
        """Return the verdicts on each transcript with the calls that led to them.

        Raises:
            JudgeError: If a reply stays unreadable, or the policy calls more often than it may.
            BackendError: If a tool's backend broke.
        """
        return self._past_guard(
            transcripts,
            rubrics,
            self._marked_examinations,
            lambda rubric, reason: Examination(verdicts=nothing(rubric, reason)),
        )

    def _marked_examinations(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[Examination]:
        return [
            Examination(verdicts=self._marked_all(found.verdicts), uses=found.uses)
            for found in self._examine(transcripts, rubrics)
        ]

    def _grade(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        return [found.verdicts for found in self._examine(transcripts, rubrics)]

    def _examine(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[Examination]:
        uses: list[tuple[ToolUse, ...]] = [()] * len(transcripts)
        done: dict[int, Examination] = {}
        while len(done) < len(transcripts):
            rows = [i for i in range(len(transcripts)) if i not in done]
            replies = self.asker.ask(
                [self._question(transcripts[i], rubrics[i], uses[i]) for i in rows]
            )
            for i, reply in zip(rows, replies, strict=True):
                if isinstance(reply, ToolUse):
                    uses[i] = (*uses[i], self._use(reply.tool, reply.input))
                else:
                    done[i] = Examination(verdicts=reply, uses=uses[i])
        return [done[i] for i in range(len(transcripts))]

    def _use(self, name: str, text: str) -> ToolUse:
        try:
            return ToolUse(tool=name, input=text, output=self.tools[name](text))
        except ParseError as error:
            return ToolUse(tool=name, input=text, output=str(error), failed=True)

    def _question(
        self, transcript: Transcript, rubric: Rubric, uses: tuple[ToolUse, ...]
    ) -> Question[_Reply]:
        left = self.max_calls - len(uses)

        def write(fence: Fence) -> Observation:
            lines = [f"- {name}: {self.descriptions.get(name, name)}" for name in self.tools]
            system = SYSTEM.format(notice=fence.notice, tools="\n".join(lines), left=left)
            parts = [rubric_text(rubric), fence.conversation(transcript)]
            if uses:
                calls = [as_json(_use_data(use)) for use in uses]
                parts.append(fence.around("CALLS SO FAR", "\n".join(calls)))
            return prompt(system, "\n\n".join(parts))

        return Question(
            subject={
                "form": "tools",
                "rubric": rubric_data(rubric),
                "conversation": [dict(m) for m in transcript],
                "tools": list(self.tools),
                "uses": [_use_data(use) for use in uses],
                "left": left,
            },
            write=write,
            read=lambda reply: self._read(reply, rubric, left),
        )

    def _read(self, reply: str, rubric: Rubric, left: int) -> _Reply:
        found = strict_object(reply, (), ("tool", "input", "verdicts"))
        if "verdicts" in found:
            return parse_verdicts(reply, rubric)
        check_keys("a call", found, ("tool", "input"))
        name, text = found["tool"], found["input"]
        if not isinstance(name, str) or not isinstance(text, str) or name not in self.tools:
            raise JudgeError(
                f"expected a call of {list(self.tools)} with a text, got {shown(as_json(found))}"
            )
        if left < 1:
            raise JudgeError(f"expected verdicts, as no call is left, got a call of {name!r}")
        return ToolUse(tool=name, input=text, output="")


def retriever_tool(retriever: Retriever, k: int = 3) -> JudgeTool:
    """Return a judge's tool that looks up passages: `k` of them, title and text.

    The tool raises `RetrieverError` if the backend is down, and `ParseError` for a blank query.
    """

    def look_up(query: str) -> str:
        if not query.strip():
            raise ParseError("expected a query, got a blank one")
        (hits,) = retriever.search([query], k)
        return "\n\n".join(hit.passage.contents for hit in hits) or "nothing found"

    return look_up


def _use_data(use: ToolUse) -> dict[str, str]:
    result = "error" if use.failed else "output"
    return {"tool": use.tool, "input": use.input, result: use.output}
