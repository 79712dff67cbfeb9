"""Planner and grounder: one seat says what to do, the other does it call by call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from rmgym.arena import SILENCE, ChatArena
from rmgym.composition import RewardSpec
from rmgym.conversation import Facts, Opening, Reply
from rmgym.envs.debate.judge_prompts import quoted
from rmgym.envs.debate.plans import PlanTask, literal_success, plan_tasks
from rmgym.envs.debate.seat import Player, seat_players
from rmgym.envs.debate.tasks import is_right
from rmgym.errors import ParseError
from rmgym.messages import message
from rmgym.parsing import ActionFormat
from rmgym.protocols import Call, Tool
from rmgym.rewards.debate import PlanGain, RightDecision
from rmgym.single_seat import SingleSeat
from rmgym.tools.calculator import CALCULATOR, calculate

PLAN_GROUND_ID = "rmgym/PlanGround-v0"
PLANNER, GROUNDER = SEATS = ("planner", "grounder")
Probe: TypeAlias = Callable[[PlanTask, str], float]
"""From a task and a plan to what gets done with it, 0 to 1."""

TOOLS = (
    Tool(
        name="plan",
        description="the planner's numbered list",
        parameters={"plan": {"type": "string"}},
        required=("plan",),
        text_argument="plan",
    ),
    Tool(
        name="lookup",
        description="the grounder asks for the price of one item",
        parameters={"item": {"type": "string"}},
        required=("item",),
        text_argument="item",
    ),
    CALCULATOR,
    Tool(
        name="answer",
        description="the grounder gives the final answer",
        parameters={"answer": {"type": "string"}},
        required=("answer",),
        text_argument="answer",
    ),
)
_PLANNER_TEXT = """\
You are the planner. The grounder does not see the question: it gets your plan, and can look up \
prices, work sums out and answer. Write numbered lines of three forms, each on its own line:
<plan>1. look up spoon
2. work out 3 * [1]
3. answer [2]</plan>
where [1] stands for the result of line 1. You may write {plans} plans; between them the grounder \
makes up to {calls} calls.
Question: {question}"""
_GROUNDER_TEXT = """\
You are the grounder. You get a plan and carry it out, one call a turn, up to {calls} calls a \
plan:
<lookup>lamp</lookup>, <calculator>3 * 4</calculator> or <answer>12</answer>
In a plan [1] stands for the result of its line 1."""


@dataclass(slots=True)
class PlanEpisode:
    """One task under way."""

    task: int
    plan: str = ""
    plans: int = 0
    calls: int = 0
    """Calls made under the running plan."""
    is_planning: bool = True
    probe: float = 0.0
    """What a probing grounder gets done with the running plan."""
    results: list[str] = field(default_factory=list)
    """What the running plan's calls gave."""
    found: set[str] = field(default_factory=set)


