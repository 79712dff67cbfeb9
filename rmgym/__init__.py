"""rmgym: Gymnasium environments for LLM agents, with turn-level rewards."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rmgym.composition import RewardComposition, WeightedTerm
from rmgym.conversation import Facts, Opening, Reply
from rmgym.env import ChatEnv
from rmgym.messages import Message, Observation, Role
from rmgym.protocols import (
    Call,
    Criterion,
    Hit,
    Judge,
    Passage,
    Policy,
    Retriever,
    RewardTerm,
    Rubric,
    Sandbox,
    Score,
    Scorer,
    Target,
    TargetLogprobs,
    Tool,
    Verdict,
)
from rmgym.registration import register, registered_ids
from rmgym.spaces import ChatSpace, UnicodeText, chat_space
from rmgym.state import EnvState, fork
from rmgym.trajectory import Completion, Context, Trajectory, TrajectoryGroup, Turn, group_by_task

from rmgym import envs as envs  # isort: skip  # last: it registers the ids

if TYPE_CHECKING:
    from rmgym.arena import ChatArena
    from rmgym.rollout import rollout
    from rmgym.single_seat import SingleSeat
    from rmgym.vector import make_vec
    from rmgym.wrappers import RecordTrajectory, TurnReward

__version__ = "0.1.0"

_LAZY = {
    "ChatArena": "rmgym.arena",
    "RecordTrajectory": "rmgym.wrappers",
    "SingleSeat": "rmgym.single_seat",
    "TurnReward": "rmgym.wrappers",
    "make_vec": "rmgym.vector",
    "rollout": "rmgym.rollout",
}

__all__ = [
    "Call",
    "ChatArena",
    "ChatEnv",
    "ChatSpace",
    "Completion",
    "Context",
    "Criterion",
    "EnvState",
    "Facts",
    "Hit",
    "Judge",
    "Message",
    "Observation",
    "Opening",
    "Passage",
    "Policy",
    "RecordTrajectory",
    "Reply",
    "Retriever",
    "RewardComposition",
    "RewardTerm",
    "Role",
    "Rubric",
    "Sandbox",
    "Score",
    "Scorer",
    "SingleSeat",
    "Target",
    "TargetLogprobs",
    "Tool",
    "Trajectory",
    "TrajectoryGroup",
    "Turn",
    "TurnReward",
    "UnicodeText",
    "Verdict",
    "WeightedTerm",
    "chat_space",
    "fork",
    "group_by_task",
    "make_vec",
    "register",
    "registered_ids",
    "rollout",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
