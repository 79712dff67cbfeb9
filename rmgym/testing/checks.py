"""What a conversation must hold beyond Gymnasium's own checker."""

from __future__ import annotations

import contextlib
import io
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import env_checker

from rmgym.protocols import Policy
from rmgym.testing.array_checks import array_problems
from rmgym.testing.malformed import KINDS, malformed_actions
from rmgym.testing.manual import CheckError, manual_problems
from rmgym.testing.players import Babbler, turn_limit, world_of
from rmgym.testing.traces import (
    Script,
    first_difference,
    play_on,
    replay,
    replay_elsewhere,
)

INFO_KEYS = ("reward_terms", "metrics", "task_id", "state_hash", "task", "event")
"""What every info holds, that of `reset` included."""

_HASH_SEEDS = (1, 4242)
_MOST_PROBLEMS = 50


def check_env(
    env_or_id: gym.Env[Any, Any] | str,
    *,
    episodes: int = 3,
    seed: int = 0,
    subprocesses: bool = True,
    policies: Sequence[Policy] = (),
) -> None:
    """Hold a conversation against all that this package promises of one.

    Gymnasium's own checker, the spaces, the info protocol, rewards that are the sums of their
    terms, ends, budgets, the same trace for the same seed in this process and in others, malformed
    actions, states that can be saved, pickled and forked, and the manual. An environment of numbers
    is held to what of this needs no conversation.

    Args:
        env_or_id: The id of an environment, or one: a `ChatEnv`, a `SingleSeat`, or any other with
            `get_state`, `set_state`, `fork`, `state_hash` and `context`.
        episodes: How many random episodes to play; each of `policies` plays as many.
        seed: Seeds the episodes and the random actions.
        subprocesses: Also replay the episodes in two other processes.
        policies: Who plays further episodes, for states that random actions do not reach.

    Raises:
        CheckError: If anything was found; its `problems` are all that was.
    """
    env = gym.make(env_or_id) if isinstance(env_or_id, str) else env_or_id
    space = getattr(env, "action_space", None)
    if isinstance(space, gym.Space) and not isinstance(space, gym.spaces.Text):
        problems = list(array_problems(env, episodes, seed))
        _finish(env_or_id, env, problems)
        return
    subject = _Subject(env, episodes, seed, policies)
    checks: list[Callable[[], Iterator[str]]] = [
        subject.check_gymnasium,
        subject.check_manual,
        subject.check_episodes,
        subject.check_budget,
        subject.check_replay,
        subject.check_malformed,
        subject.check_state,
        subject.check_fork,
        subject.check_reset,
    ]
    if subprocesses:
        checks.append(subject.check_subprocesses)
    problems = [problem for check in checks for problem in _collect(check)]
    _finish(env_or_id, env, problems)


def _finish(
    env_or_id: gym.Env[Any, Any] | str, env: gym.Env[Any, Any], problems: list[str]
) -> None:
    if isinstance(env_or_id, str):
        env.close()
    if problems:
        name = env_or_id if isinstance(env_or_id, str) else type(env.unwrapped).__name__
        raise CheckError(name, list(dict.fromkeys(problems)))


def _collect(check: Callable[[], Iterator[str]]) -> list[str]:
    """Return what a check finds; a crash is a finding too."""
    name = check.__name__.removeprefix("check_")
    problems = []
    try:
        for problem in check():
            problems.append(f"{name}: {problem}")
            if len(problems) == _MOST_PROBLEMS:
                break
    except Exception as error:
        problems.append(f"{name}: expected no exception, got {type(error).__name__}: {error}")
    return problems


