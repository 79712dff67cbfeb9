"""verl 0.9: the agent loop and the estimators, run with an engine that is a script."""

from __future__ import annotations

import asyncio
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rmgym.errors import BackendError, DataError
from rmgym.integrations.credit import Credit
from rmgym.testing import register_test_envs

pytestmark = pytest.mark.filterwarnings("default")
ECHO = "rmgym-testing/Echo-v0"


@pytest.fixture(autouse=True)
def registered() -> None:
    register_test_envs()


class ScriptedServer:
    """Says the next line; keeps what it was asked."""

    def __init__(self, tokenizer: Any, lines: list[str]) -> None:
        self.tokenizer = tokenizer
        self.lines = iter(lines)
        self.prompts: list[list[int]] = []
        self.rooms: list[int] = []

    async def generate(
        self, request_id: str, *, prompt_ids: list[int], sampling_params: dict[str, Any], **_: Any
    ) -> Any:
        from verl.workers.rollout.replica import TokenOutput

        self.prompts.append(prompt_ids)
        self.rooms.append(sampling_params["max_tokens"])
        ids = self.tokenizer.encode(next(self.lines) + "<|im_end|>")
        return TokenOutput(token_ids=ids, log_probs=[-0.5] * len(ids))


def agent_loop(lines: list[str], *, response: int = 2048, env: Any = ECHO) -> Any:
    from omegaconf import OmegaConf
    from verl.experimental.agent_loop.agent_loop import DictConfigWrap

    from rmgym.agents.tiny_models import tiny_tokenizer
    from rmgym.integrations.verl import TurnAgentLoop

    tokenizer = tiny_tokenizer()
    rollout = {"prompt_length": 2048, "response_length": response, "multi_turn": {}}
    conf = OmegaConf.create({"actor_rollout_ref": {"rollout": rollout}, "data": {}})
    return TurnAgentLoop(
        trainer_config=DictConfigWrap(conf),
        server_manager=ScriptedServer(tokenizer, lines),
        tokenizer=tokenizer,
        processor=None,
        dataset_cls=None,
        data_config=DictConfigWrap(conf.data),
        env=env,
        outcome="finished",
    )


def words(seed: int, count: int) -> list[str]:
    """Return the gold actions of an episode."""
    env: Any = gym.make(ECHO)
    env.reset(seed=seed)
    said = []
    for _ in range(count):
        said.append(f"<say>{env.unwrapped.episode.word}</say>")
        env.step(said[-1])
    return said


def made(lines: list[str], row: dict[str, Any], **options: Any) -> tuple[Any, Any]:
    async def go() -> tuple[Any, Any]:
        loop = agent_loop(lines, **options)
        return loop, await loop.run({"temperature": 1.0}, **row)

    return asyncio.run(go())


ROW = {"extra_info": {"seed": 5}, "raw_prompt": []}


def test_the_loop_plays_an_environment_and_keeps_ids_and_turn_rewards() -> None:
    from verl.experimental.agent_loop.agent_loop import AgentLoopOutput

    said = words(5, 3)
    loop, out = made(said, ROW)
    assert isinstance(out, AgentLoopOutput)
    assert out.num_turns == 6
    whole = out.prompt_ids + out.response_ids
    for prompt in loop.server_manager.prompts:
        assert whole[: len(prompt)] == prompt
    decoded = loop.tokenizer.decode(whole)
    assert all(line in decoded for line in said)
    fields = out.as_dict()
    scores = fields["rm_scores"]
    ends = [i for i, value in enumerate(scores.tolist()) if value > 1e-6]
    mask = fields["response_mask"].tolist()
    # Two words, then on the last turn the word's share one token before the outcome.
    assert len(ends) == 4
    assert ends[2] == ends[3] - 1 == len(mask) - 2
    np.testing.assert_allclose(scores[ends].tolist(), [1 / 3, 1 / 3, 1 / 3, 1.0], rtol=1e-6)
    assert float(scores.sum()) == pytest.approx(2.0)
    assert all(mask[i] for i in ends)
    assert out.reward_score == pytest.approx(2.0)
    assert "turn_scores" not in fields


def test_an_episode_stops_where_the_response_is_full() -> None:
    loop, out = made(["<say>no</say>"] * 8, ROW, response=60)
    assert out.extra_fields["stop_reason"] == "max_tokens"
    assert len(out.response_ids) <= 60
    assert loop.server_manager.rooms[0] == 60
    assert out.extra_fields["reward_extra_info"] == {"finished": 0.0}


def test_a_broken_backend_gives_no_output() -> None:
    class Broken(gym.Wrapper[Any, Any, Any, Any]):
        def step(self, action: Any) -> Any:
            raise BackendError("retriever lost")

    _, out = made(["<say>x</say>"], ROW, env=lambda: Broken(gym.make(ECHO)))
    assert out == []


def test_a_row_without_a_seed_is_refused() -> None:
    with pytest.raises(DataError, match="expected the seed of the episode in extra_info"):
        made([], {"extra_info": {}})


def test_rows_of_a_dataset_name_the_agent_and_the_seed() -> None:
    from rmgym.integrations.verl import episode_rows

    (row,) = episode_rows(ECHO, [7])
    assert row["agent_name"] == "rmgym"
    assert row["extra_info"]["seed"] == 7
    assert row["prompt"][0]["role"] == "user"


def test_stock_grpo_sums_the_turns_to_one_number_and_ours_does_not() -> None:
    import torch
    from omegaconf import OmegaConf
    from verl import DataProto
    from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories

    from rmgym.integrations.verl import register_estimator

    register_estimator("rmgym_centred", Credit())
    mask = torch.tensor([[1.0, 0.0, 1.0, 1.0]] * 2)
    rewards = torch.tensor([[1.0, 0.0, 0.0, 5.0], [2.0**-101, 0.0, 0.0, 6.0]])
    found = {}
    for name in ("grpo", "rmgym_centred"):
        batch = DataProto.from_dict(
            tensors={"token_level_rewards": rewards, "response_mask": mask},
            non_tensors={"uid": np.array(["a", "a"], dtype=object)},
        )
        config = OmegaConf.create({})
        keys = ["a_0_0", "a_1_0"]
        done = compute_advantage_for_multi_trajectories(
            batch, batch_keys=keys, adv_estimator=name, config=config
        )
        found[name] = done.batch["advantages"]
    assert float(found["grpo"].abs().max()) == 0.0
    # Returns-to-go 6, 5 less the others' mean of 6; 6, 6 less 5.5.
    assert found["rmgym_centred"].tolist() == [[0.0, 0.0, -1.0, -1.0], [0.5, 0.0, 0.5, 0.5]]


def test_the_class_is_found_by_the_path_that_a_configuration_names() -> None:
    import hydra
    from omegaconf import OmegaConf

    from rmgym.integrations import verl

    target = OmegaConf.create({"path": "rmgym.integrations.verl.TurnAgentLoop"})
    assert hydra.utils.get_class(target.path) is verl.TurnAgentLoop
