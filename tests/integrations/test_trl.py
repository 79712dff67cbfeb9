"""TRL 1.16: a GRPO trainer with turn advantages, really trained on the CPU."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rmgym.advantages.a2tgpo import turn_clip
from rmgym.errors import DataError
from rmgym.integrations.credit import Credit
from rmgym.testing import register_test_envs
from rmgym.trajectory import Trajectory, TrajectoryGroup

pytestmark = pytest.mark.filterwarnings("default")
ECHO = "rmgym-testing/Echo-v0"
IGPO = Credit(estimator="igpo", outcome="em")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    register_test_envs()


def config(folder: Path, **options: Any) -> Any:
    from trl import GRPOConfig

    defaults: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 2,
        "num_generations": 2,
        "max_completion_length": 512,
        "max_steps": 1,
        "learning_rate": 1e-3,
        "report_to": [],
        "logging_steps": 1,
        "use_cpu": True,
        "save_strategy": "no",
        "disable_tqdm": True,
        "beta": 0.0,
        "loss_type": "grpo",
    }
    return GRPOConfig(**{**defaults, **options})


def prompts(seeds: list[int]) -> Any:
    from datasets import Dataset

    rows = [{"prompt": [{"role": "user", "content": "?", "seed": seed}]} for seed in seeds]
    return Dataset.from_list(rows)


def recorded_trainer(
    folder: Path, episodes: list[Trajectory], credit: Credit = IGPO, **options: Any
) -> Any:
    from rmgym.agents.tiny_models import tiny_model, tiny_tokenizer
    from rmgym.integrations.trl import TurnCreditGRPOTrainer, recorded_rollout

    ratio = options.pop("ratio", "token")
    return TurnCreditGRPOTrainer(
        model=tiny_model(hidden=32),
        args=config(folder, **options),
        processing_class=tiny_tokenizer(),
        train_dataset=prompts([episodes[0].seed or 0] * 4),
        rollout_func=recorded_rollout(episodes),
        credit=credit,
        ratio=ratio,
    )


def scored(trainer: Any, episodes: list[Trajectory]) -> dict[str, Any]:
    """Return what the trainer makes of one attempt after another at the episodes' task."""
    trainer.model.train()
    rows = [{"prompt": [{"role": "user", "content": "?", "seed": each.seed}]} for each in episodes]
    found: dict[str, Any] = trainer._generate_and_score_completions(rows)
    return found


def twins(groups: list[TrajectoryGroup]) -> list[Trajectory]:
    """Return two attempts of equal return and different gains."""
    pair = list(groups[1].trajectories[:2])
    assert pair[0].episode_return == pair[1].episode_return
    return pair


def gradient(trainer: Any, inputs: dict[str, Any]) -> Any:
    import torch

    trainer.model.zero_grad()
    trainer.current_gradient_accumulation_steps = 1
    trainer._compute_loss(trainer.model, inputs).backward()
    grads = [p.grad for p in trainer.model.parameters() if p.grad is not None]
    return torch.cat([g.flatten() for g in grads])


def test_equal_returns_and_different_gains_give_different_advantages_and_gradients(
    tmp_path: Path, groups: list[TrajectoryGroup]
) -> None:
    pair = twins(groups)
    trainer = recorded_trainer(tmp_path, pair)
    inputs = scored(trainer, pair)
    rows = IGPO.rows([TrajectoryGroup(task_id="mill", trajectories=tuple(pair))])
    for row, given in zip(rows, inputs["advantages"], strict=True):
        np.testing.assert_allclose(given[: len(row)].numpy(), row.advantages, atol=1e-6)
    turns = [[row.advantages[first] for first, _ in row.turn_spans] for row in rows]
    assert turns[0] == pytest.approx([0.0, -(2**0.5), -(2**0.5)], abs=1e-4)
    assert turns[1] == pytest.approx([0.0, 0.0, -(2**0.5)], abs=1e-4)
    with_turns = gradient(trainer, inputs)
    scalar = recorded_trainer(tmp_path, pair, Credit(estimator="grpo"))
    assert float(gradient(scalar, scored(scalar, pair)).abs().max()) == 0.0
    assert float(with_turns.abs().max()) > 1e-4


def test_each_trajectory_alone_moves_the_weights_another_way(
    tmp_path: Path, groups: list[TrajectoryGroup]
) -> None:
    pair = twins(groups)
    trainer = recorded_trainer(tmp_path, pair)
    inputs = scored(trainer, pair)
    found = []
    for row in range(2):
        alone = inputs["advantages"].clone()
        alone[1 - row] = 0.0
        found.append(gradient(trainer, inputs | {"advantages": alone}))
    assert float((found[0] - found[1]).abs().max()) > 1e-4


