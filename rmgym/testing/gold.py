"""Policies that know the answer, by environment id."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from rmgym.protocols import Policy
from rmgym.registry import Registry

_GOLD = Registry(
    "gold policy",
    {
        "rmgym/Critique-v0": "rmgym.agents.debate_critics:perfect_critic",
        "rmgym/Debate-v0": "rmgym.agents.debate:stubborn_truth",
        "rmgym/Judge-v0": "rmgym.agents.judging:oracle",
        "rmgym/PlanGround-v0": "rmgym.agents.debate_critics:careful_planner",
        "rmgym/Search-v0": "rmgym.agents.search:chain_oracle",
        "rmgym/Welfare-v0": "rmgym.agents.welfare_divisions:greedy",
        "rmgym-testing/Echo-v0": "rmgym.testing.echo:EchoGold",
    },
)


def register_gold(id: str, target: str) -> None:
    """Name the gold policy of an environment.

    Args:
        id: `namespace/Name-vN`.
        target: `module:factory`; the factory takes the environment and returns a `Policy`, which
            may look at hidden facts.

    Raises:
        ValueError: If the id has one already or `target` is not `module:factory`.
    """
    _GOLD.register(id, target)


def gold_policy(env: gym.Env[Any, Any]) -> Policy | None:
    """Return the gold policy of an environment, or None if its id has none."""
    if env.spec is None or env.spec.id not in _GOLD.names():
        return None
    policy: Policy = _GOLD.get(env.spec.id)(env)
    return policy
