"""A taskset for verifiers and prime-rl, and a trace with turn-level credit.

    vf-eval examples.train_with_verifiers ...      # as a taskset package
    python examples/train_with_verifiers.py

Needs `pip install 'rmgym[verifiers]'`. Imported, the file exports a taskset and its environment.
Run by itself, it plays two episodes with scripted agents whose tokens are bytes, credits their
turns and writes them as traces. Last line: the advantages on the branch of the first trace.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import gymnasium as gym

from rmgym import Completion, Context, Trajectory, TrajectoryGroup, Turn, rollout
from rmgym.agents.catalog import make_policy
from rmgym.integrations.credit import Credit
from rmgym.integrations.verifiers import taskset, to_trace
from rmgym.testing.bytes_tokenizer import END, ByteTokenizer

ENV = partial(
    gym.make,
    "rmgym:rmgym/Search-v0",
    kinds=["two_hop"],
    max_searches=3,
    rewards=["em", "information_gain"],
)
CREDIT = Credit(estimator="igpo", outcome="em")
SearchTaskset, SearchEnv = taskset(ENV, range(100), name="Search")
__all__ = ["SearchEnv", "SearchTaskset"]


def with_bytes(trajectory: Trajectory) -> Trajectory:
    """Return an episode as if a model of bytes had played it."""
    tokenizer = ByteTokenizer()
    turns: list[Turn] = []
    for turn in trajectory.turns:
        text = turn.completion.text
        prompt = tokenizer.prompt(Context(turns, turn.observation))
        said = Completion(
            text=text, prompt_ids=prompt, completion_ids=(*tokenizer.encode(text), END)
        )
        turns.append(replace(turn, completion=said))
    return replace(trajectory, turns=tuple(turns))


def main() -> None:
    """Play, credit, and write traces."""
    played = []
    for seed in (0, 1):
        env = ENV()
        policy = make_policy("rmgym/Search-v0", "noisy_chain", env, seed=seed)
        played.append(with_bytes(rollout(env, policy, 1, seed=5)[0]))
    group = TrajectoryGroup(task_id=played[0].task_id, trajectories=tuple(played))
    rows = CREDIT.rows([group])
    traces = [
        to_trace(each, [row for row in rows if row.attempt == i]) for i, each in enumerate(played)
    ]
    for trace in traces:
        print("turn rewards:", [round(reward, 3) for reward in trace.info["turn_rewards"]])
    branch = traces[0].branches[0]
    sampled = zip(branch.advantages, branch.sampled_mask, strict=True)
    print("advantages:", sorted({round(a, 3) for a, is_sampled in sampled if is_sampled}))


if __name__ == "__main__":
    main()
