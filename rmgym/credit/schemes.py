"""Ways to give credit to turns: reward terms, estimators over them, and honest baselines.

A reward term's credit of a turn is what it pays there, and 0 where it pays nothing. Outcome terms
pay at the last turn alone; terms whose turn rewards are known at the end (`Hindsight`) are asked
for them. An estimator's credit is its advantage, with the term as turn reward and the benchmark's
outcome on the last turn, over groups of attempts at one task.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from rmgym.advantages import GroupTurns, TurnAdvantages
from rmgym.composition import RewardComposition, RewardSpec
from rmgym.protocols import Grant, Scorer, Target, TargetLogprobs
from rmgym.rewards.hindsight import Hindsight, hindsight_rewards
from rmgym.trajectory import Context, Trajectory, TrajectoryGroup, Turn

Floats: TypeAlias = NDArray[np.float64]
Advantages: TypeAlias = Callable[[GroupTurns], TurnAdvantages]
"""An estimator of `rmgym.advantages`, its parameters bound."""
SchemeKind: TypeAlias = Literal["reward", "estimator", "baseline", "oracle"]
T = TypeVar("T")

_CREDIT, _OUTCOME = "credit", "outcome"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scheme:
    """One number for each of N turns, and what it cost."""

    name: str
    kind: SchemeKind
    credit: Floats
    """Shape (N,), turns of one trajectory together and in order."""
    granted: float = 1.0
    """Share of the turns to which the scheme gives anything, 0 included."""
    seconds: float = 0.0
    """Per turn."""
    scorer_calls: float = 0.0
    """Scored prefixes per turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredReward:
    """What a reward term gives to each turn of stored trajectories."""

    rows: tuple[tuple[float | None, ...], ...]
    """Weighted; None for a turn to which the term does not apply."""
    grant: Grant
    """Of `rows`: a hindsight term is "turn" here."""
    seconds: float
    """Per turn."""
    scorer_calls: float
    """Scored prefixes per turn."""

    def scheme(self, name: str, outcomes: Sequence[float] | None = None) -> Scheme:
        """Return the rewards as they are, as credit.

        Args:
            name: Of the scheme.
            outcomes: Of each episode, paid at its last turn on top.
        """
        flat = [value for row in self.rows for value in row]
        credit = np.array([value or 0.0 for value in flat])
        if outcomes is not None:
            credit[np.cumsum([len(row) for row in self.rows]) - 1] += outcomes
        return Scheme(
            name=name,
            kind="reward",
            credit=credit,
            granted=sum(value is not None for value in flat) / len(flat),
            seconds=self.seconds,
            scorer_calls=self.scorer_calls,
        )


