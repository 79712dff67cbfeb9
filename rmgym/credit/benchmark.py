"""The benchmark: record, measure true values by replaying, rank the ways to give credit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np

from rmgym.composition import RewardSpec
from rmgym.credit.agreement import measure_agreement
from rmgym.credit.episodes import PolicyFactory, RecordedEpisode, derived_seed, record_episode
from rmgym.credit.report import Budget, CreditReport, Ranked, TrueValues
from rmgym.credit.schemes import (
    Advantages,
    Scheme,
    baseline_schemes,
    estimate_credit,
    score_turns,
)
from rmgym.credit.values import Outcome, TurnValues, check_outcome, make_outcome, replay_values
from rmgym.trajectory import TrajectoryGroup
from rmgym.wrappers.episode import env_name

ORACLE = "oracle (independent replays)"
_PLAY, _WORLD, _REPLAY, _ORACLE, _NOISE = range(5)
"""What seeds are derived for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much to measure.

    Raises:
        ValueError: If a figure is too small or the groups do not fill the episodes.
    """

    episodes: int = 80
    """Recorded episodes, all attempts counted."""
    group: int = 4
    """Attempts at each task: what estimators compare."""
    replays: int = 32
    """Replays of each state; twice as many are played, half of them for the oracle."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the figures."""
        if self.group < 1 or self.episodes < 1 or self.episodes % self.group:
            raise ValueError(
                f"expected episodes to be a multiple of the group, got {self.episodes} episodes in "
                f"groups of {self.group}"
            )
        if self.replays < 2:
            raise ValueError(f"expected at least 2 replays, got {self.replays}")


def measure_credit(
    env: gym.Env[Any, Any],
    make_policy: PolicyFactory,
    *,
    rewards: Mapping[str, RewardSpec],
    estimators: Mapping[str, Advantages],
    effort: Effort,
    outcome: str = "success",
    watch: Callable[[int], None] | None = None,
) -> CreditReport:
    """Return how well each way to give credit agrees with what turns were truly worth.

    Rewards and estimators are tried on the recorded episodes before anything is replayed, so that
    what cannot be scored here is known early. An estimator that cannot take a reward is left out
    and named in the report.

    Args:
        env: An environment that can fork; it is reset.
        make_policy: From a seed to the policy that plays, and that plays on in replays.
        rewards: Reward terms by the name to show.
        estimators: Advantage estimators by the name to show; each is run over the outcome alone and
            over each of the rewards.
        effort: How much to measure.
        outcome: What an episode is worth, see `rmgym.credit.values.make_outcome`.
        watch: Told how many episodes have been measured, after each.

    Raises:
        ValueError: If the outcome is never there.
        RewardError: If a reward term fails.
        BackendError: If a part outside the conversation broke.
    """
    started = time.perf_counter()
    worth = make_outcome(outcome)
    recorded = _record(env, make_policy, effort)
    check_outcome(worth, recorded)
    schemes, left_out = _schemes(recorded, rewards, estimators, worth, effort)
    measured: list[TurnValues] = []
    repeated: list[TurnValues] = []
    for e, episode in enumerate(recorded):
        for purpose, found in ((_REPLAY, measured), (_ORACLE, repeated)):
            seed = derived_seed(effort.seed, purpose, e)
            found.append(
                replay_values(episode, make_policy, worth, replays=effort.replays, seed=seed)
            )
        if watch is not None:
            watch(e + 1)
    truth = _true_values(recorded, measured)
    schemes.append(_oracle(repeated))
    return CreditReport(
        env_id=env_name(env),
        outcome=outcome,
        seed=effort.seed,
        budget=_budget(effort, measured, repeated, time.perf_counter() - started),
        truth=truth,
        ranked=_rank(schemes, truth, effort.seed),
        left_out=left_out,
    )


