"""Gymnasium wrappers: reward any conversation turn by turn, and record what happened."""

from __future__ import annotations

from rmgym.wrappers.record_trajectory import RecordTrajectory
from rmgym.wrappers.turn_reward import TurnReward, VectorTurnReward, turn_reward

__all__ = ["RecordTrajectory", "TurnReward", "VectorTurnReward", "turn_reward"]