class CountingScorer:
    """A scorer that counts the prefixes it is asked about."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.calls = 0

    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        """Count and pass on."""
        self.calls += len(contexts)
        return self.scorer.logprobs(contexts, targets)


def score_turns(spec: RewardSpec, trajectories: Sequence[Trajectory]) -> ScoredReward:
    """Return what a reward gives to each turn, scored turn by turn as a running environment would.

    So a term that reads its own earlier metrics (information gain its last potential) costs what it
    costs online. Scorers in a term's dataclass fields are counted.

    Raises:
        RewardError: If the term fails, e.g. for a fact that the environment does not state.
        BackendError: If its scorer or judge broke.
    """
    ((term, weight),) = RewardComposition([spec]).terms
    counters: list[CountingScorer] = []
    term = _count_scorers(term, counters)
    started = time.perf_counter()
    if isinstance(term, Hindsight):
        rows = [_times(weight, hindsight_rewards(term, each)) for each in trajectories]
    else:
        rows = _score_in_order(RewardComposition([(term, weight)]), trajectories)
    seconds = time.perf_counter() - started
    turns = sum(len(row) for row in rows)
    return ScoredReward(
        rows=tuple(tuple(row) for row in rows),
        grant="turn" if isinstance(term, Hindsight) else term.grant,
        seconds=seconds / turns,
        scorer_calls=sum(counter.calls for counter in counters) / turns,
    )


def _times(weight: float, values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else weight * value for value in values]


def _count_scorers(part: T, counters: list[CountingScorer]) -> T:
    """Return a term whose scorers count, those of terms within it included."""
    if not is_dataclass(part) or isinstance(part, type):
        return part
    changes: dict[str, Any] = {}
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, Scorer):
            counters.append(CountingScorer(value))
            changes[field.name] = counters[-1]
        elif is_dataclass(value) and field.init:
            changes[field.name] = _count_scorers(value, counters)
    return replace(part, **changes) if changes else part


def _score_in_order(
    composition: RewardComposition, trajectories: Sequence[Trajectory]
) -> list[list[float | None]]:
    name = composition.terms[0].term.name
    rows: list[list[float | None]] = [[] for _ in trajectories]
    played: list[list[Turn]] = [[] for _ in trajectories]
    after = [[context.observation for context in each.contexts()] for each in trajectories]
    for t in range(max(len(each.turns) for each in trajectories)):
        running = [i for i, each in enumerate(trajectories) if t < len(each.turns)]
        for i in running:
            played[i].append(_without_metrics(trajectories[i].turns[t], name))
        contexts = [Context(tuple(played[i]), after[i][t]) for i in running]
        for i, granted in zip(running, composition.score(contexts), strict=True):
            rows[i].append(granted.terms.get(name))
            turn = played[i][t]
            metrics = {**turn.info.get("metrics", {}), **granted.metrics}
            played[i][t] = replace(turn, info={**turn.info, "metrics": metrics})
    return rows


def _without_metrics(turn: Turn, name: str) -> Turn:
    """Return the turn without what a term of this name had recorded, maybe with other settings."""
    metrics = turn.info.get("metrics", {})
    kept = {key: value for key, value in metrics.items() if not key.startswith(f"{name}/")}
    return replace(turn, info={**turn.info, "metrics": kept})


def estimate_credit(
    name: str,
    estimator: Advantages,
    groups: Sequence[TrajectoryGroup],
    outcomes: Sequence[float],
    reward: ScoredReward | None = None,
) -> Scheme:
    """Return an estimator's advantages over groups of attempts, as credit.

    Args:
        name: Of the scheme.
        estimator: Gives the advantages.
        groups: The attempts; flattened, they are those of `outcomes` and `reward.rows`.
        outcomes: What each episode came to. An outcome-granted `reward` takes its place.
        reward: Paid at the turns, on top of the outcome; the outcome alone when None.

    Raises:
        ValueError: If the batch lacks something that the estimator needs.
    """
    started = time.perf_counter()
    batch = _batch(groups, outcomes, reward)
    credit = estimator(batch).values
    seconds = (time.perf_counter() - started) / len(credit)
    return Scheme(
        name=name,
        kind="estimator",
        credit=np.asarray(credit, dtype=np.float64),
        seconds=seconds + (reward.seconds if reward else 0.0),
        scorer_calls=reward.scorer_calls if reward else 0.0,
    )


def _batch(
    groups: Sequence[TrajectoryGroup], outcomes: Sequence[float], reward: ScoredReward | None
) -> GroupTurns:
    attempts = [trajectory for group in groups for trajectory in group.trajectories]
    rows: Sequence[Sequence[float | None]] = [[None] * len(each.turns) for each in attempts]
    ends: Sequence[float | None] = outcomes
    if reward is not None and reward.grant == "turn":
        rows = reward.rows
    elif reward is not None:
        ends = [row[-1] for row in reward.rows]
    paid = [_regranted(*each) for each in zip(attempts, rows, ends, strict=True)]
    left = iter(paid)
    terms = [_CREDIT] if any(value is not None for row in rows for value in row) else []
    return GroupTurns.from_groups(
        [replace(g, trajectories=tuple(next(left) for _ in g.trajectories)) for g in groups],
        outcome=_OUTCOME,
        terms=terms,
        columns=[*terms, _OUTCOME],
    )


def _regranted(
    trajectory: Trajectory, row: Sequence[float | None], outcome: float | None
) -> Trajectory:
    """Return the trajectory with these rewards in place of its own."""
    turns = []
    for t, (turn, value) in enumerate(zip(trajectory.turns, row, strict=True)):
        terms = {} if value is None else {_CREDIT: value}
        if t == len(row) - 1 and outcome is not None:
            terms[_OUTCOME] = outcome
        turns.append(replace(turn, reward_terms=terms, reward=sum(terms.values())))
    return replace(trajectory, turns=tuple(turns))


def baseline_schemes(
    lengths: Sequence[int], outcomes: Sequence[float], *, seed: int = 0
) -> list[Scheme]:
    """Return the credit that needs no idea.

    Zero everywhere, standard normal noise, the outcome at the last turn, and the outcome spread
    over the turns in equal parts.

    Args:
        lengths: Turns of each episode.
        outcomes: What each came to.
        seed: Of the noise.
    """
    turns = sum(lengths)
    last = np.zeros(turns)
    last[np.cumsum(lengths) - 1] = outcomes
    uniform = np.repeat(np.asarray(outcomes) / np.asarray(lengths), lengths)
    credits: Mapping[str, Floats] = {
        "zero": np.zeros(turns),
        "random": np.random.default_rng(seed).standard_normal(turns),
        "outcome at the last turn": last,
        "outcome spread evenly": uniform,
    }
    return [Scheme(name=name, kind="baseline", credit=given) for name, given in credits.items()]
