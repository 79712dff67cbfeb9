"""Mode `swf` in words: tasks to members, with a table of what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import add
from typing import Any

from rmgym.conversation import Facts, Reply
from rmgym.envs.welfare.allocation import Allocation, Outcome
from rmgym.envs.welfare.case import KINDS
from rmgym.envs.welfare.view import View, profile_table
from rmgym.errors import ParseError
from rmgym.messages import Observation
from rmgym.protocols import Call, Tool
from rmgym.rewards.welfare import POINTS

AGENT_TOOL = Tool(
    name="agent",
    description="give what is shown now to the one who is named",
    parameters={"name": {"type": "string", "description": "as the table writes it"}},
    required=("name",),
    text_argument="name",
)
RULES = """\
You hand out the work of a team. Flow {flow} holds {tasks} tasks, which come one after another, \
and {members} members can take them. Name one member a turn, as in <agent>name</agent>; you may \
think before it. A member who is chosen is counted and costs GPU time whether the task is solved \
or not. A solved task earns {points} points and the next one comes; one that is not solved comes \
again, and is given up after {failures} failures. The flow ends with the last task, or after \
{most} assignments. Your score is (1 - Gini index of the assignments) times points per \
GPU-second."""
ELIMINATION = """\
Each member has {health} health. Being chosen sets it to three times the number of members left; \
every other member loses 1 a turn, and who falls below 0 leaves for good. The last one left gets \
all remaining tasks."""
_HEADER = "member | tasks | reward | cost | delivered | success | ROI | {health}team"


@dataclass(slots=True)
class FlowGame:
    """One flow as a conversation.

    Args:
        state: The simulator.
        view: What is shown.
    """

    state: Allocation
    view: View
    turns: int = 0
    shown_as: str = ""
    """Name of the view."""
    _index: dict[str, int] = field(default_factory=dict)
    _rows: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Prepare names and the rows of the table, of which a turn changes one."""
        self.shown_as = self.view.digest
        self._index = {name.casefold(): i for i, name in enumerate(self.view.names)}
        self._rows = [self._row(i) for i in range(len(self.view.names))]

    def opening(self) -> str:
        """Return rules, members and the first task."""
        case, rules = self.state.case, self.state.rules
        text = RULES.format(
            flow=case.flow,
            tasks=case.tasks,
            members=case.members,
            points=POINTS,
            failures=rules.max_failures,
            most=rules.max_assignments,
        )
        parts = [text]
        if rules.elimination:
            parts.append(ELIMINATION.format(health=rules.start_health))
        return "\n\n".join([*parts, *self.view.notes, profile_table(self.view), self._next()])

    def check(self, call: Call) -> None:
        """Hold a call against the members who are there.

        Raises:
            ParseError: If it names somebody else.
        """
        member = self._index.get(call.text.strip().casefold())
        if member is None:
            raise ParseError("expected the name of one member as the table writes it, got another")
        if not self.state.alive[member]:
            raise ParseError("expected a member who is still there, got one who has left")

    def play(self, call: Call) -> Reply:
        """Give the current task to the member that the call names."""
        state = self.state
        self.turns += 1
        outcome = state.assign(self._index[call.text.strip().casefold()])
        if state.stopped == "one_left":
            self._rows = [self._row(i) for i in range(len(self._rows))]
        else:
            self._rows[outcome.member] = self._row(outcome.member)
        return Reply(
            messages=({"role": "user", "content": self._answer(outcome)},),
            stop_reason=state.stopped,
            cut_reason="max_assignments" if state.cut else None,
            event=self.event("assign", outcome),
            metrics=self.metrics(),
        )

    def explain(self, error: ParseError) -> Reply:
        """Say what was expected; the turn is spent and nothing is assigned."""
        self.turns += 1
        text = (
            f"Nothing was assigned ({error}). Name one member of the table, as in "
            f"<agent>name</agent>.\n\n{self._next()}"
        )
        messages: Observation = ({"role": "user", "content": text},)
        return Reply(messages=messages, event=self.event("invalid"), metrics=self.metrics())

    def facts(self) -> dict[str, Any]:
        """Return the hidden facts of the flow."""
        case = self.state.case
        return {"mode": "swf", "flow": case.flow, "tasks": case.tasks, "members": case.members}

    def event(self, kind: str, outcome: Outcome | None = None) -> Facts:
        """Return what the turn did and how things stand."""
        state = self.state
        gini, roi = state.gini, state.roi
        stands = {
            "kind": kind,
            "utilities": tuple(state.solved),
            "counts": tuple(state.counts),
            "gini": gini,
            "roi": roi,
            "swf": (1.0 - gini) * roi,
        }
        if outcome is not None:
            stands["task"], stands["member"] = outcome.task, outcome.member
            stands["solved"], stands["cost"] = outcome.solved, outcome.cost
            stands["skipped"] = outcome.skipped
        return Facts(stands)

    def metrics(self) -> dict[str, float]:
        """Return figures so far."""
        state = self.state
        given = max(state.assignments, 1)
        fairness, roi = 1.0 - state.gini, state.roi
        return {
            "swf": fairness * roi,
            "fairness": fairness,
            "roi": roi,
            "delivered": state.total_solved / state.case.tasks,
            "assignments": float(state.assignments),
            "members_tried": float(len(state.counts) - state.counts.count(0)),
            "min_share": min(state.counts) / given,
        }

    def given(self) -> list[float]:
        """Return how many assignments each member had."""
        return [float(count) for count in self.state.counts]

    def state_key(self) -> str:
        """Name the state by the flow, the view, and who got what."""
        state = self.state
        # One byte a number where it fits: this runs at every turn.
        figures = state.counts + state.solved + state.failed
        fits = state.rules.max_assignments < 256
        small = bytes(figures).hex() if fits else str(figures)
        health = state.health if state.rules.elimination else ""
        return (
            f"{state.case.flow}/{self.shown_as}/{self.turns}/{state.task}/{state.failures}/"
            f"{small}/{state.total_cost!r}/{health}"
        )

    def _answer(self, outcome: Outcome) -> str:
        state = self.state
        name = self.view.names[outcome.member]
        shown = state.ended or state.assignments % self.view.every == 0
        head = f"Task {outcome.task + 1} of {state.case.tasks} went to {name}"
        if not shown:
            return f"{head}. Results come every {self.view.every} assignments.\n\n{self._next()}"
        result = f"solved, {POINTS} points" if outcome.solved else "not solved, 0 points"
        given_up = "; it is given up" if outcome.skipped else ""
        totals = (
            f"So far: {state.assignments} assignments, {POINTS * state.total_solved} points, "
            f"{state.total_cost:.3f} GPU-seconds, ROI {state.roi:.1f}, Gini {state.gini:.3f}."
        )
        text = f"{head}: {result} for {outcome.cost:.3f} GPU-seconds{given_up}.\n{totals}"
        return f"{text}\n\n{self._table()}\n\n{self._next()}"

    def _next(self) -> str:
        state = self.state
        if state.ended:
            return "The flow is over."
        task, case = state.task, state.case
        again = f", failed {state.failures} times" if state.failures else ""
        return (
            f"Task {task + 1} of {case.tasks}: {KINDS[case.kinds[task]]}, difficulty "
            f"{case.difficulties[task]}/12{again}. Who gets it?"
        )

    def _row(self, member: int) -> str:
        state, name = self.state, self.view.names[member]
        given, won, cost = state.counts[member], state.solved[member], state.costs[member]
        if not given:
            return f"{name} | 0 | 0 | 0.000 | 0% | - | - | "
        return (
            f"{name} | {given} | {POINTS * won} | {cost:.3f} | {100 * won / state.case.tasks:.0f}% "
            f"| {100 * won / given:.0f}% | {POINTS * won / cost:.1f} | "
        )

    def _table(self) -> str:
        state, elimination = self.state, self.state.rules.elimination
        total_cost, total_solved = state.total_cost, state.total_solved
        marks = [
            "-" if not cost else "above" if won * total_cost >= total_solved * cost else "below"
            for won, cost in zip(state.solved, state.costs, strict=True)
        ]
        rows = self._rows
        if elimination:
            shown = zip(rows, state.alive, state.health, strict=True)
            rows = [f"{row}{health if there else 'left'} | " for row, there, health in shown]
        head = _HEADER.format(health="health | " if elimination else "")
        return "\n".join([head, *map(add, rows, marks)])
