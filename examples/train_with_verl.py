"""Write what verl needs to train on turn-level credit, and check the way of the rewards.

    python examples/train_with_verl.py --folder run
    VERL_USE_EXTERNAL_MODULES=credit PYTHONPATH=run python -m verl.trainer.main_ppo \\
        algorithm.adv_estimator=rmgym_igpo data.train_files=run/train.parquet \\
        data.return_raw_chat=true actor_rollout_ref.rollout.n=8 \\
        actor_rollout_ref.rollout.agent.agent_loop_config_path=run/agent_loops.yaml ...

Needs `pip install 'rmgym[verl]'`; the second command needs a GPU. This script writes the dataset,
the agent loop's configuration and the module that registers the estimator, then sends two episodes
of equal return through verl's own advantage computation. Last line: the advantages at the ends of
their turns.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import numpy as np

import rmgym  # noqa: F401  # registers the environments
from rmgym.integrations.token_rewards import TurnRewards, place
from rmgym.integrations.verl import episode_rows

CREDIT = """from rmgym.integrations.verl import Credit, register_estimator

register_estimator("rmgym_igpo", Credit(estimator="igpo", outcome="em"))
"""
LOOPS = """- name: rmgym
  _target_: rmgym.integrations.verl.TurnAgentLoop
  env: rmgym/Search-v0
  outcome: em
"""


def write(folder: Path, seeds: range) -> None:
    """Write dataset, configuration and module."""
    import pandas

    folder.mkdir(parents=True, exist_ok=True)
    rows = episode_rows("rmgym/Search-v0", seeds)
    pandas.DataFrame(rows).to_parquet(folder / "train.parquet")
    (folder / "agent_loops.yaml").write_text(LOOPS)
    (folder / "credit.py").write_text(CREDIT)


def advantages(folder: Path) -> list[list[float]]:
    """Return what verl makes of two episodes: gains 0.5 and 0.25, and the other way round."""
    import torch
    from omegaconf import OmegaConf
    from verl import DataProto
    from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories

    spec = importlib.util.spec_from_file_location("credit", folder / "credit.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    turns = np.array([0, 0, -1, 1, 1, -1, 2, 2])
    earned = [TurnRewards((0.5, 0.25, None), 1.0), TurnRewards((0.25, 0.5, None), 1.0)]
    rewards = np.array([place(each, turns) for each in earned])
    batch = DataProto.from_dict(
        tensors={
            "token_level_rewards": torch.tensor(rewards, dtype=torch.float32),
            "response_mask": torch.tensor(np.array([turns >= 0] * 2)).long(),
        },
        non_tensors={"uid": np.array(["task", "task"], dtype=object)},
    )
    done = compute_advantage_for_multi_trajectories(
        batch,
        batch_keys=["task_0_0", "task_1_0"],
        adv_estimator="rmgym_igpo",
        config=OmegaConf.create({}),
    )
    found: list[list[float]] = done.batch["advantages"][:, [1, 4, 7]].tolist()
    return found


def main() -> None:
    """Write the files and check the way of the rewards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("verl_run"))
    parser.add_argument("--episodes", type=int, default=256)
    arguments = parser.parse_args()
    write(arguments.folder, range(arguments.episodes))
    for number, row in enumerate(advantages(arguments.folder)):
        print(f"episode {number}:", "  ".join(f"{value:+.2f}" for value in row))


if __name__ == "__main__":
    main()
