"""The environments of rmgym, registered by id; importing this imports none of them."""

import gymnasium as gym

from rmgym.registration import register

register("rmgym/Search-v0", "rmgym.envs.search.env:SearchEnv")
register("rmgym/Debate-v0", "rmgym.envs.debate.seat:debate_seat")
register("rmgym/Judge-v0", "rmgym.envs.debate.judge_env:JudgeEnv")
register("rmgym/Critique-v0", "rmgym.envs.debate.critique:CritiqueEnv")
register("rmgym/PlanGround-v0", "rmgym.envs.debate.plan_ground:plan_ground_seat")
register("rmgym/Welfare-v0", "rmgym.envs.welfare.env:WelfareEnv")
gym.register(  # not a conversation: numbers, with a vector of its own
    id="rmgym/WelfareArray-v0",
    entry_point="rmgym.envs.welfare.array_env:WelfareArrayEnv",
    vector_entry_point="rmgym.envs.welfare.vector_env:WelfareVectorEnv",
)