def test_the_environments_tokens_are_left_out_of_the_loss(
    tmp_path: Path, groups: list[TrajectoryGroup]
) -> None:
    pair = twins(groups)
    trainer = recorded_trainer(tmp_path, pair)
    inputs = scored(trainer, pair)
    given = inputs["turn_index"] < 0
    assert float(inputs["advantages"][given].abs().max()) == 0.0
    mask = (inputs["completion_mask"] * inputs["tool_mask"]) == 1
    assert (mask == ~given).all()
    loud = inputs["advantages"].clone()
    loud[given] = 1e6
    before = gradient(trainer, inputs)
    after = gradient(trainer, inputs | {"advantages": loud})
    np.testing.assert_array_equal(before.numpy(), after.numpy())


def test_clip_scales_widen_the_clip_range_token_by_token(
    tmp_path: Path, groups: list[TrajectoryGroup]
) -> None:
    import torch

    pair = twins(groups)
    credit = Credit(estimator="a2tgpo", outcome="em")
    trainer = recorded_trainer(tmp_path, pair, credit, epsilon=0.2)
    inputs = scored(trainer, pair)
    rows = credit.rows([TrajectoryGroup(task_id="mill", trajectories=tuple(pair))])
    for row, scales in zip(rows, inputs["clip_scales"], strict=True):
        assert row.clip_scales is not None
        np.testing.assert_allclose(scales[: len(row)].numpy(), row.clip_scales, atol=1e-6)
    ratio, ones = 1.21, torch.ones_like(inputs["advantages"])
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    attended = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    kept = ones.shape[1]
    logps = trainer._get_per_token_logps_and_entropies(trainer.model, ids, attended, kept)[0]
    crafted = inputs | {
        "advantages": ones,
        "old_per_token_logps": logps.detach() - float(np.log(ratio)),
    }
    trainer.current_gradient_accumulation_steps = 1
    loss = trainer._compute_loss(trainer.model, crafted)
    mask = (inputs["completion_mask"] * inputs["tool_mask"]).float()
    objective = torch.clamp(torch.full_like(ones, ratio), max=1 + 0.2 * inputs["clip_scales"])
    expected = -((objective * mask).sum(1) / mask.sum(1)).mean()
    assert float(loss) == pytest.approx(float(expected), abs=1e-5)
    assert float(objective.min()) < 1.2 < float(objective.max())
    assert trainer.epsilon_low == 0.2


def test_a_turns_ratio_gives_the_objective_of_a2tgpo(
    tmp_path: Path, groups: list[TrajectoryGroup]
) -> None:
    import torch

    pair = twins(groups)
    credit = Credit(estimator="a2tgpo", outcome="em")
    trainer = recorded_trainer(
        tmp_path, pair, credit, ratio="turn", epsilon=3e-3, epsilon_high=4e-3
    )
    inputs = scored(trainer, pair)
    ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
    attended = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
    kept = inputs["completion_ids"].shape[1]
    new = trainer._get_per_token_logps_and_entropies(trainer.model, ids, attended, kept)[0]
    noise = torch.randn(new.shape, generator=torch.Generator().manual_seed(0)) * 0.02
    old = new.detach() - noise
    trainer.current_gradient_accumulation_steps = 1
    loss = trainer._compute_loss(trainer.model, inputs | {"old_per_token_logps": old})
    means = []
    for row in range(2):
        total, tokens = 0.0, 0
        for turn in range(int(inputs["turn_index"][row].max()) + 1):
            at = inputs["turn_index"][row] == turn
            clip = turn_clip(
                new[row][at].tolist(),
                old[row][at].tolist(),
                advantage=float(inputs["advantages"][row][at][0]),
                clip_scale=float(inputs["clip_scales"][row][at][0]),
            )
            total += clip.objective * int(at.sum())
            tokens += int(at.sum())
        means.append(total / tokens)
    assert float(loss) == pytest.approx(-float(np.mean(means)), abs=1e-5)


