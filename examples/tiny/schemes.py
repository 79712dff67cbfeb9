"""Six ways to give credit to turns, from the same episodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rmgym import Trajectory, Turn
from rmgym.advantages import GroupTurns, TurnAdvantages, get
from rmgym.rewards.information_gain import answer_target, beliefs, gains
from rmgym.trajectory import TrajectoryGroup
from tiny.policy import TinyPolicy

GAIN = "gain"
ANSWER_LEAD = "<think>I can answer now.</think><answer>"
"""What the player says before an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """From groups of attempts to turn advantages."""

    label: str
    advantages: Callable[[Sequence[TrajectoryGroup]], TurnAdvantages]
    uses_gain: bool = False
    """Whether the episodes need the policy's information gain first."""


def outcome_only(groups: Sequence[TrajectoryGroup]) -> TurnAdvantages:
    """Return GRPO's advantages of the exact match alone."""
    return get("grpo")(GroupTurns.from_groups(groups, outcome="em", terms=()))


def igpo(groups: Sequence[TrajectoryGroup]) -> TurnAdvantages:
    """Return IGPO's advantages, with its code's defaults: gains and outcomes in one pool."""
    return get("igpo")(GroupTurns.from_groups(groups, outcome="em", terms=(GAIN,)), norm="joint")


def a2tgpo(groups: Sequence[TrajectoryGroup]) -> TurnAdvantages:
    """Return A2TGPO's advantages and clip scales, with the gain weight of its training script."""
    return get("a2tgpo")(GroupTurns.from_groups(groups, outcome="em", terms=(GAIN,)), alpha=0.3)


def rubric_mix(groups: Sequence[TrajectoryGroup]) -> TurnAdvantages:
    """Return centred returns of all that the environment pays: passages, format, exact match."""
    return get("centred_returns")(GroupTurns.from_groups(groups, outcome="em"))


def centred_gain(groups: Sequence[TrajectoryGroup]) -> TurnAdvantages:
    """Return centred returns of gains and exact match: IGPO's rewards, the library's estimator."""
    return get("centred_returns")(GroupTurns.from_groups(groups, outcome="em", terms=(GAIN,)))


def centred_outcome(groups: Sequence[TrajectoryGroup]) -> TurnAdvantages:
    """Return centred returns of the exact match alone: what the gain adds, it adds to this."""
    return get("centred_returns")(GroupTurns.from_groups(groups, outcome="em", terms=()))


SCHEMES = {
    "outcome": Scheme(label="outcome only (GRPO)", advantages=outcome_only),
    "igpo": Scheme(label="IGPO", advantages=igpo, uses_gain=True),
    "a2tgpo": Scheme(label="A2TGPO", advantages=a2tgpo, uses_gain=True),
    "rubric": Scheme(label="rubric mix", advantages=rubric_mix),
    "gain": Scheme(label="gain, centred returns", advantages=centred_gain, uses_gain=True),
    "centred": Scheme(label="outcome only, centred returns", advantages=centred_outcome),
}


def with_gains(trajectories: Sequence[Trajectory], policy: TinyPolicy) -> list[Trajectory]:
    """Return the episodes with the information gain of each turn but the last, as term `gain`.

    The belief is the policy's own probability of the reference, geometric mean over its tokens.
    """
    targets = [
        answer_target(each.turns[-1].info["task"]["references"], ANSWER_LEAD)
        for each in trajectories
    ]
    scored = policy.potentials(trajectories, targets)
    return [
        _granted(each, gains(beliefs([prefix.logprobs for prefix in prefixes], "prob")) or [])
        for each, prefixes in zip(trajectories, scored, strict=True)
    ]


def _granted(trajectory: Trajectory, found: Sequence[float]) -> Trajectory:
    turns = [
        _with_term(turn, gain) for turn, gain in zip(trajectory.turns[:-1], found, strict=True)
    ]
    return replace(trajectory, turns=(*turns, trajectory.turns[-1]))


def _with_term(turn: Turn, gain: float) -> Turn:
    return replace(turn, reward_terms={**turn.reward_terms, GAIN: gain}, reward=turn.reward + gain)
