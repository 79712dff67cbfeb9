"""Policies by name: those that play one environment, and those that play any."""

from __future__ import annotations

from typing import Any, cast

from rmgym.protocols import Policy
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
_ON_DEMAND = frozenset(("entity_chain",))
"""Policies for real text, left out of the demo on invented worlds."""


def policy_names(env_id: str) -> list[str]:
    """Return the scripted policies of an environment, best known first."""
    registry = _BY_ENVIRONMENT.get(env_id)
    return registry.names() if registry else []


def demo_policy_names(env_id: str) -> list[str]:
    """Return the scripted policies that play an environment on its embedded defaults."""
    return [name for name in policy_names(env_id) if name not in _ON_DEMAND]


def make_policy(env_id: str, name: str, env: Any, **options: Any) -> Policy:
    """Return the policy `name` for an environment; `options` go to its factory.

    Raises:
        KeyError: If the environment has no such policy; names the nearest.
        TypeError: If the policy does not take an option.
    """
    registry = _BY_ENVIRONMENT.get(env_id, Registry(f"policy of {env_id}", {}))
    return cast(Policy, registry.get(name)(env, **options))