class PlanGround(ChatArena[PlanEpisode]):
    """A planner and a grounder answer questions about prices.

    ## Description
    After MOAT (2025): the planner sees the question and writes a plan of numbered lines; the
    grounder sees the plan and makes one tool call a turn. If it has not answered after
    `calls_per_plan` calls, the planner sees what came of it and may plan anew. The two can be
    trained in turn, each against the other as a policy.

    ## Observation Space
    `chat_space()` for each seat. The planner gets the question, then the results of each plan; the
    grounder gets the rules, then the plan behind bars, then the result of each of its calls.

    ## Action Space
    The planner: `<plan>1. look up lamp`, newline, `2. answer [1]</plan>`. The grounder, one a turn:
    `<lookup>lamp</lookup>`, `<calculator>2 * 31</calculator>`, `<answer>62</answer>`.

    ## Rewards
    | term | range | weight | granted |
    |---|---|---|---|
    | task | 0 or 1 for both seats: the answer is right | 1.0 | outcome |
    | plan_gain | -1 to 1, planner alone: gain of the probe over the last plan | 0.2 | turn |
    | format | -1 for a turn that cannot be read or is not the seat's to make, else 0 | 0.1 | turn |

    The probe is what a grounder that follows the plan word by word gets done; give a callable for
    another, e.g. a model's likelihood of the gold calls. `plan_weight` weighs its gain. Metrics:
    `success`, `plans`, `prices_found` (share of the needed ones), `probe`.

    ## Starting State
    A question with a price list of its own, drawn uniformly, or the one that
    `options={"task_id": ...}` names. The planner speaks first.

    ## Episode End
    1. Termination: the grounder answers (`answer`).
    2. Truncation: the last plan's calls are spent (`max_calls`); the answer counts as wrong.

    ## Arguments
    | parameter | type | default | meaning |
    |---|---|---|---|
    | plans | int | 2 | plans that the planner may write |
    | calls_per_plan | int | 5 | calls that the grounder makes under each |
    | task_count | int | 100 | questions |
    | task_seed | int | 0 | their seed |
    | plan_weight | float | 0.2 | weight of `plan_gain` |
    | probe | callable | literal_success | from a `PlanTask` and a plan to 0 to 1 |
    | rewards | mapping or list | the terms above | reward terms, by seat or for both |
    | action_format | str | "tags" | or "tool_call" |
    | render_mode | str or None | None | "ansi" |

    >>> arena = PlanGround()
    >>> _ = arena.reset(seed=0)
    >>> list(arena.speakers())
    ['planner']

    ## Version History
    * v0: first version.

    ## References
    MOAT, joint alignment of planner and grounder (2025, read in abstract); the task is ours.
    """

    metadata: dict[str, Any] = {**ChatArena.metadata, "name": "plan_ground_v0"}  # noqa: RUF012  # as upstream

    def __init__(
        self,
        *,
        plans: int = 2,
        calls_per_plan: int = 5,
        task_count: int = 100,
        task_seed: int = 0,
        plan_weight: float = 0.2,
        probe: Probe = literal_success,
        rewards: Mapping[str, Sequence[RewardSpec]] | Sequence[RewardSpec] | None = None,
        action_format: ActionFormat = "tags",
        render_mode: str | None = None,
    ) -> None:
        if plans < 1 or calls_per_plan < 1 or task_count < 1:
            raise ValueError(
                f"expected plans, calls_per_plan and task_count of at least 1, got {plans}, "
                f"{calls_per_plan} and {task_count}"
            )
        self.plans = plans
        self.calls_per_plan = calls_per_plan
        self.probe = probe
        self.tasks = plan_tasks(task_count, task_seed)
        self._task_index = {task.id: i for i, task in enumerate(self.tasks)}
        if rewards is None:
            shared: list[RewardSpec] = [RightDecision(shared=True), ("format", 0.1)]
            rewards = {PLANNER: [*shared, (PlanGain(), plan_weight)], GROUNDER: shared}
        super().__init__(
            seats=SEATS,
            tools=TOOLS,
            rewards=rewards,
            max_steps=plans * (calls_per_plan + 1) + 1,  # it ends itself, by its own budget
            action_format=action_format,
            render_mode=render_mode,
        )

    @property
    def task(self) -> PlanTask:
        """The question being worked on."""
        return self.tasks[self.episode.task]

    def speakers(self) -> Collection[str]:
        """Return whose turn it is."""
        return (PLANNER,) if self.episode.is_planning else (GROUNDER,)

    def begin_episode(self, options: Mapping[str, Any]) -> dict[str, Opening]:
        """Draw a question."""
        drawn = int(self.np_random.integers(len(self.tasks)))
        if "task_id" in options:
            if options["task_id"] not in self._task_index:
                raise ValueError(
                    f"expected the id of one of {len(self.tasks)} tasks, got {options['task_id']!r}"
                )
            drawn = self._task_index[options["task_id"]]
        self.episode = PlanEpisode(drawn)
        task, calls = self.task, self.calls_per_plan
        texts = {
            PLANNER: _PLANNER_TEXT.format(plans=self.plans, calls=calls, question=task.question),
            GROUNDER: _GROUNDER_TEXT.format(calls=calls),
        }
        facts = {"question": task.question, "references": (task.answer,), "needed": task.needed}
        return {
            seat: Opening(
                task_id=task.id,
                messages=(message("user", texts[seat]),),
                task={**facts, "seat": seat},
                metrics=self._metrics(),
            )
            for seat in SEATS
        }

    def _metrics(self) -> dict[str, float]:
        episode, needed = self.episode, self.task.needed
        return {
            "plans": float(episode.plans),
            "probe": episode.probe,
            "prices_found": len(episode.found) / len(needed),
        }

    def respond(self, calls: Mapping[str, Call | ParseError]) -> dict[str, Reply]:
        """Take a plan, or carry out a call."""
        ((seat, call),) = calls.items()
        return self._planned(call) if seat == PLANNER else self._grounded(call)

    def _planned(self, call: Call | ParseError) -> dict[str, Reply]:
        episode = self.episode
        if call == SILENCE:
            event: dict[str, Any] = {"kind": SILENCE.name}
        elif isinstance(call, Call) and call.name == "plan":
            before, episode.plan = episode.probe, call.text
            episode.probe = float(self.probe(self.task, call.text))
            event = {"kind": "plan", "probe_before": before, "probe_after": episode.probe}
        else:
            event = {"kind": "invalid"}
        episode.plans += 1
        episode.calls, episode.is_planning, episode.results = 0, False, []
        shown = f"Plan {episode.plans}:\n{quoted(episode.plan or '(no plan)')}"
        return {
            PLANNER: self._reply("", event),
            GROUNDER: Reply(messages=(message("user", shown),), metrics=self._metrics()),
        }

    def _reply(self, text: str, event: Mapping[str, Any]) -> Reply:
        said = (message("user", text),) if text else ()
        return Reply(messages=said, event=Facts(event), metrics=self._metrics())

    def _grounded(self, call: Call | ParseError) -> dict[str, Reply]:
        episode = self.episode
        episode.calls += 1
        if isinstance(call, Call) and call.name == "answer":
            return self._end(call.text, {"kind": "answer", "answer": call.text})
        kind, text = self._carry_out(call)
        shown = "" if isinstance(call, ParseError) else f"{call.name} {call.text}".strip()
        episode.results.append(f"{shown[:80]}: {text}")
        if episode.calls < self.calls_per_plan:
            return {GROUNDER: self._reply(text, {"kind": kind})}
        if episode.plans == self.plans:
            return self._end(None, {"kind": kind})
        episode.is_planning = True
        came = "\n".join(episode.results)
        told = f"The grounder has not answered. Its calls:\n{quoted(came)}\nPlan anew."
        replies = {GROUNDER: self._reply(text, {"kind": kind})}
        return {**replies, PLANNER: Reply(messages=(message("user", told),))}

    def _carry_out(self, call: Call | ParseError) -> tuple[str, str]:
        """Return the event kind and the result of a call that does not answer."""
        if call == SILENCE:
            return SILENCE.name, "Nothing was called."
        if isinstance(call, ParseError) or call.name not in ("lookup", "calculator"):
            return "invalid", "Expected a lookup, a calculator call or an answer."
        if call.name == "lookup":
            item = call.text.strip().lower()
            if item not in self.task.prices:
                return "lookup", "There is no such item."
            self.episode.found |= {item} & set(self.task.needed)
            return "lookup", f"Result: {self.task.prices[item]}"
        try:
            return "calculator", f"Result: {calculate(call.text)}"
        except ParseError as error:
            return "calculator", f"The calculator failed: {error}."

    def _end(self, answer: str | None, event: Mapping[str, Any]) -> dict[str, Reply]:
        right = is_right(answer, (self.task.answer,))
        facts = {"decision_right": right, "own_right": right}
        text = f"The answer given: {answer[:80]}." if answer is not None else "No calls are left."
        metrics = {**self._metrics(), "success": float(right)}
        replies = {}
        for seat in SEATS:
            own = event if seat == GROUNDER else {}
            replies[seat] = Reply(
                messages=(message("user", text),),
                stop_reason="answer" if answer is not None else None,
                cut_reason=None if answer is not None else "max_calls",
                event=Facts({**own, **facts}),
                metrics=metrics,
            )
        return replies


def plan_ground_seat(
    *,
    seat: Literal["planner", "grounder"] = "planner",
    partner: Player | None = None,
    **arguments: Any,
) -> SingleSeat:
    """Return one seat of `PlanGround` beside a scripted partner.

    Args:
        seat: The learner's.
        partner: Who plays the other one; by default a grounder that follows plans word by word, or
            a planner that plans well.
        **arguments: Those of `PlanGround`.
    """
    arena = PlanGround(**arguments)
    default = "literal_grounder" if seat == PLANNER else "careful_planner"
    others = [name for name in SEATS if name != seat]
    return SingleSeat(arena, seat, seat_players(arena, PLAN_GROUND_ID, others, partner or default))
