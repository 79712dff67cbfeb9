"""SkyRL 0.4: its generator interface, its own generator and its estimators, engine scripted."""

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
CREDIT = Credit(estimator="igpo", outcome="finished")


@pytest.fixture(autouse=True)
def registered() -> None:
    register_test_envs()


class ScriptedClient:
    """An inference engine that leaves at once, or says one wrong word first."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.asked: list[Any] = []
        self.model_name = "scripted"

    async def generate(self, request: Any, model: str | None = None) -> Any:
        self.asked.append(request)
        prompts = request["prompt_token_ids"]
        texts = []
        for ids in prompts:
            first = "No, the word is" not in self.tokenizer.decode(ids)
            texts.append("<say>nothing</say>" if first else "<leave/>")
        made = [self.tokenizer.encode(text + "<|im_end|>") for text in texts]
        return {
            "responses": texts,
            "response_ids": made,
            "stop_reasons": ["stop"] * len(made),
            "response_logprobs": [[-0.5] * len(ids) for ids in made],
        }

    async def finish_session(self, session_id: str) -> None: ...


def batch(seeds: list[int]) -> dict[str, Any]:
    return {
        "prompts": [[{"role": "user", "content": "?"}] for _ in seeds],
        "env_classes": ["rmgym"] * len(seeds),
        "env_extras": [{"seed": seed} for seed in seeds],
        "sampling_params": {"max_tokens": 64, "logprobs": 1},
        "trajectory_ids": None,
        "batch_metadata": None,
    }


def generated(env: Any = ECHO, seeds: tuple[int, ...] = (1, 1)) -> tuple[Any, Any]:
    from rmgym.agents.tiny_models import tiny_tokenizer
    from rmgym.integrations.skyrl import TurnCreditGenerator

    tokenizer = tiny_tokenizer()
    client = ScriptedClient(tokenizer)
    generator = TurnCreditGenerator(
        env=env, credit=CREDIT, inference_engine_client=client, tokenizer=tokenizer
    )
    return asyncio.run(generator.generate(batch(list(seeds)))), client


def test_the_generator_is_one_of_skyrl_and_keeps_turn_rewards() -> None:
    from skyrl.train.generators.base import GeneratorInterface

    from rmgym.integrations.skyrl import TurnCreditGenerator

    assert issubclass(TurnCreditGenerator, GeneratorInterface)
    out, client = generated()
    assert len(client.asked) == 4
    for ids, mask, rewards, logprobs in zip(
        out["response_ids"],
        out["loss_masks"],
        out["rewards"],
        out["rollout_logprobs"],
        strict=True,
    ):
        assert len(ids) == len(mask) == len(rewards) == len(logprobs)
        marked = [i for i, reward in enumerate(rewards) if reward]
        # A miss earns 0, and leaving ends the episode with outcome 0: both are marked.
        assert [rewards[i] for i in marked] == [2.0**-100, 2.0**-100]
        assert all(mask[i] for i in marked)
        assert 0 in mask
    assert out["stop_reasons"] == ["stop", "stop"]
    assert out["rollout_metrics"] == {"rmgym/finished": 0.0, "rmgym/failed_episodes": 0.0}


def test_a_failed_episode_has_no_reward_and_no_trainable_token() -> None:
    class Broken(gym.Wrapper[Any, Any, Any, Any]):
        def step(self, action: Any) -> Any:
            raise BackendError("lost")

    out, _ = generated(env=lambda: Broken(gym.make(ECHO)))
    assert out["loss_masks"] == [[0], [0]]
    assert out["rewards"] == [[0.0], [0.0]]
    assert out["stop_reasons"] == ["error", "error"]
    assert out["rollout_metrics"] == {"rmgym/failed_episodes": 2.0}


def test_a_batch_without_seeds_is_refused() -> None:
    from rmgym.agents.tiny_models import tiny_tokenizer
    from rmgym.integrations.skyrl import TurnCreditGenerator

    tokenizer = tiny_tokenizer()
    generator = TurnCreditGenerator(
        env=ECHO, inference_engine_client=ScriptedClient(tokenizer), tokenizer=tokenizer
    )
    wrong = batch([1]) | {"env_extras": [{}]}
    with pytest.raises(DataError, match="expected the seed of each episode"):
        asyncio.run(generator.generate(wrong))


def test_skyrls_own_generator_plays_the_environment_class() -> None:
    import skyrl_gym
    from skyrl.train.config import GeneratorConfig, SkyRLGymConfig
    from skyrl.train.generators.skyrl_gym_generator import SkyRLGymGenerator

    from rmgym.agents.tiny_models import tiny_tokenizer
    from rmgym.integrations.skyrl import environment_class

    tokenizer = tiny_tokenizer()
    skyrl_gym.register("rmgym-echo", entry_point=environment_class(ECHO, CREDIT))
    config = GeneratorConfig()
    options = {
        "batched": False,
        "max_turns": 8,
        "max_input_length": 4096,
        "use_conversation_multi_turn": True,
    }
    for name, value in options.items():
        setattr(config, name, value)
    config.sampling_params.max_generate_length = 64
    generator = SkyRLGymGenerator(
        generator_cfg=config,
        skyrl_gym_cfg=SkyRLGymConfig(max_env_workers=0),
        inference_engine_client=ScriptedClient(tokenizer),
        tokenizer=tokenizer,
    )
    asked = batch([1, 1]) | {"env_classes": ["rmgym-echo"] * 2}
    out = asyncio.run(generator.generate(asked))
    for rewards, mask in zip(out["rewards"], out["loss_masks"], strict=True):
        marked = [i for i, reward in enumerate(rewards) if reward]
        assert [rewards[i] for i in marked] == [2.0**-100, 2.0**-100]
        assert len(rewards) == len(mask)


def test_a_turn_with_a_reward_and_the_outcome_needs_our_generator() -> None:
    from rmgym.integrations.skyrl import environment_class

    env: Any = environment_class(lambda: gym.make(ECHO, words=1), CREDIT)(None, {"seed": 2})
    env.init([])
    word = env.host.env.unwrapped.episode.word
    with pytest.raises(DataError, match="use TurnCreditGenerator"):
        env.step(f"<say>{word}</say>")


def test_a_registered_estimator_gives_turn_advantages_where_stock_grpo_gives_none() -> None:
    import torch
    from skyrl.backends.skyrl_train.utils.ppo_utils import compute_advantages_and_returns
    from skyrl.train.config import AlgorithmConfig

    from rmgym.integrations.skyrl import register_estimator

    register_estimator("rmgym_test_centred", Credit())
    rewards = torch.tensor([[1.0, 0.0, 0.0, 5.0], [2.0**-101, 0.0, 0.0, 6.0]])
    mask = torch.ones(2, 4)
    given: dict[str, Any] = {
        "token_level_rewards": rewards,
        "response_mask": mask,
        "index": np.array(["a", "a"]),
        "config": AlgorithmConfig(),
    }
    stock, _ = compute_advantages_and_returns(adv_estimator="grpo", **given)
    ours, _ = compute_advantages_and_returns(adv_estimator="rmgym_test_centred", **given)
    assert float(stock.abs().max()) == 0.0
    # Returns-to-go 6, 5 less the others' mean of 6; 6, 6 less 5.5.
    assert ours.tolist() == [[0.0, -1.0, -1.0, -1.0], [0.5, 0.5, 0.5, 0.5]]
