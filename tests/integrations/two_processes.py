"""Run by `torch.distributed.run` on two processes: a group split over both gets one credit."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from rmgym.integrations.credit import Credit
from rmgym.rollout import read_trajectories
from rmgym.trajectory import TrajectoryGroup

RECORDED = Path(__file__).resolve().parent / "recorded.jsonl"


def main() -> None:
    """Check this process's share of the advantages."""
    from datasets import Dataset
    from trl import GRPOConfig

    from rmgym.agents.tiny_models import tiny_model, tiny_tokenizer
    from rmgym.integrations.trl import TurnCreditGRPOTrainer, recorded_rollout

    mill = [each for each in read_trajectories(RECORDED) if each.seed == 1]
    config = GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=2,
        num_generations=4,
        report_to=[],
        use_cpu=True,
    )
    own = mill[:2] if config.process_index == 0 else mill[2:]
    prompts = [{"prompt": [{"role": "user", "content": "?", "seed": 1}]}] * 4
    credit = Credit(estimator="igpo", outcome="em")
    trainer = TurnCreditGRPOTrainer(
        model=tiny_model(hidden=16, layers=1),
        args=config,
        processing_class=tiny_tokenizer(),
        train_dataset=Dataset.from_list(prompts),
        rollout_func=recorded_rollout(own),
        credit=credit,
    )
    trainer.model.train()
    batch = trainer._generate_and_score_completions([dict(prompts[0]) for _ in own])
    group = TrajectoryGroup(task_id=mill[0].task_id, trajectories=tuple(mill))
    first = 2 * config.process_index
    for row, given in zip(credit.rows([group])[first:], batch["advantages"], strict=False):
        expected = [round(value, 5) for value in row.advantages]
        assert [round(value, 5) for value in given[: len(row)].tolist()] == expected
    sys.stdout.write(f"process {config.process_index} of {config.world_size} agrees\n")


if __name__ == "__main__":
    main()
