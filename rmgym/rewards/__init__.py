"""Reward terms: one a file, by name.

`get(name)` returns what is registered, `make(name, **arguments)` a ready reward term, `cards()` the
table of all methods: what each needs, its equation, its source, and how far it can be trusted.
A name in `gym.make(..., rewards=["em", ("information_gain", 0.5)])` means `make(name)`.
"""

from __future__ import annotations

from typing import Any, cast

from rmgym.protocols import RewardTerm
from rmgym.registry import Registry
from rmgym.rewards._methods import METHODS, MethodCard, cards

_REWARDS = Registry(
    "reward",
    METHODS
    | {
        "em": "rmgym.rewards.answers:ExactMatch",
        "f1": "rmgym.rewards.answers:TokenF1",
        "subem": "rmgym.rewards.answers:SubExactMatch",
        "igpo_f1": "rmgym.rewards.answers:IgpoOutcome",
        "format": "rmgym.rewards.format_term:ReadableTurn",
        "gisa": "rmgym.rewards.gisa:GisaAnswer",
        "format_em": "rmgym.rewards.format_shaped:FormatShapedExactMatch",
        "information_gain": "rmgym.rewards.information_gain:information_gain",
        "debate_task": "rmgym.rewards.debate:RightDecision",
        "debate_win": "rmgym.rewards.debate:ZeroSumWin",
        "stance_change": "rmgym.rewards.debate:StanceChange",
        "agreement": "rmgym.rewards.debate:agreement",
        "judge_score": "rmgym.rewards.debate:judge_score",
        "votes_against": "rmgym.rewards.debate:votes_against",
        "kindness": "rmgym.rewards.debate:kindness",
        "plan_gain": "rmgym.rewards.debate:PlanGain",
        "behaviour": "rmgym.rewards.debate_behaviour:Behaviour",
        "topic_drift": "rmgym.rewards.debate_topic:TopicDrift",
        "verdict": "rmgym.rewards.debate_judging:RightVerdict",
        "joint_tool_use": "rmgym.rewards.debate_judging:JointToolUse",
        "judge_ranking": "rmgym.rewards.debate_judging:RankingAgreement",
        "swap_consistency": "rmgym.rewards.debate_judging:SwapConsistency",
        "calibration": "rmgym.rewards.debate_judging:Calibration",
        "swf": "rmgym.rewards.welfare:swf",
        "swf_gain": "rmgym.rewards.welfare:swf_gain",
        "utilitarian": "rmgym.rewards.welfare:utilitarian_term",
        "utilitarian_gain": "rmgym.rewards.welfare:utilitarian_gain",
        "egalitarian": "rmgym.rewards.welfare:egalitarian_term",
        "egalitarian_gain": "rmgym.rewards.welfare:egalitarian_gain",
        "nash": "rmgym.rewards.welfare:nash_term",
        "nash_gain": "rmgym.rewards.welfare:nash_gain",
        "alpha_fair": "rmgym.rewards.welfare:alpha_fair_term",
        "alpha_fair_gain": "rmgym.rewards.welfare:alpha_fair_gain",
        "atkinson": "rmgym.rewards.welfare:atkinson_term",
        "atkinson_gain": "rmgym.rewards.welfare:atkinson_gain",
        "gini_welfare": "rmgym.rewards.welfare:gini_welfare_term",
        "gini_welfare_gain": "rmgym.rewards.welfare:gini_welfare_gain",
        "task_roi": "rmgym.rewards.welfare:TaskReturn",
        "gini_drop": "rmgym.rewards.welfare:GiniDrop",
    },
)

names = _REWARDS.names
get = _REWARDS.get
register = _REWARDS.register


def make(name: str, **arguments: Any) -> RewardTerm:
    """Return the reward term registered under `name`, built with `arguments`.

    Raises:
        KeyError: If no reward has that name.
        TypeError: If what is registered needs other arguments.
    """
    return cast(RewardTerm, get(name)(**arguments))


__all__ = ["MethodCard", "cards", "get", "make", "names", "register"]
