"""Bias and variance of every estimator where the policy decides when to stop.

The task: after each turn the policy goes on with probability `go_on` or stops; at the horizon the
episode ends by itself. Every turn pays `turn_reward`, and the last one also an outcome that depends
on the length. With one logit per turn the exact policy gradient is a sum over lengths, so what an
estimator says on average can be held against it.

    python -m rmgym.advantages.bias

An estimator's gradient from one group is the mean over its trajectories of
sum_t A_t * d log pi(a_t) / d logit_t. The last turn's whole reward is the batch's outcome, so that
estimators which take gains and outcome apart see the same rewards as the others. C-GRPO is left
out: it rewards a mix of its own, which is not the return.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rmgym.advantages import get
from rmgym.advantages.batch import GroupTurns
from rmgym.advantages.segments import Floats, offsets_of, pool_sums, positions

GROUPS = 40_000
NO_SIGNAL = 1e-3
"""Below this share of the exact gradient's length a mean is called no signal."""
STANDARD_ERRORS = 4.0
"""How far from the exact gradient a mean may lie to be called unbiased."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingTask:
    """An episode whose length is up to the policy."""

    name: str
    go_on: float = 0.6
    """Probability of another turn, above 0 and below 1."""
    turn_reward: float = 0.3
    turn_noise: float = 0.0
    """Standard deviation of normal noise on each turn's reward."""
    outcomes: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    """Outcome of an episode of 1, 2, ... turns; their number is the horizon."""

    @property
    def horizon(self) -> int:
        """Most turns of an episode."""
        return len(self.outcomes)

    def length_probabilities(self) -> Floats:
        """Return the probability of each length, from 1."""
        chances = self.go_on ** np.arange(self.horizon, dtype=np.float64)
        chances[:-1] *= 1 - self.go_on
        return chances

    def exact_gradient(self) -> Floats:
        """Return d E[return] / d logit of each decision, shape (horizon - 1,).

        Their sum is the gradient with one logit shared by all.
        """
        lengths = np.arange(1, self.horizon + 1)
        returns = self.turn_reward * lengths + np.array(self.outcomes)
        decisions = np.arange(1, self.horizon)
        went_on = lengths[:, None] > decisions
        stopped = lengths[:, None] == decisions
        scores = (1 - self.go_on) * went_on - self.go_on * stopped
        gradient: Floats = (self.length_probabilities() * returns) @ scores
        return gradient

    def exact_values(self) -> Floats:
        """Return the expected return-to-go before each turn."""
        values = np.zeros(self.horizon)
        following = 0.0
        for turn in reversed(range(self.horizon)):
            stop = 1.0 if turn == self.horizon - 1 else 1 - self.go_on
            following = self.turn_reward + stop * self.outcomes[turn] + (1 - stop) * following
            values[turn] = following
        return values

    def sample(self, groups: int, size: int, rng: np.random.Generator) -> GroupTurns:
        """Return episodes of the policy with all that any estimator needs.

        Args:
            groups: How many groups.
            size: Trajectories of a group.
            rng: Source of chance.
        """
        count = groups * size
        lengths = np.minimum(rng.geometric(1 - self.go_on, count), self.horizon)
        offsets = offsets_of(lengths)
        turn, ends = positions(offsets), offsets[1:] - 1
        owners = np.repeat(np.arange(count) // size, lengths)
        is_last = np.zeros(turn.size, dtype=np.bool_)
        is_last[ends] = True
        outcome_column = np.zeros(turn.size)
        outcome_column[ends] = np.array(self.outcomes)[lengths - 1]
        paid = np.full(turn.size, self.turn_reward)
        if self.turn_noise:
            paid += self.turn_noise * rng.standard_normal(turn.size)
        return GroupTurns(
            turn_rewards=np.where(is_last, 0.0, paid),
            offsets=offsets,
            groups=np.arange(count) // size,
            granted=~is_last,
            outcomes=outcome_column[ends] + paid[ends],
            values=self.exact_values()[turn],
            states=owners * self.horizon + turn,
            nodes=2 * (owners * self.horizon + turn) + is_last,
            columns={"turn": paid, "outcome": outcome_column},
        )

    def gradients(self, batch: GroupTurns, advantages: Floats) -> Floats:
        """Return each group's estimate of the gradient, shape (groups, horizon - 1)."""
        turn, wide = batch.positions, self.horizon - 1
        stops = np.zeros(turn.size, dtype=np.bool_)
        stops[batch.offsets[1:] - 1] = True
        decides = turn < wide
        scores = np.where(stops, -self.go_on, 1 - self.go_on) * advantages
        codes = batch.turn_groups[decides] * wide + turn[decides]
        sums = pool_sums(scores[decides], codes, batch.group_count * wide)
        sizes = np.bincount(batch.groups)
        return sums.reshape(-1, wide) / sizes[:, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """An estimator with its parameters."""

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and parameters, as in a call."""
        given = ", ".join(f"{key}={value!r}" for key, value in self.params.items())
        return f"{self.name}({given})" if given else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a scheme gives on a task."""

    scheme: Scheme
    exact: Floats
    mean: Floats
    """Mean estimate for each decision's logit."""
    standard_errors: Floats
    total: float
    """Mean estimate for one logit shared by all decisions."""
    total_error: float
    """Its standard error."""
    total_std: float
    """Standard deviation of a single group's estimate of it."""

    @property
    def bias(self) -> float:
        """Mean minus exact, for the shared logit."""
        return self.total - float(self.exact.sum())

    @property
    def scale(self) -> float:
        """The factor on the exact gradient that fits the mean best."""
        return float(self.mean @ self.exact / (self.exact @ self.exact))

    @property
    def cosine(self) -> float:
        """Cosine of the mean and the exact gradient; NaN when the mean is 0."""
        norms = float(np.linalg.norm(self.mean) * np.linalg.norm(self.exact))
        return float(self.mean @ self.exact) / norms if norms else float("nan")

    def agrees(self, factor: float = 1.0) -> bool:
        """Whether each component lies within 4 standard errors of `factor` times the exact one."""
        tolerance = STANDARD_ERRORS * self.standard_errors + 1e-12
        return bool((np.abs(self.mean - factor * self.exact) <= tolerance).all())

    @property
    def verdict(self) -> str:
        """In words: unbiased, scaled, turned by an angle, the wrong sign, or no signal."""
        if self.agrees():
            return "unbiased"
        faint = np.linalg.norm(self.mean) < NO_SIGNAL * np.linalg.norm(self.exact)
        if faint or self.agrees(0.0):
            return "no signal"
        if self.cosine < 0:
            return "wrong sign"
        if self.agrees(self.scale):
            return f"scaled by {self.scale:.2f}"
        angle = math.degrees(math.acos(min(self.cosine, 1.0)))
        return f"scaled by {self.scale:.2f}, turned by {angle:.1f} degrees"


PAID_TURNS = StoppingTask(name="Every turn pays 0.3, the outcome is 1 whatever the length")
NOISY_TURNS = StoppingTask(
    name="Every turn pays 0.3 with noise of 0.3, the outcome is 1 whatever the length",
    turn_noise=0.3,
)
SEARCH = StoppingTask(
    name="Turns pay nothing, the outcome rises with the length: 0.2, 0.5, 0.8, 1",
    turn_reward=0.0,
    outcomes=(0.2, 0.5, 0.8, 1.0),
)

SUMMED_REWARD = (
    Scheme(name="centred_returns"),
    Scheme(name="centred_returns_padded"),
    Scheme(name="token_return_minus_position_mean"),
    Scheme(name="rloo"),
    Scheme(name="dr_grpo"),
    Scheme(name="grpo"),
    Scheme(name="gspo"),
    Scheme(name="gdpo"),
    Scheme(name="turn_gae", params={"lam": 0.95}),
    Scheme(name="gigpo"),
    Scheme(name="gigpo", params={"gamma": 1.0, "per_step_row": False}),
    Scheme(name="prorl"),
    Scheme(name="turn_centred"),
    Scheme(name="igpo", params={"norm": "joint", "scale": "none"}),
    Scheme(name="igpo", params={"norm": "joint"}),
    Scheme(name="igpo", params={"norm": "separate"}),
    Scheme(name="a2tgpo"),
)
"""Schemes that see every reward."""
OUTCOME_ONLY = (
    Scheme(name="covrl"),
    Scheme(name="exsearch"),
    Scheme(name="anchor_rank"),
    Scheme(name="fork_relative"),
    Scheme(name="rest_mcts"),
)
"""Schemes that see the outcome alone; for tasks whose turns pay nothing."""


def measure(
    task: StoppingTask,
    schemes: Sequence[Scheme],
    *,
    groups: int = GROUPS,
    size: int = 8,
    seed: int = 0,
) -> list[Measurement]:
    """Return what each scheme gives on the same sampled episodes.

    Args:
        task: The task.
        schemes: What to measure.
        groups: Number of groups; the standard error falls with its root.
        size: Trajectories of a group.
        seed: Seed of the sample.
    """
    batch = task.sample(groups, size, np.random.default_rng(seed))
    exact, root = task.exact_gradient(), np.sqrt(groups)
    found = []
    for scheme in schemes:
        estimates = task.gradients(batch, get(scheme.name)(batch, **scheme.params).values)
        totals = estimates.sum(axis=1)
        found.append(
            Measurement(
                scheme=scheme,
                exact=exact,
                mean=estimates.mean(axis=0),
                standard_errors=estimates.std(axis=0) / root,
                total=float(totals.mean()),
                total_error=float(totals.std() / root),
                total_std=float(totals.std()),
            )
        )
    return found


def table(task: StoppingTask, measurements: Sequence[Measurement]) -> str:
    """Return the measurements as a Markdown table."""
    exact = task.exact_gradient()
    lines = [
        f"**{task.name}** (exact gradient {exact.sum():+.4f}; by decision "
        f"{', '.join(f'{part:+.4f}' for part in exact)})",
        "",
        "| estimator | mean | s.e. | bias | std of a group | mean / std | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    lines.extend(
        f"| {m.scheme.label} | {m.total:+.4f} | {m.total_error:.4f} | {m.bias:+.4f} "
        f"| {m.total_std:.3f} | {_ratio(m)} | {m.verdict} |"
        for m in measurements
    )
    return "\n".join(lines)


def _ratio(measurement: Measurement) -> str:
    std = measurement.total_std
    return f"{measurement.total / std:+.2f}" if std > NO_SIGNAL else "-"


def main() -> None:
    """Print a table for each task."""
    for task in (PAID_TURNS, NOISY_TURNS):
        print(table(task, measure(task, SUMMED_REWARD)), end="\n\n")
    print(table(SEARCH, measure(SEARCH, [*SUMMED_REWARD, *OUTCOME_ONLY])))


if __name__ == "__main__":
    main()
