"""OpenRLHF 0.11: its executor and experience maker, engine scripted and CUDA packages absent."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rmgym.errors import BackendError, DataError
from rmgym.integrations.credit import Credit
from rmgym.testing import register_test_envs

pytestmark = pytest.mark.filterwarnings("default")
ECHO = "rmgym-testing/Echo-v0"
CREDIT = Credit(outcome="finished")
THROUGH = Path(__file__).resolve().parent / "through.py"


@pytest.fixture(scope="module", autouse=True)
def through() -> Any:
    """The module that lets OpenRLHF be imported without CUDA."""
    register_test_envs()
    spec = importlib.util.spec_from_file_location("through", THROUGH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    finders = list(sys.meta_path)
    module.stand_in_for_cuda()
    yield module
    sys.meta_path[:] = finders


class ScriptedEngine:
    """Says one wrong word, then leaves."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.prompts: list[list[int]] = []

    async def generate(self, ids: list[int], params: Any, multi_modal_data: Any = None) -> Any:
        self.prompts.append(ids)
        text = "<say>nothing</say>" if len(self.prompts) == 1 else "<leave/>"
        sampled = self.tokenizer.encode(text + "<|im_end|>")
        logprobs = [{token: SimpleNamespace(logprob=-0.25)} for token in sampled]
        said = SimpleNamespace(
            token_ids=sampled, text=text, finish_reason="stop", logprobs=logprobs
        )
        return SimpleNamespace(outputs=[said])


def executed(label: Any = "4", env: Any = ECHO) -> tuple[dict[str, Any], ScriptedEngine]:
    from rmgym.agents.tiny_models import tiny_tokenizer
    from rmgym.integrations.openrlhf import agent_executor

    tokenizer = tiny_tokenizer()
    engine = ScriptedEngine(tokenizer)
    params = SimpleNamespace(max_tokens=64, logprobs=1)
    executor = agent_executor(env, CREDIT)()
    out = asyncio.run(executor.execute("Play.", label, params, 2048, tokenizer, engine))
    return out, engine


def test_the_executor_keeps_sampled_ids_and_sends_turn_rewards_in_the_label() -> None:
    from openrlhf.utils.agent import AgentExecutorBase

    from rmgym.integrations.openrlhf import agent_executor

    assert issubclass(agent_executor(ECHO), AgentExecutorBase)
    out, engine = executed()
    tokens = out["observation_tokens"]
    assert len(out["action_ranges"]) == 2
    for (start, end), prompt in zip(out["action_ranges"], engine.prompts, strict=True):
        assert tokens[:start] == prompt
        assert out["rollout_log_probs"][start:end] == [-0.25] * (end - start)
    assert out["label"] == {"label": "4", "rmgym_turn_rewards": ((0.0, None), 0.0)}
    assert out["reward"] == 0.0


def test_a_failed_episode_has_no_known_reward_and_no_action() -> None:
    class Broken(gym.Wrapper[Any, Any, Any, Any]):
        def step(self, action: Any) -> Any:
            raise BackendError("lost")

    out, _ = executed(env=lambda: Broken(gym.make(ECHO)))
    assert out["reward"] != out["reward"]
    assert out["action_ranges"] == []


def test_a_label_that_is_no_seed_is_refused() -> None:
    with pytest.raises(DataError, match="expected the seed of the episode as the label"):
        executed(label="the answer")


def test_experiences_of_another_executor_are_refused(through: Any) -> None:
    from rmgym.integrations.openrlhf import _token_rewards

    with pytest.raises(DataError, match="expected samples of rmgym's agent executor"):
        _token_rewards([np.ones((1, 3))], ["42"])


def test_a_penalty_in_the_reward_is_refused(through: Any) -> None:
    from rmgym.integrations.openrlhf import experience_maker

    maker = through.openrlhf_maker(CREDIT, experience_maker(CREDIT), 2)
    maker.kl_ctl.value = 0.1
    with pytest.raises(ValueError, match="expected the KL penalty in the loss"):
        maker.compute_advantages_and_returns([])
