"""Policies by name: those that play one environment, and those that play any."""

from __future__ import annotations

from typing import Any, cast

import gymnasium as gym

from rmgym.protocols import Policy
from rmgym.registration import registered_ids
from rmgym.registry import Registry

_SEARCH = {
    name: f"rmgym.agents.search:{name}"
    for name in (
        "chain_oracle",
        "aware_oracle",
        "noisy_chain",
        "single_shot",
        "always_search",
        "no_search",
        "random_doc",
    )
} | {"entity_chain": "rmgym.agents.entity_chain:entity_chain"}

_BY_ENVIRONMENT = {"rmgym/Search-v0": Registry("policy of rmgym/Search-v0", _SEARCH)}
_DEBATE = {
    name: f"rmgym.agents.debate:{name}"
    for name in (
        "conformist",
        "copycat",
        "evidence",
        "independent",
        "random_voter",
        "stubborn_truth",
    )
} | {
    name: f"rmgym.agents.debate_styles:{name}"
    for name in ("braggart", "contender", "flatterer", "plain")
}
_BY_ENVIRONMENT["rmgym/Debate-v0"] = Registry("policy of rmgym/Debate-v0", _DEBATE)
_JUDGES = {
    name: f"rmgym.agents.judging:{name}"
    for name in (
        "coin",
        "guarded",
        "length_lover",
        "master_key_gullible",
        "oracle",
        "position_lover",
        "verifier",
    )
}
_BY_ENVIRONMENT["rmgym/Judge-v0"] = Registry("policy of rmgym/Judge-v0", _JUDGES)
_CRITICS = {
    name: f"rmgym.agents.debate_critics:{name}"
    for name in ("critic", "flat_critic", "perfect_critic")
}
_BY_ENVIRONMENT["rmgym/Critique-v0"] = Registry("policy of rmgym/Critique-v0", _CRITICS)
_PLANNERS = {
    name: f"rmgym.agents.debate_critics:{name}"
    for name in ("careful_planner", "hasty_planner", "literal_grounder")
}
_BY_ENVIRONMENT["rmgym/PlanGround-v0"] = Registry("policy of rmgym/PlanGround-v0", _PLANNERS)
_WELFARE = {
    "random": "rmgym.agents.welfare_divisions:random_choice",
} | {
    name: f"rmgym.agents.welfare_divisions:{name}"
    for name in (
        "fair",
        "efair",
        "efficient",
        "hybrid",
        "single_best",
        "greedy",
        "optimal",
        "exact",
        "first",
    )
}
_BY_ENVIRONMENT["rmgym/Welfare-v0"] = Registry("policy of rmgym/Welfare-v0", _WELFARE)
_ON_DEMAND = frozenset(("entity_chain", "literal_grounder"))
"""Policies for real text, other modes or seats, left out of the demo."""
_OUT_OF_DEMO = {"rmgym/Welfare-v0": ("exact", "first")}
"""Those of one environment that need an optional solver or another mode."""


def policy_names(env_id: str) -> list[str]:
    """Return the scripted policies of an environment, best known first."""
    registry = _BY_ENVIRONMENT.get(env_id)
    return registry.names() if registry else []


def chat_ids() -> list[str]:
    """Return the registered environments that are conversations; the others take numbers."""
    return [id for id in registered_ids() if _is_conversation(id)]


def _is_conversation(env_id: str) -> bool:
    return str(gym.spec(env_id).vector_entry_point).startswith("rmgym.vector:")


def demo_policy_names(env_id: str) -> list[str]:
    """Return the scripted policies that play an environment on its embedded defaults."""
    left_out = {*_ON_DEMAND, *_OUT_OF_DEMO.get(env_id, ())}
    return [name for name in policy_names(env_id) if name not in left_out]


def make_policy(env_id: str, name: str, env: Any, **options: Any) -> Policy:
    """Return the policy `name` for an environment; `options` go to its factory.

    Raises:
        KeyError: If the environment has no such policy; names the nearest.
        TypeError: If the policy does not take an option.
    """
    registry = _BY_ENVIRONMENT.get(env_id, Registry(f"policy of {env_id}", {}))
    return cast(Policy, registry.get(name)(env, **options))
