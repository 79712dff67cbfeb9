"""Scripted judges for `rmgym/Judge-v0`: with known faults, with tools, and one that knows."""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from rmgym.agents.text import TextPolicy, context_rng
from rmgym.judges.guard import rejection
from rmgym.trajectory import Context

_CASE = re.compile(r"^Prompt:\n((?:\|[^\n]*\n?)*)((?:^Answer [A-H]:\n(?:\|[^\n]*\n?)*)+)", re.M)
_ANSWER = re.compile(r"^Answer ([A-H]):\n((?:\|[^\n]*\n?)*)", re.M)
_SUM = re.compile(r"Work out (.+)\.")
_PASSED = re.compile(r"(\d+) of (\d+) tests pass")
_RUN = re.compile(r"^Answer ([A-H]): ", re.M)


class Case(NamedTuple):
    """A prompt and its answers as the conversation shows them."""

    prompt: str
    answers: dict[str, str]
    """By letter, in the order shown."""
    given: tuple[str, ...]
    """What the tools gave since the case was shown."""


class KnownTask(Protocol):
    """What the environment knows of a task."""

    @property
    def answers(self) -> tuple[str, ...]:
        """The answers."""
        ...

    @property
    def scores(self) -> tuple[float, ...]:
        """Their gold scores."""
        ...

    @property
    def tool(self) -> str:
        """The tool that tells."""
        ...


TaskLookup = Callable[[str, Sequence[str]], KnownTask | None]


def read_case(context: Context) -> Case:
    """Return the newest case of a conversation.

    Raises:
        ValueError: If it shows none.
    """
    given: list[str] = []
    for seen in reversed([turn.observation for turn in context.turns] + [context.observation]):
        text = "\n".join(said["content"] for said in seen)
        found = _CASE.search(text)
        if found is not None:
            answers = {a[1]: _plain(a[2]) for a in _ANSWER.finditer(found[2])}
            return Case(_plain(found[1]), answers, tuple(reversed(given)))
        given.append(text)
    raise ValueError("expected a case to judge in the conversation, got none")


def _plain(quoted: str) -> str:
    return "\n".join(line[2:] for line in quoted.splitlines())


class ScriptedVerdict(TextPolicy):
    """Judges at once.

    Args:
        action_format: "tags" or "tool_call".
    """

    def __init__(self, action_format: str = "tags") -> None:
        self.action_format = action_format

    def say(self, context: Context) -> str:
        """Return the turn."""
        case = read_case(context)
        return self.verdict(self.best(case, context))

    @abstractmethod
    def best(self, case: Case, context: Context) -> str:
        """Return the letter of the answer that it takes for the best."""

    def verdict(self, letter: str, confidence: float | None = None) -> str:
        """Return the turn that says so."""
        sure = "" if confidence is None else f" {confidence:g}"
        return f"I take {letter}. <verdict>{letter}{sure}</verdict>"

    def call(self, tool: str, argument: str, text: str) -> str:
        """Return the turn that calls a tool."""
        if self.action_format == "tags":
            return f"Let me check. <{tool}>{text}</{tool}>"
        called = json.dumps({"name": tool, "arguments": {argument: text}})
        return f"Let me check. <tool_call>{called}</tool_call>"


class LengthLover(ScriptedVerdict):
    """Takes the longest answer."""

    def best(self, case: Case, context: Context) -> str:
        """Return its letter."""
        return max(case.answers, key=lambda letter: len(case.answers[letter]))


class PositionLover(ScriptedVerdict):
    """Takes the answer that is shown first."""

    def best(self, case: Case, context: Context) -> str:
        """Return its letter."""
        return next(iter(case.answers))


class Coin(ScriptedVerdict):
    """Takes any answer."""

    def __init__(self, action_format: str = "tags", seed: int = 0) -> None:
        super().__init__(action_format)
        self.seed = seed

    def best(self, case: Case, context: Context) -> str:
        """Return its letter."""
        letters = list(case.answers)
        return letters[int(context_rng(context, self.seed).integers(len(letters)))]


class MasterKeyGullible(ScriptedVerdict):
    """Takes an answer without content for a solution if there is one, else the longest.

    So do general judges in up to two thirds of cases (arXiv 2507.08794).
    """

    def best(self, case: Case, context: Context) -> str:
        """Return its letter."""
        for letter, answer in case.answers.items():
            if rejection(answer) is not None:
                return letter
        return max(case.answers, key=lambda letter: len(case.answers[letter]))


class GuardedJudging(ScriptedVerdict):
    """Lets another judge see only the answers that pass the guard; the first if none does."""

    def __init__(self, inner: ScriptedVerdict) -> None:
        super().__init__(inner.action_format)
        self.inner = inner

    def best(self, case: Case, context: Context) -> str:
        """Return its letter."""
        passing = {k: answer for k, answer in case.answers.items() if rejection(answer) is None}
        if not passing:
            return next(iter(case.answers))
        return self.inner.best(case._replace(answers=passing), context)


