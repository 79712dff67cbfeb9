"""Send the recorded groups through one trainer's own data structures, and print what comes out.

    python tests/integrations/through.py TRAINER ESTIMATOR...

One JSON object a line and a trajectory, in order: the `estimator`, `ids` (prompt and response),
`prompt` (length of the prompt), `mask` (of the response) and `credit` (of the sampled tokens).
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from rmgym.integrations.credit import Credit, CreditRow
from rmgym.rollout import read_trajectories
from rmgym.trajectory import Trajectory, TrajectoryGroup, group_by_task

RECORDED = Path(__file__).resolve().parent / "recorded.jsonl"
OUTCOME = "em"
CUDA_ONLY = ("deepspeed", "flash_attn", "vllm", "bitsandbytes", "ring_flash_attn")
"""Packages that OpenRLHF imports and that do not install without CUDA."""
Line = dict[str, Any]


def line(ids: Any, prompt: int, mask: Any, credit: Any) -> Line:
    """Return what one row holds."""
    sampled = [float(c) for c, m in zip(credit, mask, strict=True) if m]
    return {
        "ids": [int(i) for i in ids],
        "prompt": prompt,
        "mask": [int(m) for m in mask],
        "credit": sampled,
    }


def trl(credit: Credit, groups: Sequence[TrajectoryGroup], rows: Sequence[CreditRow]) -> list[Line]:
    """Through the batch that `GRPOTrainer` computes its loss from."""
    from datasets import Dataset
    from trl import GRPOConfig

    from rmgym.agents.tiny_models import tiny_model, tiny_tokenizer
    from rmgym.integrations.trl import TurnCreditGRPOTrainer, recorded_rollout

    prompts = [
        {"prompt": [{"role": "user", "content": "?", "seed": each.seed}]}
        for group in groups
        for each in group.trajectories
    ]
    trainer = TurnCreditGRPOTrainer(
        model=tiny_model(hidden=16, layers=1),
        args=GRPOConfig(
            output_dir=tempfile.mkdtemp(),
            per_device_train_batch_size=len(prompts),
            num_generations=len(groups[0].trajectories),
            report_to=[],
            use_cpu=True,
        ),
        processing_class=tiny_tokenizer(),
        train_dataset=Dataset.from_list(prompts),
        rollout_func=recorded_rollout([t for group in groups for t in group.trajectories]),
        credit=credit,
    )
    trainer.model.train()
    batch = trainer._generate_and_score_completions(prompts)
    found = []
    for i in range(len(prompts)):
        prompt = batch["prompt_ids"][i][batch["prompt_mask"][i] == 1]
        kept = batch["completion_mask"][i] == 1
        mask = (batch["completion_mask"] * batch["tool_mask"])[i][kept]
        ids = [*prompt.tolist(), *batch["completion_ids"][i][kept].tolist()]
        found.append(line(ids, len(prompt), mask, batch["advantages"][i][kept]))
    return found


def verl(
    credit: Credit, groups: Sequence[TrajectoryGroup], rows: Sequence[CreditRow]
) -> list[Line]:
    """Through `AgentLoopOutput.as_dict`, the fields trainer v1 fetches, and its estimator."""
    import numpy as np
    import torch
    from omegaconf import OmegaConf
    from verl import DataProto
    from verl.experimental.agent_loop.agent_loop import AgentLoopMetrics
    from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories

    from rmgym.integrations.verl import TurnRewardOutput, output_fields, register_estimator

    register_estimator(f"rmgym_{credit.estimator}", credit)
    outputs = []
    for row in rows:
        fields = output_fields(row)
        scores = fields.pop("rm_scores")
        made = TurnRewardOutput(
            turn_scores=scores, reward_score=sum(scores), metrics=AgentLoopMetrics(), **fields
        )
        outputs.append(made.as_dict())
    width = max(map(len, rows))

    def padded(name: str) -> Any:
        return torch.stack(
            [torch.nn.functional.pad(out[name], (0, width - len(out[name]))) for out in outputs]
        )

    batch = DataProto.from_dict(
        tensors={
            "token_level_rewards": padded("rm_scores"),
            "response_mask": padded("response_mask"),
        },
        non_tensors={"uid": np.array([f"task-{row.group}" for row in rows], dtype=object)},
    )
    keys = [f"task-{row.group}_{row.attempt}_0" for row in rows]
    done = compute_advantage_for_multi_trajectories(
        batch,
        batch_keys=keys,
        adv_estimator=f"rmgym_{credit.estimator}",
        config=OmegaConf.create({}),
    )
    advantages = done.batch["advantages"]
    return [
        line(
            [*out["prompts"].tolist(), *out["responses"].tolist()],
            len(out["prompts"]),
            out["response_mask"],
            advantages[i][: len(out["responses"])],
        )
        for i, out in enumerate(outputs)
    ]


def skyrl(
    credit: Credit, groups: Sequence[TrajectoryGroup], rows: Sequence[CreditRow]
) -> list[Line]:
    """Through a `GeneratorOutput`, SkyRL's batch tensors, and its registered estimator."""
    import inspect

    import numpy as np
    import torch
    from skyrl.backends.skyrl_train.utils.ppo_utils import compute_advantages_and_returns
    from skyrl.train.dataset import preprocess

    from rmgym.integrations.skyrl import generator_columns, register_estimator

    register_estimator(f"rmgym_{credit.estimator}", credit)
    out = generator_columns(rows, filler=0)
    convert = preprocess.convert_prompts_responses_to_batch_tensors
    known = {
        "tokenizer": SimpleNamespace(pad_token_id=0),
        "pad_token_id": 0,
        "prompts": out["prompt_token_ids"],
        "responses": out["response_ids"],
        "rewards": out["rewards"],
        "loss_masks": out["loss_masks"],
        "logprobs": out["rollout_logprobs"],
    }
    wanted = {n: known[n] for n in inspect.signature(convert).parameters if n in known}
    sequences, attention, response, rewards, masks, *_ = convert(**wanted)
    advantages, _ = compute_advantages_and_returns(
        token_level_rewards=rewards,
        response_mask=response,
        index=np.array([f"task-{row.group}" for row in rows]),
        adv_estimator=f"rmgym_{credit.estimator}",
        config=None,
    )
    found = []
    for i in range(len(rows)):
        ids = sequences[i][attention[i] == 1]
        kept = response[i] == 1
        mask = masks[i][kept].to(torch.int64)
        found.append(line(ids, len(ids) - int(kept.sum()), mask, advantages[i][kept]))
    return found