def info_problems(info: Any, *, ended: bool) -> Iterator[str]:
    """Yield what is wrong with an info."""
    if not isinstance(info, dict):
        yield f"expected info to be a dict, got {type(info).__name__}"
        return
    missing = [key for key in INFO_KEYS if key not in info]
    if missing:
        yield f"expected info to hold {list(INFO_KEYS)}, got none of {missing}"
    for key in ("reward_terms", "metrics"):
        for name, value in info.get(key, {}).items():
            if not isinstance(value, float) or not isfinite(value):
                yield f"expected info[{key!r}][{name!r}] to be a finite float, got {value!r}"
    for key in ("task_id", "state_hash"):
        if not isinstance(info.get(key, ""), str):
            yield f"expected info[{key!r}] to be a str, got {type(info[key]).__name__}"
    for key in ("task", "event"):
        if not isinstance(info.get(key, {}), Mapping):
            yield f"expected info[{key!r}] to be a mapping, got {type(info[key]).__name__}"
        elif isinstance(info.get(key), dict):
            yield (
                f"expected info[{key!r}] to be Facts, got a dict, which vector environments tear "
                "apart; use rmgym.Facts"
            )
    if ended != ("stop_reason" in info):
        when = "at the end" if ended else "before the end"
        yield f"expected stop_reason exactly at the end, got {info.get('stop_reason')!r} {when}"


def step_problems(env: gym.Env[Any, Any], step: tuple[Any, ...]) -> Iterator[str]:
    """Yield what is wrong with what `step` returned."""
    observation, reward, terminated, truncated, info = step
    if observation not in env.observation_space:
        yield "expected an observation of the observation space, got another"
    if terminated and truncated:
        yield "expected terminated or truncated, got both; a task's own end comes first"
    yield from info_problems(info, ended=bool(terminated or truncated))
    if not isinstance(reward, float) or not isfinite(reward):
        yield f"expected the reward to be a finite float, got {reward!r}"
    elif isinstance(info, dict) and "reward_terms" in info:
        total = sum(info["reward_terms"].values())
        if not abs(total - reward) <= 1e-9:
            yield f"expected the reward to be the sum of reward_terms, {total}, got {reward}"