class Verifier(ScriptedVerdict):
    """Uses the tool that fits the prompt, and believes what it gives; knows nothing else.

    Sums go to the calculator, functions are run, anything else is searched. It counts how many of
    the results each answer bears out.
    """

    def say(self, context: Context) -> str:
        """Return the next call, or the verdict."""
        case = read_case(context)
        steps = self._steps(case)
        given = [text for text in case.given if "No tool call is left" not in text]
        if len(given) < len(steps) and len(given) == len(case.given):
            return self.call(*steps[len(given)])
        return self._decide(case, given)

    def best(self, case: Case, context: Context) -> str:
        """Return the letter that the results so far bear out."""
        return max(case.answers, key=lambda letter: self._borne_out(case, letter, case.given))

    def _decide(self, case: Case, given: Sequence[str]) -> str:
        marks = {letter: self._borne_out(case, letter, given) for letter in case.answers}
        top = max(marks.values())
        leading = [letter for letter, mark in marks.items() if mark == top]
        return self.verdict(leading[0], 0.95 if len(leading) == 1 else 1 / len(leading))

    def _steps(self, case: Case) -> list[tuple[str, str, str]]:
        sums = _SUM.findall(case.prompt)
        if sums:
            return [("calculator", "expression", expression) for expression in sums]
        if "Write a Python function" in case.prompt:
            return [("run", "answer", letter) for letter in case.answers]
        asked = [re.sub(r"^\d+\. ", "", line) for line in case.prompt.splitlines()]
        return [("search", "query", line) for line in asked]

    def _borne_out(self, case: Case, letter: str, given: Sequence[str]) -> float:
        own = [text for text in given if (run := _RUN.match(text)) and run[1] == letter]
        if own:
            return float(sum(p == n for text in own for p, n in _PASSED.findall(text)))
        if "Write a Python function" in case.prompt:
            return 0.0
        lines = case.answers[letter].splitlines()
        return float(sum(self._agrees(lines, text) for text in given))

    def _agrees(self, lines: Sequence[str], result: str) -> bool:
        if "<information>" not in result:
            number = re.compile(rf"(?<![\d-]){re.escape(result.strip())}(?!\d)")
            return any(number.search(line) for line in lines)
        passage = result.partition("\nDoc 2")[0]
        claims = [_claim(line) for line in lines]
        return any(claim and claim in passage for claim in claims)


_WORDINGS = re.compile(r"^(?:\d+\. )?(?:It is|The answer is|I would say) (.+)\.$")


def _claim(line: str) -> str:
    found = _WORDINGS.match(line)
    return found[1] if found else ""


class Oracle(Verifier):
    """Knows the gold scores; calls the tools that tell before it gives its verdict."""

    def __init__(self, lookup: TaskLookup, action_format: str = "tags") -> None:
        super().__init__(action_format)
        self.lookup = lookup

    def say(self, context: Context) -> str:
        """Return the tool call that tells, then the verdict."""
        case = read_case(context)
        known = self.lookup(case.prompt, list(case.answers.values()))
        if known is not None and known.tool and not case.given:
            return self.call(*self._steps(case)[0])
        return self.verdict(self.best(case, context), 1.0)

    def best(self, case: Case, context: Context) -> str:
        """Return the letter of the best answer."""
        known = self.lookup(case.prompt, list(case.answers.values()))
        if known is None:
            return next(iter(case.answers))
        score_of = {
            " ".join(a.split()): s for a, s in zip(known.answers, known.scores, strict=True)
        }
        return max(case.answers, key=lambda c: score_of[" ".join(case.answers[c].split())])


def oracle(env: Any) -> Oracle:
    """Make `Oracle` from the environment's tasks."""
    return Oracle(env.unwrapped.gold_task, env.unwrapped.action_format)


def verifier(env: Any) -> Verifier:
    """Make `Verifier`."""
    return Verifier(env.unwrapped.action_format)


def length_lover(env: Any) -> LengthLover:
    """Make `LengthLover`."""
    return LengthLover(env.unwrapped.action_format)


def position_lover(env: Any) -> PositionLover:
    """Make `PositionLover`."""
    return PositionLover(env.unwrapped.action_format)


def coin(env: Any, seed: int = 0) -> Coin:
    """Make `Coin`."""
    return Coin(env.unwrapped.action_format, seed)


def master_key_gullible(env: Any) -> MasterKeyGullible:
    """Make `MasterKeyGullible`."""
    return MasterKeyGullible(env.unwrapped.action_format)


def guarded(env: Any) -> GuardedJudging:
    """Make a `MasterKeyGullible` judge with the guard before it."""
    return GuardedJudging(MasterKeyGullible(env.unwrapped.action_format))