class _Absent(ModuleType):
    """Stands for a package that needs CUDA to be installed; nothing of it is called."""

    __path__: list[str] = []  # noqa: RUF012  # as of a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class _AbsentFinder:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        from importlib.machinery import ModuleSpec

        top = name.split(".")[0]
        return ModuleSpec(name, self, is_package=True) if top in CUDA_ONLY else None  # type: ignore[arg-type]  # a loader

    def create_module(self, spec: Any) -> ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: ModuleType) -> None: ...


def stand_in_for_cuda() -> None:
    """Let packages that need CUDA be imported as empty ones."""
    import importlib.util

    if any(importlib.util.find_spec(name) is None for name in CUDA_ONLY):
        sys.meta_path.append(_AbsentFinder())


def openrlhf(
    credit: Credit, groups: Sequence[TrajectoryGroup], rows: Sequence[CreditRow]
) -> list[Line]:
    """Through `SamplesGenerator`, `Experience` and `RemoteExperienceMaker`."""
    stand_in_for_cuda()
    import torch
    from openrlhf.trainer.ppo_utils.experience import Experience
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

    from rmgym.integrations.openrlhf import executor_output, experience_maker

    attempts = [t for group in groups for t in group.trajectories]
    generator = SamplesGenerator.__new__(SamplesGenerator)
    samples = []
    for index, (row, trajectory) in enumerate(zip(rows, attempts, strict=True)):
        output = executor_output(row, credit.rewards(trajectory))
        sample = generator._process_response_into_experience(output, max_len=4096)
        sample.index = [index]
        sample.kl = torch.zeros(sample.action_mask.shape)
        samples.append(sample)
    experience = Experience.concat_experiences(samples, 0)
    maker = openrlhf_maker(credit, experience_maker(credit), len(groups[0].trajectories))
    done = maker.compute_advantages_and_returns([experience])[0]
    found = []
    for i, row in enumerate(rows):
        ids = done.sequences[i][done.attention_mask[i] == 1]
        # OpenRLHF's masks and advantages begin at the second token.
        kept = slice(len(row.prompt_ids) - 1, len(ids) - 1)
        mask = done.action_mask[i][kept].to(torch.int64)
        assert int(done.action_mask[i].sum()) == int(mask.sum())
        found.append(line(ids, len(row.prompt_ids), mask, done.advantages[i][kept]))
    return found


