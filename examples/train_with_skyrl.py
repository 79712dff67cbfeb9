"""Collect episodes through SkyRL's generator interface and give them turn-level credit.

    python examples/train_with_skyrl.py --attempts 4

Needs `pip install 'rmgym[skyrl]'` (Python 3.12). In training, SkyRL makes the inference client and
calls the generator (return `TurnCreditGenerator` from `BasePPOExp.get_generator`); here a client
that babbles stands in for a GPU engine, and SkyRL's own estimator registry computes the advantages.
Last line: how many different advantages an episode's tokens got.
"""

from __future__ import annotations

import argparse
import asyncio
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np

from rmgym.agents.tiny_models import tiny_tokenizer
from rmgym.integrations.skyrl import Credit, TurnCreditGenerator, register_estimator

ENV = partial(
    gym.make,
    "rmgym:rmgym/Search-v0",
    kinds=["two_hop"],
    max_searches=2,
    rewards=["em", "information_gain"],
)
CREDIT = Credit(estimator="igpo", outcome="em")
WORDS = ("river", "capital", "author", "bridge", "founder", "mountain")


class Babble:
    """Stands in for an inference engine: searches for random words, then answers."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.rng = np.random.default_rng(0)

    async def generate(self, request: Any, model: str | None = None) -> Any:
        """Return one completion a prompt."""
        made, texts = [], []
        for ids in request["prompt_token_ids"]:
            word = WORDS[int(self.rng.integers(len(WORDS)))]
            searched = self.tokenizer.decode(ids).count("<search>") > 2
            text = f"<answer>{word}</answer>" if searched else f"<search>{word}</search>"
            texts.append(text)
            made.append(self.tokenizer.encode(text + "<|im_end|>"))
        return {"responses": texts, "response_ids": made, "stop_reasons": ["stop"] * len(made)}


def main() -> None:
    """Generate a batch and compute its advantages."""
    import torch
    from skyrl.backends.skyrl_train.utils.ppo_utils import compute_advantages_and_returns

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attempts", type=int, default=4)
    attempts = parser.parse_args().attempts
    register_estimator("rmgym_igpo", CREDIT)
    tokenizer = tiny_tokenizer()
    generator = TurnCreditGenerator(
        env=ENV, credit=CREDIT, inference_engine_client=Babble(tokenizer), tokenizer=tokenizer
    )
    batch: dict[str, Any] = {
        "prompts": [[]] * attempts,
        "env_classes": ["rmgym"] * attempts,
        "env_extras": [{"seed": 0}] * attempts,
        "sampling_params": None,
    }
    out = asyncio.run(generator.generate(batch))
    width = max(map(len, out["response_ids"]))
    rewards, response = torch.zeros(attempts, width), torch.zeros(attempts, width)
    for row, own in enumerate(out["rewards"]):
        rewards[row, : len(own)] = torch.tensor(own)
        response[row, : len(own)] = 1
    advantages, _ = compute_advantages_and_returns(
        token_level_rewards=rewards,
        response_mask=response,
        index=np.array(["task"] * attempts),
        adv_estimator="rmgym_igpo",
        config=None,
    )
    for row, mask in enumerate(out["loss_masks"]):
        own = advantages[row][: len(mask)][torch.tensor(mask) == 1]
        print(f"attempt {row}: {len(own)} sampled tokens, advantages {own.unique().tolist()}")
    most = max(len(row.unique()) for row in advantages)
    print(f"different advantages in an episode: up to {most}")


if __name__ == "__main__":
    main()