def _record(
    env: gym.Env[Any, Any], make_policy: PolicyFactory, effort: Effort
) -> list[RecordedEpisode]:
    recorded = []
    for e in range(effort.episodes):
        policy = make_policy(derived_seed(effort.seed, _PLAY, e))
        stream = derived_seed(effort.seed, _WORLD, e)
        task_seed = effort.seed + e // effort.group
        recorded.append(record_episode(env, policy, seed=task_seed, stream=stream))
    return recorded


def _schemes(
    recorded: Sequence[RecordedEpisode],
    rewards: Mapping[str, RewardSpec],
    estimators: Mapping[str, Advantages],
    worth: Outcome,
    effort: Effort,
) -> tuple[list[Scheme], dict[str, str]]:
    trajectories = [episode.trajectory for episode in recorded]
    outcomes = [worth(each.turns) or 0.0 for each in trajectories]
    lengths = [len(each.turns) for each in trajectories]
    scored = {name: score_turns(spec, trajectories) for name, spec in rewards.items()}
    attempts = [trajectories[i : i + effort.group] for i in range(0, len(lengths), effort.group)]
    groups = [TrajectoryGroup(task_id=g[0].task_id, trajectories=tuple(g)) for g in attempts]
    schemes = baseline_schemes(lengths, outcomes, seed=derived_seed(effort.seed, _NOISE))
    left_out: dict[str, str] = {}
    for label, reward in [("outcome", None), *scored.items()]:
        mixed = label
        if reward is not None:
            schemes.append(reward.scheme(label))
            if reward.grant == "turn":
                mixed = f"{label} + outcome"
                schemes.append(reward.scheme(mixed, outcomes))
        for name, estimator in estimators.items():
            scheme = f"{name}({mixed})"
            try:
                schemes.append(estimate_credit(scheme, estimator, groups, outcomes, reward))
            except ValueError as error:
                left_out[scheme] = str(error)
    return schemes, left_out


def _true_values(recorded: Sequence[RecordedEpisode], measured: Sequence[TurnValues]) -> TrueValues:
    tasks: dict[str, int] = {}
    turns = [turn for episode in recorded for turn in episode.trajectory.turns]
    numbers = [
        tasks.setdefault(episode.trajectory.task_id, len(tasks))
        for episode in recorded
        for _ in episode.trajectory.turns
    ]
    return TrueValues(
        values=np.concatenate([each.differences for each in measured]),
        errors=np.concatenate([each.errors for each in measured]),
        unpaired_errors=np.concatenate([each.unpaired_errors for each in measured]),
        tasks=np.array(numbers, dtype=np.int64),
        episodes=np.repeat(
            np.arange(len(recorded)), [len(each.trajectory.turns) for each in recorded]
        ),
        last=np.array([turn.ended for turn in turns], dtype=np.bool_),
        first_value=float(np.mean([each.values[0] for each in measured])),
    )


def _oracle(repeated: Sequence[TurnValues]) -> Scheme:
    differences = np.concatenate([each.differences for each in repeated])
    return Scheme(name=ORACLE, kind="oracle", credit=differences)


def _budget(
    effort: Effort,
    measured: Sequence[TurnValues],
    repeated: Sequence[TurnValues],
    seconds: float,
) -> Budget:
    turns = sum(len(each.differences) for each in measured)
    return Budget(
        episodes=effort.episodes,
        group=effort.group,
        turns=turns,
        replays_per_state=effort.replays,
        replays=2 * turns * effort.replays,
        replayed_turns=sum(each.steps for each in [*measured, *repeated]),
        seconds=seconds,
    )


def _rank(schemes: Sequence[Scheme], truth: TrueValues, seed: int) -> tuple[Ranked, ...]:
    inner = ~truth.last
    ranked = []
    for scheme in schemes:
        before_end = None
        if inner.any():
            before_end = measure_agreement(
                scheme.credit[inner], truth.values[inner], truth.tasks[inner].tolist(), seed=seed
            )
        agreement = measure_agreement(scheme.credit, truth.values, truth.tasks.tolist(), seed=seed)
        ranked.append(Ranked(scheme=scheme, agreement=agreement, before_end=before_end))
    return tuple(sorted(ranked, key=lambda row: -row.score))