class _Subject:
    """An environment under test, with the episodes that were played on it."""

    def __init__(
        self, env: gym.Env[Any, Any], episodes: int, seed: int, policies: Sequence[Policy]
    ) -> None:
        self.env = env
        self.bare: Any = env.unwrapped
        self.seed = seed
        self.limit = turn_limit(env)
        babblers: list[Policy] = [Babbler(env, seed + i) for i in range(max(episodes, 1))]
        self.players = babblers + [policy for policy in policies for _ in range(episodes)]
        self._scripts: list[Script] | None = None

    @property
    def scripts(self) -> list[Script]:
        """The episodes of the players, played once."""
        if self._scripts is None:
            self._scripts = [self._record(i) for i in range(len(self.players))]
        return self._scripts

    def _record(self, number: int) -> Script:
        seed, player = self.seed + number, self.players[number]
        self.env.reset(seed=seed)
        actions: list[str] = []
        for _ in range(self.limit):
            actions.append(player.act([self.bare.context])[0].text)
            _, _, terminated, truncated, _ = self.env.step(actions[-1])
            if terminated or truncated:
                break
        return Script(seed=seed, actions=tuple(actions))

    def check_gymnasium(self) -> Iterator[str]:
        with warnings.catch_warnings(record=True) as caught, _quiet():
            warnings.simplefilter("always")
            env_checker.check_env(self.bare)
        for warning in caught:
            if "not having a spec" not in str(warning.message):
                yield f"expected no warning of Gymnasium's check_env, got: {warning.message}"

    def check_manual(self) -> Iterator[str]:
        for problem in manual_problems(type(world_of(self.env))):
            yield problem.removeprefix("manual: ")

    def check_episodes(self) -> Iterator[str]:
        for script in self.scripts:
            observation, info = self.env.reset(seed=script.seed)
            if observation not in self.env.observation_space:
                yield "expected reset to give an observation of the observation space, got another"
            for problem in info_problems(info, ended=False):
                yield f"at reset: {problem}"
            for turn, action in enumerate(script.actions, 1):
                if action not in self.env.action_space:
                    yield f"turn {turn}: expected {action[:60]!r} in the action space, got it out"
                step = self.env.step(action)
                for problem in step_problems(self.env, step):
                    yield f"seed {script.seed}, turn {turn}: {problem}"
                if step[-1].get("state_hash") != self.bare.state_hash:
                    yield f"turn {turn}: expected info['state_hash'] to be env.state_hash"
                if len(self.bare.context.turns) != turn:
                    found = len(self.bare.context.turns)
                    yield f"expected {turn} turns in env.context, got {found}"

    def check_budget(self) -> Iterator[str]:
        for nonsense in ("", "nonsense", "<a></a>" * 20):
            self.env.reset(seed=self.seed)
            for _ in range(self.limit):
                _, _, terminated, truncated, _ = self.env.step(nonsense)
                if terminated or truncated:
                    break
            else:
                yield f"expected the end within {self.limit} turns of {nonsense!r}, got none"

    def check_replay(self) -> Iterator[str]:
        for script in self.scripts:
            found = first_difference(replay(self.env, script), replay(self.env, script))
            if found:
                yield f"expected the same trace for seed {script.seed}, got another: {found}"

    def check_subprocesses(self) -> Iterator[str]:
        ours = [replay(self.env, script) for script in self.scripts]
        for hash_seed in _HASH_SEEDS:
            theirs = replay_elsewhere(self.env, self.scripts, hash_seed)
            for script, mine, other in zip(self.scripts, ours, theirs, strict=True):
                found = first_difference(mine, other)
                if found:
                    yield (
                        f"expected the same trace for seed {script.seed} in another process "
                        f"(PYTHONHASHSEED={hash_seed}), got another: {found}"
                    )

    def check_malformed(self) -> Iterator[str]:
        rng = np.random.default_rng(self.seed)
        self.env.reset(seed=self.seed)
        tools = getattr(world_of(self.env), "tool_list", ())
        for action in malformed_actions(rng, 2 * KINDS, tools=tools):
            step = self.env.step(action)
            for problem in step_problems(self.env, step):
                yield f"after {action[:60]!r} of {len(action)} characters: {problem}"
            if step[2] or step[3]:
                self.env.reset()

    def _middles(self) -> Iterator[tuple[Script, int]]:
        """Bring the environment to the middle of each episode in turn; give the turns played."""
        for script in self.scripts:
            half = len(script.actions) // 2
            self.env.reset(seed=script.seed)
            for action in script.actions[:half]:
                self.env.step(action)
            yield script, half

    def check_state(self) -> Iterator[str]:
        for script, half in self._middles():
            rest = script.actions[half:]
            name, state = self.bare.state_hash, self.bare.get_state()
            stored = pickle.dumps(state)
            expected = play_on(self.env, rest)
            for kind, kept in (("kept", state), ("pickled", pickle.loads(stored))):
                self.bare.set_state(kept)
                if self.bare.state_hash != name:
                    yield f"expected state_hash {name} in equal states, got {self.bare.state_hash}"
                found = first_difference(expected, play_on(self.env, rest))
                if found:
                    yield f"expected the same continuation of a {kind} state, got another: {found}"

    def check_fork(self) -> Iterator[str]:
        for script, half in self._middles():
            rest = script.actions[half:]
            before = self.bare.state_hash
            twin, other = self.bare.fork(same_stream=True), self.bare.fork()
            if twin is self.bare or other is self.bare:
                yield "expected forks to leave the environment as it was, got the environment"
                return
            theirs = play_on(twin, rest)
            play_on(other, rest)
            if self.bare.state_hash != before or len(self.bare.context.turns) != half:
                yield "expected forks to leave the environment as it was, got another state"
            found = first_difference(play_on(self.env, rest), theirs)
            if found:
                yield f"expected a fork with same_stream to go on alike, got another: {found}"

    def check_reset(self) -> Iterator[str]:
        first, last = self.scripts[0], self.scripts[-1]
        fresh = gym.make(self.env.spec) if self.env.spec is not None else None
        expected = replay(self.env if fresh is None else fresh, first)
        replay(self.env, Script(seed=last.seed + 1, actions=last.actions))
        self.env.reset(seed=first.seed)
        if self.bare.context.turns:
            yield "expected no turns after reset, got those of the last episode"
        found = first_difference(expected, replay(self.env, first))
        if found:
            yield f"expected nothing of one episode in the next, got a difference: {found}"
        if fresh is not None:
            fresh.close()


def _quiet() -> contextlib.redirect_stdout[io.StringIO]:
    return contextlib.redirect_stdout(io.StringIO())
