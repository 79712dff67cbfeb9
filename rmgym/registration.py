"""Registering environments so that `gym.make` and `gym.make_vec` work on them as they are."""

from __future__ import annotations

from typing import Any

import gymnasium as gym


def register(id: str, entry_point: str, *, kwargs: dict[str, Any] | None = None) -> None:
    """Register an environment with rmgym's vector entry point.

    Args:
        id: `namespace/Name-vN`.
        entry_point: `module:Class`; the module is imported when the first one is made.
        kwargs: Default arguments of the class.
    """
    gym.register(
        id=id,
        entry_point=entry_point,
        vector_entry_point=f"rmgym.vector:{id}",
        kwargs=kwargs or {},
    )


def registered_ids(namespace: str = "rmgym") -> list[str]:
    """Return the registered ids of a namespace, sorted."""
    return sorted(id for id, spec in gym.registry.items() if spec.namespace == namespace)