def openrlhf_maker(credit: Credit, made: Any, attempts: int) -> Any:
    """Return an experience maker without the models that it would ask."""
    maker = made.__new__(made)
    maker.advantage_estimator = "group_norm"
    maker.kl_ctl = SimpleNamespace(value=0.0)
    maker.args = SimpleNamespace(
        algo=SimpleNamespace(
            advantage=SimpleNamespace(estimator="group_norm", gamma=1.0, no_std_norm=False),
            kl=SimpleNamespace(use_loss=False),
        ),
        rollout=SimpleNamespace(n_samples_per_prompt=attempts),
        reward=SimpleNamespace(
            clip_range=(-10, 10), overlong_buffer_len=None, stop_properly_penalty_coef=None
        ),
    )
    maker.strategy = SimpleNamespace(args=maker.args)
    return maker


def verifiers(
    credit: Credit, groups: Sequence[TrajectoryGroup], rows: Sequence[CreditRow]
) -> list[Line]:
    """Through a `Trace`, written to JSON and read, whose branches are training samples."""
    import verifiers.v1 as vf

    from rmgym.integrations.verifiers import to_trace

    found = []
    attempts = [t for group in groups for t in group.trajectories]
    for row, trajectory in zip(rows, attempts, strict=True):
        trace = to_trace(trajectory, [row])
        text = trace.model_dump_json(context={"float_decimals": None})
        read = vf.WireTrace.model_validate_json(text)
        (branch,) = read.branches
        mask = branch.sampled_mask
        start = mask.index(True)
        assert branch.advantages is not None
        found.append(line(branch.token_ids, start, mask[start:], branch.advantages[start:]))
    return found


def openenv(
    credit: Credit, groups: Sequence[TrajectoryGroup], rows: Sequence[CreditRow]
) -> list[Line]:
    """Through a `TrainingTrace`, written to JSON and read; its turns share one sequence."""
    from openenv.core.harness.training import TrainingTrace

    from rmgym.integrations.openenv import to_training_trace

    found = []
    attempts = [t for group in groups for t in group.trajectories]
    for row, trajectory in zip(rows, attempts, strict=True):
        text = to_training_trace(trajectory, [row]).model_dump_json()
        read = TrainingTrace.model_validate_json(text)
        ids: list[int] = []
        mask: list[int] = []
        credits: list[float] = []
        for turn in read.turns:
            given = turn.prompt_token_ids[len(ids) :]
            assert turn.prompt_token_ids[: len(ids)] == ids
            ids += [*given, *turn.completion_token_ids]
            sampled = len(turn.completion_token_ids)
            mask += [0] * len(given) + turn.loss_mask[-sampled:]
            credits += [0.0] * len(given) + [turn.metadata["advantage"]] * sampled
        start = mask.index(1)
        found.append(line(ids, start, mask[start:], credits[start:]))
    return found


WAYS = {
    "trl": trl,
    "verl": verl,
    "skyrl": skyrl,
    "openrlhf": openrlhf,
    "verifiers": verifiers,
    "openenv": openenv,
}


def expected(rows: Sequence[CreditRow]) -> list[Line]:
    """Return what should come out."""
    return [
        line(
            (*row.prompt_ids, *row.completion_ids),
            len(row.prompt_ids),
            row.loss_mask,
            row.advantages,
        )
        for row in rows
    ]


def recorded() -> list[TrajectoryGroup]:
    """Return the recorded groups."""
    episodes: list[Trajectory] = list(read_trajectories(RECORDED))
    return group_by_task(episodes)


def main() -> None:
    """Print what a trainer makes of the recorded groups."""
    trainer, *estimators = sys.argv[1:]
    groups = recorded()
    for estimator in estimators:
        credit = Credit(estimator=estimator, outcome=OUTCOME)
        for each in WAYS[trainer](credit, groups, credit.rows(groups)):
            found = {"estimator": estimator, **each}
            sys.stdout.write("RESULT " + json.dumps(found) + "\n")


if __name__ == "__main__":
    asyncio.set_event_loop(asyncio.new_event_loop())
    main()
