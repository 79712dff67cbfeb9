"""The gym of reward models: the agent is the judge."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from rmgym.composition import RewardSpec
from rmgym.conversation import Facts, Opening, Reply
from rmgym.env import ChatEnv
from rmgym.envs.debate.judge_actions import RUN, SEARCH, VERDICT_NAMES, VERDICTS, read_verdict
from rmgym.envs.debate.judge_prompts import case_text, opening_text
from rmgym.envs.debate.judge_tasks import (
    LETTERS,
    JudgeTask,
    load_preferences,
    make_judge_tasks,
)
from rmgym.envs.search.env import make_retriever, make_shared_world
from rmgym.envs.search.prompts import information_text
from rmgym.envs.search.world import World
from rmgym.errors import ParseError
from rmgym.messages import Role, message
from rmgym.parsing import ActionFormat
from rmgym.protocols import Call, Hit, Retriever, Tool
from rmgym.rewards.debate_judging import RightVerdict
from rmgym.tools.calculator import CALCULATOR, calculate

_PASSAGES = 2
_WORLD_SIZE = (400, 200)
"""Articles and questions of the encyclopaedia."""


@dataclass(slots=True)
class JudgeEpisode:
    """One task at the bench."""

    task: int
    orders: list[list[int]]
    """For each presentation, which answer stands at each letter."""
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    calls: int = 0
    """Tool calls in the running presentation."""
    all_calls: int = 0
    used: list[str] = field(default_factory=list)
    """Tools that gave something."""

    @property
    def order(self) -> list[int]:
        """The order of the running presentation."""
        return self.orders[len(self.verdicts)]


class JudgeEnv(ChatEnv[JudgeEpisode]):
    """Judge which answer is best, with tools that tell.

    ## Description
    The agent is the reward model: it sees a prompt and two or more answers, may look things up,
    work them out or run code, as OpenRM and Themis do, and returns a verdict, scores or a ranking.
    By default the answers are right or wrong by construction and it takes a tool to tell: facts of
    the invented encyclopaedia of `rmgym/Search-v0`, arithmetic, and code that passes its tests or
    fails them. Which answer is longer is drawn apart from which is right. No code is run in an
    episode: the tests of the package's own functions were run when the tasks were made, and the
    tool reads out what they gave. The kind "master_keys" pairs right answers with strings that fool
    judges. Preferences of your own (chosen and rejected) can be given by path.

    ## Observation Space
    `chat_space()`: first one user message with the task and the tools; then what a tool gave, under
    role "user" with tags and role "tool" with tool calls. Every line of a prompt or an answer
    stands behind a bar.

    ## Action Space
    Text with one call: `<search>query</search>`, `<calculator>3 * 4</calculator>`, `<run>A</run>`,
    then one of `<verdict>A 0.9</verdict>` (the number, how sure, is optional),
    `<scores>{"A": 7, "B": 2}</scores>` or `<ranking>B > A</ranking>`, e.g.

        12 * 4 is 48, so B holds. <verdict>B 0.95</verdict>

    ## Rewards
    | term | range | weight | granted |
    |---|---|---|---|
    | verdict | 0 to 1: share of presentations with the best answer named best | 1.0 | outcome |
    | format | -1 for a turn that cannot be read, else 0 | 0.1 | turn |

    Others by name: `joint_tool_use`, `judge_ranking`, `swap_consistency`, `calibration`. Metrics:
    `tool_calls`; at the end `success` (all verdicts right), `accuracy`, `right_tool`,
    `swap_consistency` with both orders, `confidence` and `brier` where stated.

    ## Starting State
    A task drawn uniformly, or the one that `options={"task_id": ...}` names, its answers in drawn
    order. With `both_orders` the same answers are shown again in reverse, after the first verdict.

    ## Episode End
    1. Termination: the last presentation has its verdict (`verdict`).
    2. Truncation: after `max_calls` + 2 turns a presentation (`max_turns`); a verdict that is
       missing then counts as wrong.

    ## Arguments
    | parameter | type | default | meaning |
    |---|---|---|---|
    | kinds | list of str | facts, arithmetic, code | also "master_keys" |
    | answers | int | 2 | answers a task, 2 to 8 |
    | tasks_per_kind | int | 40 | tasks of each kind |
    | tasks_seed | int | 0 | their seed |
    | world_seed | int | 0 | seed of the encyclopaedia |
    | preferences | path or rows | None | chosen and rejected answers, in place of the made tasks |
    | retriever | Retriever or None | None | what `search` asks; by default bm25 over the world |
    | both_orders | bool | False | show the answers twice, in both orders |
    | max_calls | int | 3 | tool calls a presentation |
    | rewards | list | verdict, 0.1 format | reward terms |
    | action_format | str | "tags" | or "tool_call" |
    | render_mode | str or None | None | "human" or "ansi" |

    >>> env = JudgeEnv(kinds=["arithmetic"])
    >>> observation, info = env.reset(seed=0)
    >>> info["task"]["tool"]
    'calculator'

    ## Version History
    * v0: first version.

    ## References
    OpenRM (arXiv 2510.24636); Themis, Tool-Augmented Reward Modeling (arXiv 2310.01045);
    RewardAnything (arXiv 2506.03637); One Token to Fool LLM-as-a-Judge (arXiv 2507.08794);
    RewardBench (arXiv 2403.13787).
    """

    def __init__(
        self,
        *,
        kinds: Sequence[str] = ("facts", "arithmetic", "code"),
        answers: int = 2,
        tasks_per_kind: int = 40,
        tasks_seed: int = 0,
        world_seed: int = 0,
        preferences: str | os.PathLike[str] | Iterable[Mapping[str, Any]] | None = None,
        retriever: Retriever | None = None,
        both_orders: bool = False,
        max_calls: int = 3,
        rewards: Sequence[RewardSpec] = (RightVerdict(), ("format", 0.1)),
        action_format: ActionFormat = "tags",
        render_mode: str | None = None,
    ) -> None:
        if max_calls < 0:
            raise ValueError(f"expected max_calls of at least 0, got {max_calls}")
        self.presentations = 2 if both_orders else 1
        self.max_calls = max_calls
        self.world: World | None = None
        self._retriever = retriever
        if preferences is not None:
            self.tasks = load_preferences(preferences)
            tools: tuple[Tool, ...] = (CALCULATOR,) if retriever is None else (SEARCH, CALCULATOR)
        else:
            self.world = make_shared_world(world_seed, *_WORLD_SIZE) if "facts" in kinds else None
            self.tasks = make_judge_tasks(
                self.world, per_kind=tasks_per_kind, kinds=kinds, answers=answers, seed=tasks_seed
            )
            tools = (SEARCH, CALCULATOR, RUN)
        super().__init__(
            tools=(*tools, *VERDICTS),
            rewards=rewards,
            max_turns=self.presentations * (max_calls + 2),
            action_format=action_format,
            answer_tags=("verdict", "ranking"),
            render_mode=render_mode,
        )
        self._task_index = {task.id: i for i, task in enumerate(self.tasks)}
        self._by_texts = {_texts_key(task.prompt, task.answers): task for task in self.tasks}

    @property
    def task(self) -> JudgeTask:
        """What is being judged."""
        return self.tasks[self.episode.task]

    def gold_task(self, prompt: str, answers: Sequence[str]) -> JudgeTask | None:
        """Return the task of a prompt and its answers: for oracles, hidden from others."""
        return self._by_texts.get(_texts_key(prompt, answers))

    def begin_episode(self, options: Mapping[str, Any]) -> Opening:
        """Draw a task and the order of its answers."""
        drawn = int(self.np_random.integers(len(self.tasks)))
        if "task_id" in options:
            if options["task_id"] not in self._task_index:
                raise ValueError(
                    f"expected the id of one of {len(self.tasks)} tasks, got {options['task_id']!r}"
                )
            drawn = self._task_index[options["task_id"]]
        order = [int(n) for n in self.np_random.permutation(len(self.tasks[drawn].answers))]
        self.episode = JudgeEpisode(drawn, [order, order[::-1]][: self.presentations])
        task = self.task
        text = opening_text(
            actions=self.grammar.describe(),
            calls=self.max_calls,
            presentations=self.presentations,
            case=self._case(),
        )
        return Opening(
            task_id=task.id,
            messages=(message("user", text),),
            task={
                "prompt": task.prompt,
                "answers": task.answers,
                "gold_scores": {str(i): score for i, score in enumerate(task.scores)},
                "tool": task.tool,
                "kind": task.kind,
                "presentations": self.presentations,
            },
            metrics=self._metrics(),
        )

    def _case(self) -> str:
        task, order = self.task, self.episode.order
        return case_text(task.prompt, [task.answers[n] for n in order])

    def respond(self, call: Call) -> Reply:
        """Let the agent use a tool, or take its verdict."""
        if call.name in VERDICT_NAMES:
            try:
                scores, confidence = read_verdict(call, self.episode.order)
            except ParseError as error:
                return self.explain(error)
            return self._judged(scores, confidence)
        return self._use(call)

    def explain(self, error: ParseError) -> Reply:
        """Say what was expected; the turn is spent."""
        text = f"That could not be read: {error}. Call a tool or give your verdict."
        return self._reply(text, {"kind": "invalid"})

    def _reply(self, text: str, event: Mapping[str, Any]) -> Reply:
        facts = {
            "verdicts": tuple(Facts(v) for v in self.episode.verdicts),
            "used_tools": tuple(self.episode.used),
        }
        role: Role = "tool" if self.action_format == "tool_call" else "user"
        return Reply(
            messages=(message(role, text),) if text else (),
            event=Facts({**event, **facts}),
            metrics=self._metrics(),
        )

    def _use(self, call: Call) -> Reply:
        episode = self.episode
        if episode.calls >= self.max_calls:
            return self._reply("No tool call is left: give your verdict.", {"kind": "late_call"})
        episode.calls += 1
        episode.all_calls += 1
        try:
            given = self._tool(call)
        except ParseError as error:
            return self._reply(f"The tool failed: {error}.", {"kind": call.name, "failed": True})
        if call.name not in episode.used:
            episode.used.append(call.name)
        return self._reply(given, {"kind": call.name})

    def _tool(self, call: Call) -> str:
        if call.name == "calculator":
            return calculate(call.text)
        if call.name == "search":
            return information_text(self._search(call.text), None)
        return self._run(call.text)

    def _search(self, query: str) -> Sequence[Hit]:
        if self._retriever is None:
            if self.world is None:
                raise ParseError("expected another tool: there is nothing to search here")
            self._retriever = _world_retriever(self.world.seed)
        return self._retriever.search([query], _PASSAGES)[0]

    def _run(self, letter: str) -> str:
        place = LETTERS.find(letter.strip().upper()) if len(letter.strip()) == 1 else -1
        order, runs = self.episode.order, self.task.runs
        if not 0 <= place < len(order):
            raise ParseError(f"expected one of {', '.join(LETTERS[: len(order)])}")
        if not runs:
            raise ParseError("expected an answer with code to run, got none")
        return f"Answer {LETTERS[place]}: {runs[order[place]]}"

    def _judged(self, scores: Mapping[int, float], confidence: float | None) -> Reply:
        episode, task = self.episode, self.task
        top = max(scores.values())
        best = [n for n in episode.order if scores[n] == top]
        episode.verdicts.append(
            {
                "best": best[0] if len(best) == 1 else None,
                "right": len(best) == 1 and best[0] == task.best,
                "scores": Facts({str(n): value for n, value in scores.items()}),
                "confidence": confidence,
            }
        )
        episode.calls = 0
        if len(episode.verdicts) < self.presentations:
            return self._reply(f"Noted. Judge this case anew.\n{self._case()}", {"kind": "verdict"})
        final = self._reply("", {"kind": "verdict"})
        return final._replace(stop_reason="verdict", metrics={**self._metrics(), **self._figures()})

    def _metrics(self) -> dict[str, float]:
        return {"tool_calls": float(self.episode.all_calls)}

    def _figures(self) -> dict[str, float]:
        verdicts, task = self.episode.verdicts, self.task
        rights = [float(verdict["right"]) for verdict in verdicts]
        figures = {"success": float(all(rights)), "accuracy": sum(rights) / len(rights)}
        if task.tool:
            figures["right_tool"] = float(self.episode.used == [task.tool])
        stated = [(v["confidence"], r) for v, r in zip(verdicts, rights, strict=True)]
        stated = [(c, r) for c, r in stated if c is not None]
        if stated:
            figures["confidence"] = sum(c for c, _ in stated) / len(stated)
            figures["brier"] = sum((c - r) ** 2 for c, r in stated) / len(stated)
        if self.presentations == 2:
            best = [verdict["best"] for verdict in verdicts]
            figures["swap_consistency"] = float(best[0] is not None and best[0] == best[1])
        return figures


@lru_cache(maxsize=4)
def _world_retriever(world_seed: int) -> Retriever:
    """Return bm25 over the encyclopaedia; environments of one process share it."""
    return make_retriever("bm25", make_shared_world(world_seed, *_WORLD_SIZE).passages)


def _texts_key(prompt: str, answers: Sequence[str]) -> str:
    shown = [" ".join(text.split()) for text in (prompt, *sorted(answers))]
    return "\n".join(shown)
