"""The array face of the welfare setting: the same dynamics as numbers, for any RL library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded

from rmgym.envs.welfare.allocation import Allocation
from rmgym.envs.welfare.case import MAX_FLOWS
from rmgym.envs.welfare.division import (
    Division,
    Divisions,
    DivisionState,
    amounts_of,
    whole_numbers,
)
from rmgym.envs.welfare.features import (
    Vector,
    division_state_features,
    division_width,
    flow_features,
    flow_width,
    member_constants,
)
from rmgym.envs.welfare.members import Member
from rmgym.envs.welfare.settings import Mode, Settings
from rmgym.rewards.welfare import Measure, gini, measure_of, on_grid

Grant: TypeAlias = Literal["turn", "outcome"]
ArrayStep: TypeAlias = tuple[Vector, float, bool, bool, dict[str, Any]]


class WelfareArrayEnv(gym.Env[Vector, Any]):
    """Allocate by number: tasks to members, a budget to recipients, or items to recipients.

    ## Description
    The dynamics of `rmgym/Welfare-v0` without the conversation: the same seed and the same choices
    give the same rewards through either face. `gym.make_vec` makes a native NumPy vector of
    thousands of copies. Dilemmas are text, and have no array face.

    ## Observation Space
    `Box(0, 1)`, float32. Mode `swf`, n members, 7 n + 8 numbers: assignments, success rate, mean
    cost, failed the current task, still there, mean public score and public MATH score of each
    member, feature by feature; then progress, assignments, failures of the task, its kind (two),
    its difficulty, fairness and return on cost. Modes `budget` and `indivisible`, 2 n + 1: needs
    or values now, utilities so far, progress. Costs and utilities x are shown as x/(scale + x).

    ## Action Space
    Modes `swf` and `indivisible`: `Discrete(n)`, who gets the task or item. Mode `budget`:
    `Box(0, 1, (n,))`, shares that are divided by their sum; all zeros mean equal shares. An action
    that is not legal (someone who has left, shares below 0 or NaN) gives nothing and spends a turn.

    ## Rewards
    The objective (`swf`, `utilitarian`, `egalitarian`, `nash`, `alpha_fair`, `atkinson`,
    `gini_welfare`; 0 at the start, 0 or more, in mode `swf` points per GPU-second or tasks solved)
    at the end with `grant="outcome"`, or what each step adds to it with `grant="turn"`. The steps
    of an episode sum to the value at the end, exactly.

    ## Starting State
    A flow drawn with the environment's random stream, or `options={"flow": number}`. Nobody has
    anything.

    ## Episode End
    1. Termination: the queue is empty, one member is left (elimination), everything is given.
    2. Truncation: after `max_assignments`, or `spare_turns` more steps than could give anything.

    ## Arguments
    | parameter | type | default | meaning |
    |---|---|---|---|
    | mode | str | "swf" | or "budget", "indivisible" |
    | objective | str | None | "swf" in mode swf, else "nash" |
    | parameters | dict | None | alpha and floor of alpha_fair, epsilon of atkinson |
    | grant | str | "turn" | or "outcome" |
    | members, tasks, max_assignments, max_failures, elimination, start_health | | | mode swf |
    | recipients, rounds, budget, curvature | | | modes budget and indivisible |
    | spare_turns | int | 10 | steps that may give nothing |

    The last three lines as in `rmgym/Welfare-v0`.

    >>> import gymnasium as gym
    >>> env = gym.make("rmgym:rmgym/WelfareArray-v0")
    >>> env.reset(seed=0)[0].shape, env.action_space
    ((92,), Discrete(12))

    ## Version History
    * v0: first version.

    ## References
    Social Welfare Function benchmark (arXiv 2510.01164).
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # as upstream

    def __init__(
        self,
        *,
        mode: Mode = "swf",
        objective: str | None = None,
        parameters: Mapping[str, float] | None = None,
        grant: Grant = "turn",
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
        spare_turns: int = 10,
        render_mode: None = None,
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
        self.render_mode = render_mode
        self.objective = objective or ("swf" if mode == "swf" else "nash")
        self.measure = make_measure(self.settings, objective, parameters)
        self.grant = check_grant(grant)
        self.observation_space, self.action_space = make_spaces(self.settings)
        self._state: Allocation | DivisionState | None = None
        self.max_turns = self._prepare()

    def _prepare(self) -> int:
        """Make what worlds are drawn from; return the turns that an episode may take."""
        settings = self.settings
        self._constants = np.zeros((0, 0), dtype=np.float32)
        if settings.mode == "swf":
            self.roster = settings.roster()
            self.rules = settings.rules
            self._constants = member_constants(self.roster)
            return self.rules.max_turns
        self.divisions = Divisions(division_of(settings.mode), settings.division)
        return settings.division.max_turns

    @property
    def state(self) -> Allocation | DivisionState:
        """The running episode.

        Raises:
            ResetNeeded: If none has begun.
        """
        if self._state is None:
            raise ResetNeeded("expected reset() before the first step")
        return self._state

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Vector, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(MAX_FLOWS))
        self.flow = flow_number(options or {}, drawn)
        if self.settings.mode == "swf":
            self._state = Allocation(self.roster.case(self.flow), self.rules)
        else:
            self._state = self.divisions.begin(self.flow)
        self._turns, self._ended, self._worth = 0, False, 0.0
        return self._observe(), {**self._info(), "reward_terms": {}}

    def step(self, action: Any) -> ArrayStep:
        """Play one turn."""
        state = self.state
        if self._ended:
            raise ResetNeeded("expected reset(), got a step after the end of the episode")
        self._turns += 1
        if isinstance(state, Allocation):
            member = _one_number(action)
            if 0 <= member < len(state.alive) and state.alive[member]:
                state.assign(member)
            terminated, cut = state.stopped is not None, state.cut
        else:
            self._give(state, action)
            terminated, cut = state.ended, False
        truncated = not terminated and (cut or self._turns >= self.max_turns)
        self._ended = terminated or truncated
        reward = self._reward(state)
        info = {**self._info(), "reward_terms": {self.objective: reward}}
        return self._observe(), reward, terminated, truncated, info

    def _give(self, state: DivisionState, action: Any) -> None:
        if self.settings.mode == "budget":
            shares = _as_shares(action)
            legal = shares.shape == (len(state.utilities),) and np.isfinite(shares).all()
            if legal and (shares >= 0).all():
                state.divide(amounts_of(shares, self.settings.budget).tolist())
        elif 0 <= _one_number(action) < len(state.utilities):
            state.give(_one_number(action))

    def _reward(self, state: Allocation | DivisionState) -> float:
        if self.grant == "outcome" and not self._ended:
            return 0.0
        before, self._worth = self._worth, float(on_grid(self._value(state)))
        return self._worth if self.grant == "outcome" else self._worth - before

    def _value(self, state: Allocation | DivisionState) -> float:
        if self.measure is not None:
            return float(self.measure(np.array(_utilities(state), dtype=np.float64)))
        return state.swf if isinstance(state, Allocation) else 0.0

    def _observe(self) -> Vector:
        state = self.state
        if isinstance(state, Allocation):
            return flow_features(state, self._constants)
        return division_state_features(self.divisions.kind, state)

    def action_masks(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return who can be chosen, by the name that maskable PPO asks for."""
        state = self.state
        n = len(_utilities(state))
        alive = state.alive if isinstance(state, Allocation) else [True] * n
        return np.array(alive, dtype=np.bool_)

    def _info(self) -> dict[str, Any]:
        state = self.state
        info: dict[str, Any] = {"flow": self.flow, "action_mask": self.action_masks()}
        if isinstance(state, Allocation):
            return {**info, "swf": state.swf, "fairness": 1.0 - state.gini, "roi": state.roi}
        utilities = np.array(state.utilities)
        figures = {"total": float(utilities.sum()), "least": float(utilities.min())}
        return {**info, "fairness": 1.0 - float(gini(utilities)), **figures}


def _one_number(action: Any) -> int:
    chosen = whole_numbers(action)
    return int(chosen) if chosen.ndim == 0 else -1


def _as_shares(action: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    given = np.asarray(action)
    return given.astype(np.float64) if given.dtype.kind in "iuf" else np.zeros(0)


def _utilities(state: Allocation | DivisionState) -> Sequence[float]:
    return state.solved if isinstance(state, Allocation) else state.utilities


def division_of(mode: Mode) -> Division:
    """Return the kind of division of a mode.

    Raises:
        ValueError: If the mode has no array face.
    """
    if mode in ("budget", "indivisible"):
        return mode
    raise ValueError(f'expected mode "swf", "budget" or "indivisible" as numbers, got {mode!r}')


def check_grant(grant: Grant) -> Grant:
    """Return when rewards are granted, checked."""
    if grant not in ("turn", "outcome"):
        raise ValueError(f'expected grant "turn" or "outcome", got {grant!r}')
    return grant


def flow_number(options: Mapping[str, Any], drawn: int) -> int:
    """Return the flow that `options` names, or the one that was drawn.

    Raises:
        ValueError: If it is not a whole number in range.
    """
    flow = options.get("flow", drawn)
    if not isinstance(flow, (int, np.integer)) or not 0 <= flow < MAX_FLOWS:
        raise ValueError(f"expected a flow from 0 to {MAX_FLOWS - 1}, got {flow!r}")
    return int(flow)


def make_measure(
    settings: Settings, objective: str | None, parameters: Mapping[str, float] | None
) -> Measure | None:
    """Return the measure of an objective, None for `swf`, which is read off the flow.

    Raises:
        ValueError: If there is none of that name for the mode.
    """
    name = objective or ("swf" if settings.mode == "swf" else "nash")
    if name == "swf":
        if settings.mode != "swf":
            raise ValueError(f"expected another objective than swf in mode {settings.mode!r}")
        return None
    return measure_of(name, **dict(parameters or {}))


def make_spaces(settings: Settings) -> tuple[spaces.Space[Any], spaces.Space[Any]]:
    """Return the observation and action space of one environment."""
    if settings.mode == "swf":
        members = len(settings.roster().members)
        width, choices = flow_width(members), members
    else:
        division_of(settings.mode)
        width, choices = division_width(settings.division), settings.recipients
    action: spaces.Space[Any] = spaces.Discrete(choices)
    if settings.mode == "budget":
        action = spaces.Box(0.0, 1.0, (choices,), dtype=np.float32)
    return spaces.Box(0.0, 1.0, (width,), dtype=np.float32), action
