"""What do policies earn that should earn nothing?

>>> from rmgym.testing import register_test_envs
>>> register_test_envs()
>>> report = audit("rmgym-testing/Echo-v0", episodes=2)
>>> report.violations
()
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from rmgym.composition import RewardComposition, RewardSpec
from rmgym.protocols import Policy
from rmgym.testing.exploit_policies import exploits
from rmgym.testing.gold import gold_policy
from rmgym.testing.players import turn_limit

GOLD = "gold"
THRESHOLD = 0.01
"""Mean return above which an exploit is a violation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """What one policy earned, as means over its episodes."""

    policy: str
    episodes: int
    mean_return: float
    terms: Mapping[str, float]
    """Mean sum of each weighted term; an episode in which a term is absent adds nothing to it."""
    success: float | None
    """Mean of the metric `success` over the episodes that end with it; None if none does."""
    mean_turns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What each policy earned."""

    env_id: str
    rows: tuple[AuditRow, ...]
    """The gold policy first, if there is one."""
    threshold: float

    @property
    def gold(self) -> AuditRow | None:
        """The row of the gold policy."""
        return next((row for row in self.rows if row.policy == GOLD), None)

    @property
    def violations(self) -> tuple[str, ...]:
        """One sentence for each policy that earned more than it should."""
        found = []
        for row in self.rows:
            if row.policy == GOLD:
                continue
            if row.mean_return > self.threshold:
                found.append(
                    f"{row.policy}: expected a mean return of at most {self.threshold:g}, "
                    f"got {row.mean_return:.4g}"
                )
            elif self.gold is not None and row.mean_return >= self.gold.mean_return:
                found.append(
                    f"{row.policy}: expected less than the gold policy's "
                    f"{self.gold.mean_return:.4g}, got {row.mean_return:.4g}"
                )
        return tuple(found)

    def __str__(self) -> str:
        names = list(dict.fromkeys(name for row in self.rows for name in row.terms))
        table = [["policy", "return", *names, "success", "turns"]]
        for row in self.rows:
            terms = [f"{row.terms[name]:.3f}" if name in row.terms else "-" for name in names]
            success = "-" if row.success is None else f"{row.success:.2f}"
            table.append(
                [row.policy, f"{row.mean_return:.3f}", *terms, success, f"{row.mean_turns:.1f}"]
            )
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [_line(cells, widths) for cells in table]
        head = f"{self.env_id}, {self.rows[0].episodes} episodes a policy" if self.rows else ""
        verdict = [f"VIOLATION {violation}" for violation in self.violations] or ["no violations"]
        return "\n".join([head, *lines, *verdict])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = [
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join([first, *rest])


def audit(
    env_or_id: gym.Env[Any, Any] | str,
    policies: Mapping[str, Policy] | None = None,
    *,
    gold: Policy | None = None,
    rewards: Sequence[RewardSpec] | None = None,
    episodes: int = 20,
    seed: int = 0,
    threshold: float = THRESHOLD,
) -> AuditReport:
    """Play policies that should earn nothing, and the gold policy, and report what each earned.

    Args:
        env_or_id: The id of a conversation, or one.
        policies: Who should earn nothing, by name; by default `rmgym.testing.exploits`.
        gold: Who should earn most; by default the one registered for the id, if any.
        rewards: Reward terms in place of the environment's own.
        episodes: Episodes a policy; all policies play the same seeds.
        seed: Seed of the first episode; each further one has the next.
        threshold: Mean return above which an exploit is a violation.

    Raises:
        ValueError: If `episodes` is less than 1 or a policy bears the name "gold".
        RuntimeError: If an episode does not end within the turn budget.
    """
    if episodes < 1:
        raise ValueError(f"expected at least 1 episode, got {episodes}")
    env = gym.make(env_or_id) if isinstance(env_or_id, str) else env_or_id
    if rewards is not None:
        env = _with_rewards(env, rewards)
    players: dict[str, Policy] = dict(exploits(env) if policies is None else policies)
    if GOLD in players:
        raise ValueError(f'expected policies by names other than "{GOLD}", got one of that name')
    best = gold or gold_policy(env)
    if best is not None:
        players = {GOLD: best, **players}
    rows = [_play(env, name, policy, episodes, seed) for name, policy in players.items()]
    if isinstance(env_or_id, str):
        env.close()
    name = env.spec.id if env.spec is not None else type(env.unwrapped).__name__
    return AuditReport(env_id=name, rows=tuple(rows), threshold=threshold)


def _with_rewards(env: gym.Env[Any, Any], rewards: Sequence[RewardSpec]) -> gym.Env[Any, Any]:
    twin: Any = copy.copy(env.unwrapped)
    if hasattr(twin, "arena"):
        twin.arena = copy.copy(twin.arena)
        scored = {**twin.arena.compositions, twin.seat: RewardComposition(rewards)}
        twin.arena.compositions = scored
    else:
        twin.composition = RewardComposition(rewards)
    bare: gym.Env[Any, Any] = twin
    return bare


def _play(env: gym.Env[Any, Any], name: str, policy: Policy, episodes: int, seed: int) -> AuditRow:
    terms: dict[str, float] = {}
    successes: list[float] = []
    turns = 0
    for episode in range(episodes):
        infos = _play_one(env, policy, seed + episode)
        turns += len(infos)
        for info in infos:
            for term, value in info["reward_terms"].items():
                terms[term] = terms.get(term, 0.0) + value
        if "success" in infos[-1]["metrics"]:
            successes.append(infos[-1]["metrics"]["success"])
    means = {term: total / episodes for term, total in terms.items()}
    return AuditRow(
        policy=name,
        episodes=episodes,
        mean_return=sum(means.values(), 0.0),
        terms=means,
        success=sum(successes) / len(successes) if successes else None,
        mean_turns=turns / episodes,
    )


def _play_one(env: gym.Env[Any, Any], policy: Policy, seed: int) -> list[dict[str, Any]]:
    bare: Any = env.unwrapped
    limit = turn_limit(env)
    infos: list[dict[str, Any]] = []
    env.reset(seed=seed)
    for _ in range(limit):
        *_, terminated, truncated, info = env.step(policy.act([bare.context])[0].text)
        infos.append(info)
        if terminated or truncated:
            return infos
    raise RuntimeError(f"expected the end of the episode within {limit} turns, got none")
