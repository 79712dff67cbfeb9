"""Gymnasium wrappers: reward any conversation turn by turn, guide it by rubrics, record it."""

from __future__ import annotations

from rmgym.wrappers.guidance import RubricGuidance
from rmgym.wrappers.record_trajectory import RecordTrajectory
from rmgym.wrappers.turn_reward import TurnReward, VectorTurnReward, turn_reward

__all__ = ["RecordTrajectory", "RubricGuidance", "TurnReward", "VectorTurnReward", "turn_reward"]
