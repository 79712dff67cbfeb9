"""The loop that joins environments, a policy and a resumable store of what happened.

This package can itself be called: `rmgym.rollout(...)` is `rmgym.rollout.rollout(...)`, whether the
name was imported as the function or as the package.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from rmgym.rollout.asking import AsyncPolicy
from rmgym.rollout.engine import arollout
from rmgym.rollout.episodes import EpisodeFailure, EpisodeKey, Progress, Rollout
from rmgym.rollout.loop import rollout
from rmgym.rollout.store import TrajectoryStore, read_trajectories

__all__ = [
    "AsyncPolicy",
    "EpisodeFailure",
    "EpisodeKey",
    "Progress",
    "Rollout",
    "TrajectoryStore",
    "arollout",
    "read_trajectories",
    "rollout",
]


class _CallablePackage(ModuleType):
    """Importing a submodule binds the package over the function `rmgym.rollout`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Rollout:
        return rollout(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
