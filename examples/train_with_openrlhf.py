"""An agent file for OpenRLHF, with turn-level credit.

    python -m openrlhf.cli.train_ppo_ray --train.agent_func_path examples/train_with_openrlhf.py ...
    python examples/train_with_openrlhf.py

Needs `pip install 'rmgym[openrlhf]'`, which builds for CUDA. OpenRLHF loads `AgentExecutor` from
this file; its trainer takes the turn advantages after `setup()` has run in every Ray worker:
`ray.init(runtime_env={"worker_process_setup_hook": setup})` before the first command's `main`. Run
by itself, the file prints what a sample holds, from a recorded turn. Last line: where the turn
rewards travel.
"""

from __future__ import annotations

from functools import partial

import gymnasium as gym

from rmgym import Completion, Trajectory, Turn
from rmgym.integrations.openrlhf import (
    Credit,
    agent_executor,
    executor_output,
    use_turn_credit,
)

CREDIT = Credit(estimator="igpo", outcome="em")
ENV = partial(gym.make, "rmgym:rmgym/Search-v0", rewards=["em", "information_gain"])


def __getattr__(name: str) -> object:
    if name == "AgentExecutor":
        return agent_executor(ENV, CREDIT)
    raise AttributeError(name)


def setup() -> None:
    """Make the trainer of this process take turn advantages."""
    use_turn_credit(CREDIT)


def main() -> None:
    """Print what a sample holds."""
    first = Turn(
        observation=({"role": "user", "content": "Who wrote it?"},),
        completion=Completion(text="<search>it</search>", prompt_ids=(1, 2), completion_ids=(3, 4)),
        reward=0.25,
        reward_terms={"information_gain": 0.25},
    )
    last = Turn(
        observation=({"role": "user", "content": "A page."},),
        completion=Completion(
            text="<answer>me</answer>", prompt_ids=(1, 2, 3, 4, 5), completion_ids=(6,)
        ),
        reward=1.0,
        reward_terms={"em": 1.0},
        terminated=True,
    )
    played = Trajectory(env_id="rmgym/Search-v0", seed=0, task_id="t", turns=(first, last))
    sample = executor_output(CREDIT.token_rows(played)[0], CREDIT.rewards(played), label="0")
    print("tokens:", sample["observation_tokens"], "sampled:", sample["action_ranges"])
    print("label:", sample["label"])


if __name__ == "__main__":
    main()
