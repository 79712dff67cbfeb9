"""What a batch takes from recorded trajectories: rewards by term, states, the rollout tree."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from rmgym.trajectory import Trajectory, TrajectoryGroup, Turn


def check_terms(attempts: Sequence[Trajectory], names: Sequence[str]) -> None:
    """Raise ValueError if a reward term is at no turn."""
    present = {name: None for each in attempts for turn in each.turns for name in turn.reward_terms}
    missing = [name for name in names if name not in present]
    if missing:
        raise ValueError(f"expected reward terms of {sorted(present)}, got {missing}")


def turn_reward(turn: Turn, outcome: str | None, terms: Sequence[str] | None) -> float | None:
    """Return the turn's reward without the outcome, or None if it was granted none."""
    if terms is None and not turn.reward_terms:
        return turn.reward
    named = [name for name in turn.reward_terms if name != outcome] if terms is None else terms
    granted = [turn.reward_terms[name] for name in named if name in turn.reward_terms]
    return sum(granted) if granted else None


def outcome_of(trajectory: Trajectory, outcome: str) -> float:
    """Return the outcome term of the last turn, or raise ValueError."""
    found = trajectory.turns[-1].reward_terms.get(outcome) if trajectory.turns else None
    if found is None:
        raise ValueError(
            f"task {trajectory.task_id!r}: expected the outcome {outcome!r} at the last turn, got "
            "none; leave out episodes that have not ended"
        )
    return found


def states_of(attempts: Sequence[Trajectory]) -> list[list[Hashable]] | None:
    """Return the state before each turn, or None if the environment names none."""
    rows: list[list[Hashable]] = []
    for each in attempts:
        after = [turn.info.get("state_hash") for turn in each.turns[:-1]]
        if None in after:
            return None
        opening = [(m["role"], m["content"]) for turn in each.turns[:1] for m in turn.observation]
        rows.append([("opening", *opening), *after][: len(each.turns)])
    return rows


def tree_of(groups: Sequence[TrajectoryGroup]) -> list[list[int]]:
    """Return the node of each turn: the same for equal turns after equal turns of one group."""
    numbers: dict[Hashable, int] = {}
    rows: list[list[int]] = []
    for number, group in enumerate(groups):
        for each in group.trajectories:
            row: list[int] = []
            for turn in each.turns:
                seen = tuple((m["role"], m["content"]) for m in turn.observation)
                key = (row[-1] if row else -1 - number, seen, turn.completion.text)
                row.append(numbers.setdefault(key, len(numbers)))
            rows.append(row)
    return rows