def test_a_failed_episode_gets_no_credit_and_leaves_its_group(
    tmp_path: Path, groups: list[TrajectoryGroup]
) -> None:
    from rmgym.integrations.trl import rollout_columns
    from rmgym.integrations.trl_trainer import episode_return, turn_credit
    from rmgym.rollout import EpisodeFailure

    lake = groups[0].trajectories
    failure = EpisodeFailure(
        env_id="e", policy=None, seed=0, episode=3, error="X", message="", turns_played=0
    )
    columns = rollout_columns([*lake[:3], failure], filler=2)
    assert columns["env_mask"][3] == [0]
    assert columns["trajectory"][3] is None
    assert episode_return(columns["trajectory"])[3] is None
    credit = turn_credit(columns["trajectory"], 4, Credit(estimator="dr_grpo"))
    assert credit[3] is None
    assert credit[0] is not None
    # Returns 1.75, 0 and 1.625 of the three that ended: their mean is 1.125.
    assert credit[0].advantages.tolist() == [0.625, 0.625, 0.625]


def test_really_trains_over_an_environment(tmp_path: Path) -> None:
    from rmgym.agents.tiny_models import tiny_model, tiny_tokenizer
    from rmgym.integrations.trl import (
        TurnCreditGRPOTrainer,
        episode_dataset,
        rollout_function,
        trainer_policy,
    )

    model = tiny_model(hidden=32)
    before = [p.detach().clone() for p in model.parameters()]
    asked: list[list[int]] = []
    env = partial(gym.make, ECHO, words=1, max_turns=2)
    play = rollout_function(env, trainer_policy(max_new_tokens=6))

    def rollout(rows: list[Any], trainer: Any) -> Any:
        asked.append([row[0]["seed"] for row in rows])
        return play(rows, trainer)

    trainer = TurnCreditGRPOTrainer(
        model=model,
        args=config(tmp_path, per_device_train_batch_size=4, max_steps=2),
        processing_class=tiny_tokenizer(),
        train_dataset=episode_dataset(env, seeds=range(4)),
        rollout_func=rollout,
        reward_funcs=lambda trajectory, **_: [float(len(t.turns)) for t in trajectory],
        credit=Credit(estimator="centred_returns"),
    )
    trainer.train()
    assert all(len(seeds) == 4 for seeds in asked)
    assert all(seeds[0] == seeds[1] and seeds[2] == seeds[3] for seeds in asked)
    log = trainer.state.log_history[0]
    assert log["episodes/failed"] == 0.0
    assert log["episodes/turns"] >= 1.0
    assert log["reward_terms/finished"] == 0.0
    assert all(np.isfinite(p.detach().numpy()).all() for p in model.parameters())
    assert len(before) == len(list(model.parameters()))


def test_training_on_gains_moves_the_weights_where_the_outcome_alone_does_not(
    tmp_path: Path, groups: list[TrajectoryGroup]
) -> None:
    moved = {}
    for name, credit in {"turns": IGPO, "outcome": Credit(estimator="grpo")}.items():
        trainer = recorded_trainer(tmp_path, twins(groups), credit, max_steps=2)
        before = [p.detach().clone() for p in trainer.model.parameters()]
        trainer.train()
        after = trainer.model.parameters()
        moved[name] = max(float((a - b).abs().max()) for a, b in zip(after, before, strict=True))
    assert moved["turns"] > 1e-4
    assert moved["outcome"] == 0.0


def test_prompts_without_a_seed_are_refused(tmp_path: Path, groups: list[TrajectoryGroup]) -> None:
    pair = twins(groups)
    trainer = recorded_trainer(tmp_path, pair)
    trainer.model.train()
    with pytest.raises(DataError, match="make the dataset with episode_dataset"):
        trainer._generate_and_score_completions(
            [{"prompt": [{"role": "user", "content": "?"}]}] * 2
        )


def test_arguments_that_lose_turns_are_refused(
    tmp_path: Path, groups: list[TrajectoryGroup]
) -> None:
    pair = twins(groups)
    with pytest.raises(ValueError, match="expected importance_sampling_level='token'"):
        recorded_trainer(tmp_path, pair, importance_sampling_level="sequence")
    with pytest.raises(ValueError, match=r"expected beta=0.0 and a loss type"):
        recorded_trainer(tmp_path, pair, ratio="turn", loss_type="cispo")


def test_a_group_split_over_two_processes_gets_one_credit() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = Path(__file__).resolve().parent / "two_processes.py"
    launch = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(port)]
    done = subprocess.run(
        [sys.executable, *launch, str(script)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        cwd=script.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    assert "process 0 of 2 agrees" in done.stdout
    assert "process 1 of 2 agrees" in done.stdout
