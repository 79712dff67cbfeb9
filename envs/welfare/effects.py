"""What a treatment does: paired differences on the same seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.rollout.summary import Interval, bootstrap_interval
from rmgym.trajectory import Trajectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Mean difference of one figure, treated less untreated, with its interval."""

    figure: str
    control: float
    """Mean without the treatment, over the pairs."""
    treated: float
    difference: Interval
    pairs: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.difference.low > 0 or self.difference.high < 0


def paired_effects(
    control: Sequence[Trajectory], treated: Sequence[Trajectory], *, level: float = 0.95
) -> list[Effect]:
    """Return the effect on the return and on each metric that both episodes of a pair end with.

    Episodes with the same seed are a pair; a seed that only one side has is left out.

    Args:
        control: Episodes without the treatment.
        treated: Episodes with it, of the same policy.
        level: Coverage of the bootstrap interval over the pairs.

    Raises:
        ValueError: If there is no pair, or a pair worked at different tasks.
    """
    others = {trajectory.seed: trajectory for trajectory in treated}
    pairs = [(plain, others[plain.seed]) for plain in control if plain.seed in others]
    if not pairs:
        raise ValueError("expected episodes with the same seeds on both sides, got none")
    for plain, other in pairs:
        if plain.task_id != other.task_id:
            raise ValueError(
                f"expected the same task for seed {plain.seed} with and without the treatment, got "
                f"{plain.task_id!r} and {other.task_id!r}: the treatment changes the world"
            )
    columns: dict[str, list[tuple[float, float]]] = {}
    for plain, other in pairs:
        columns.setdefault("return", []).append((plain.episode_return, other.episode_return))
        ends = other.metrics
        for name, value in plain.metrics.items():
            if name in ends:
                columns.setdefault(name, []).append((value, ends[name]))
    return [_effect(name, column, level) for name, column in columns.items()]


def _effect(name: str, column: Sequence[tuple[float, float]], level: float) -> Effect:
    return Effect(
        figure=name,
        control=sum(before for before, _ in column) / len(column),
        treated=sum(after for _, after in column) / len(column),
        difference=bootstrap_interval([after - before for before, after in column], level=level),
        pairs=len(column),
    )
