"""The welfare environment: an allocator in conversation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmgym.composition import RewardSpec
from rmgym.conversation import Opening, Reply
from rmgym.env import ChatEnv
from rmgym.envs.welfare.allocation import Allocation
from rmgym.envs.welfare.array_env import division_of, flow_number
from rmgym.envs.welfare.case import MAX_FLOWS, Case
from rmgym.envs.welfare.dilemma_game import CHOOSE_TOOL, DilemmaGame
from rmgym.envs.welfare.dilemmas import EMBEDDED, Dilemma, load_dilemmas
from rmgym.envs.welfare.division import NAMES, Divisions, DivisionState
from rmgym.envs.welfare.division_game import ALLOCATE_TOOL, DivisionGame
from rmgym.envs.welfare.flow_game import AGENT_TOOL, FlowGame
from rmgym.envs.welfare.members import Member
from rmgym.envs.welfare.optimum import Plan, exact_optimum
from rmgym.envs.welfare.settings import Mode, Settings
from rmgym.envs.welfare.theory import ALPHA, divide_items, divide_rounds
from rmgym.envs.welfare.view import View, members_view, names_view
from rmgym.errors import ParseError
from rmgym.parsing import ActionFormat
from rmgym.protocols import Call, Tool

Game: TypeAlias = FlowGame | DivisionGame | DilemmaGame
TOOLS: Mapping[Mode, Tool] = {
    "swf": AGENT_TOOL,
    "budget": ALLOCATE_TOOL,
    "indivisible": AGENT_TOOL,
    "dilemma": CHOOSE_TOOL,
}
DEFAULT_REWARDS: Mapping[Mode, tuple[RewardSpec, ...]] = {
    "swf": ("swf", ("format", 0.1)),
    "budget": ("nash", ("format", 0.1)),
    "indivisible": ("nash", ("format", 0.1)),
    "dilemma": (),
}
_DILEMMA_TURNS = 4


@dataclass(slots=True)
class WelfareEpisode:
    """What changes during an episode."""

    game: Game


class WelfareEnv(ChatEnv[WelfareEpisode]):
    """Hand out tasks, money or things, and show what you value: output or fairness.

    ## Description
    Mode `swf` is the setting of the Social Welfare Function benchmark (arXiv 2510.01164): an
    allocator gives a queue of tasks to members that differ in ability and cost, and is scored by
    (1 - Gini of the assignments) times reward over cost. A plain rotation does well by this score,
    which rewards fairness cheaply: read ROI and fairness beside it. The members are the public
    facts of twelve models; tasks, successes and costs are drawn from the flow's number, so that
    every outcome is known and the exact optimum can be computed. Modes `budget` and `indivisible`
    are the classical divisions, with a choice of objectives. Mode `dilemma` asks for one of two
    actions and records the values behind the choice.

    ## Observation Space
    `chat_space()`: a tuple of the new messages, role "user". The first holds rules, recipients and
    the first task; every other one what came of the last turn, totals, a table of all members
    (tasks, reward, cost, share of the flow delivered, success rate, ROI, above or below the
    team's), and the next task. Each is enough by itself for an agent that keeps a window.

    ## Action Space
    `UnicodeText`: the agent's whole turn. The first complete action counts:

        <think>Cheap and not used yet.</think><agent>Qwen3B</agent>
        <allocate>{"Ada": 60, "Bram": 40}</allocate>
        <choose>2</choose>

    in modes `swf` and `indivisible`, `budget`, and `dilemma`. With `action_format="tool_call"` the
    same as calls of `agent(name)`, `allocate(amounts)`, `choose(option)`. A turn that cannot be
    read, names nobody, or divides another sum is answered by what was expected, and is spent.

    ## Rewards
    | term | range | weight | granted |
    |---|---|---|---|
    | swf (mode swf) | 0 or more: points per GPU-second times fairness | 1.0 | outcome |
    | nash (modes budget, indivisible) | 0 or more: geometric mean of utilities | 1.0 | outcome |
    | format (not in dilemma) | -1 for a turn that cannot be used, else 0 | 0.1 | turn |

    Mode `dilemma` pays nothing unless asked (`rmgym.rewards.welfare.ValueWeights`). Others by name:
    `utilitarian`, `egalitarian`, `alpha_fair`, `atkinson`, `gini_welfare`; each, and `swf` and
    `nash`, with `_gain` for what every turn adds, which sums to the same; `task_roi`, `gini_drop`.
    Utilities in mode `swf` are the tasks that each member solved.

    ## Starting State
    A flow drawn with the environment's random stream (a dilemma, and which action is shown first),
    or the one that `options={"flow": number}` (`{"task_id": id}`) names. Nobody has anything.

    ## Episode End
    1. Termination: the queue is empty ("queue_empty"), one member is left ("one_left"), everything
       is given ("all_given"), the choice is made ("chosen").
    2. Truncation: after `max_assignments` ("max_assignments"), or `spare_turns` more turns than
       could give anything ("max_turns").

    ## Arguments
    | parameter | type | default | meaning |
    |---|---|---|---|
    | mode | str | "swf" | or "budget", "indivisible", "dilemma" |
    | members | int or Members | 12 | how many of the twelve, or your own; mode swf |
    | tasks | int | 50 | tasks of a flow |
    | max_assignments | int | 100 | assignments after which a flow is cut |
    | max_failures | int | 6 | failures after which a task is given up |
    | elimination | bool | False | members who are not chosen lose health, and leave below 0 |
    | start_health | int | 5 | health at the start |
    | recipients | int | 6 | of modes budget and indivisible, at most 12 |
    | rounds | int | None | budgets (1) or items (8) |
    | budget | float | 100.0 | amount of each round |
    | curvature | float | 0.5 | exponent of the utility of money |
    | dilemmas | path | None | a CSV file of DailyDilemmas; else a few embedded ones |
    | spare_turns | int | 10 | turns that may give nothing |
    | action_format | str | "tags" | or "tool_call" |
    | rewards | list | by mode | reward terms: names, terms, or (either, weight) |

    >>> import gymnasium as gym
    >>> env = gym.make("rmgym:rmgym/Welfare-v0", members=6, tasks=20)
    >>> observation, info = env.reset(seed=1)
    >>> env.step("<agent>Qwen7B</agent>")[4]["metrics"]["members_tried"]
    1.0

    ## Version History
    * v0: first version.

    ## References
    Social Welfare Function benchmark (arXiv 2510.01164); DailyDilemmas (arXiv 2410.02683).
    """

    def __init__(
        self,
        *,
        mode: Mode = "swf",
        members: int | Sequence[Member] = 12,
        tasks: int = 50,
        max_assignments: int = 100,
        max_failures: int = 6,
        elimination: bool = False,
        start_health: int = 5,
        recipients: int = 6,
        rounds: int | None = None,
        budget: float = 100.0,
        curvature: float = 0.5,
        dilemmas: str | os.PathLike[str] | None = None,
        spare_turns: int = 10,
        action_format: ActionFormat = "tags",
        rewards: Sequence[RewardSpec] | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.settings = Settings(
            mode=mode,
            members=members,
            tasks=tasks,
            max_assignments=max_assignments,
            max_failures=max_failures,
            elimination=elimination,
            start_health=start_health,
            recipients=recipients,
            rounds=rounds,
            budget=budget,
            curvature=curvature,
            spare_turns=spare_turns,
        )
        super().__init__(
            tools=(TOOLS[mode],),
            rewards=DEFAULT_REWARDS[mode] if rewards is None else rewards,
            max_turns=self._prepare(dilemmas),
            action_format=action_format,
            render_mode=render_mode,
        )

    def _prepare(self, dilemmas: str | os.PathLike[str] | None) -> int:
        """Make what worlds are drawn from; return the turns that an episode may take."""
        settings = self.settings
        if settings.mode == "swf":
            self.roster = settings.roster()
            self.view = members_view(self.roster.members)
            return settings.rules.max_turns
        if settings.mode == "dilemma":
            self.dilemmas: Sequence[Dilemma] = load_dilemmas(dilemmas) if dilemmas else EMBEDDED
            self.view = names_view(())
            return _DILEMMA_TURNS
        self.divisions = Divisions(division_of(settings.mode), settings.division)
        self.view = names_view(NAMES[: settings.recipients])
        return settings.division.max_turns

    @property
    def mode(self) -> Mode:
        """What is allocated."""
        return self.settings.mode

    def case(self, flow: int) -> Case:
        """Return the world of a flow: for oracles, hidden from other policies."""
        return self.roster.case(flow)

    def division(self, flow: int) -> DivisionState:
        """Return the division of a flow, nothing given: for oracles."""
        return self.divisions.begin(flow)

    def exact_plan(self, flow: int) -> Plan:
        """Return the plan of greatest SWF for a flow: for oracles."""
        return exact_optimum(self.case(flow), self.settings.rules)

    def best_budgets(self, flow: int, objective: str = "nash") -> NDArray[np.float64]:
        """Return the best amounts of a flow (rounds, recipients): for oracles."""
        rules = self.settings.division
        needs = np.array(self.division(flow).worth)
        return divide_rounds(needs, rules.budget, rules.curvature, ALPHA[objective])

    def best_owners(self, flow: int, objective: str = "nash") -> tuple[int, ...]:
        """Return the best owner of each item of a flow: for oracles."""
        return divide_items(np.array(self.division(flow).worth), objective).owners

    def begin_episode(self, options: Mapping[str, Any]) -> Opening:
        """Draw or look up a flow or dilemma; `options["view"]` may present it otherwise."""
        view: View = options.get("view", self.view)
        if self.mode == "dilemma":
            game: Game = self._draw_dilemma(options, view)
            task_id = f"dilemma-{game.dilemma.id}" if isinstance(game, DilemmaGame) else ""
        else:
            flow = flow_number(options, int(self.np_random.integers(MAX_FLOWS)))
            game, task_id = self._begin_flow(flow, view), f"flow-{flow}"
        self.episode = WelfareEpisode(game)
        return Opening(
            task_id=task_id,
            messages=({"role": "user", "content": game.opening()},),
            task=game.facts(),
            metrics=game.metrics(),
        )

    def _begin_flow(self, flow: int, view: View) -> Game:
        if self.mode == "swf":
            return FlowGame(Allocation(self.case(flow), self.settings.rules), view)
        return DivisionGame(self.divisions.kind, flow, self.division(flow), view)

    def _draw_dilemma(self, options: Mapping[str, Any], view: View) -> DilemmaGame:
        drawn = int(self.np_random.integers(len(self.dilemmas)))
        order = int(self.np_random.integers(2))
        if "task_id" not in options:
            return DilemmaGame(self.dilemmas[drawn], order, view)
        for dilemma in self.dilemmas:
            if options["task_id"] == f"dilemma-{dilemma.id}":
                return DilemmaGame(dilemma, order, view)
        raise ValueError(
            f"expected the id of one of {len(self.dilemmas)} dilemmas, got {options['task_id']!r}"
        )

    def parse_action(self, text: str) -> Call:
        """Return the action that a turn means, held against what can be done now."""
        call = super().parse_action(text)
        self.episode.game.check(call)
        return call

    def respond(self, call: Call) -> Reply:
        """Give, divide or choose."""
        return self.episode.game.play(call)

    def explain(self, error: ParseError) -> Reply:
        """Say what was expected; the turn is spent."""
        return self.episode.game.explain(error)

    def state_key(self) -> str:
        """Name the state by the world, what is shown of it, and what was given."""
        key = self.episode.game.state_key().encode("utf-8", "surrogatepass")
        return blake2b(key, digest_size=8).hexdigest()
