"""Train a language model with TRL on turn-level credit.

    python examples/train_with_trl.py --steps 2

Needs `pip install 'rmgym[trl]'`. Without --model a random model of a few thousand parameters plays,
which shows the wiring and learns nothing. Each step plays whole episodes of the search setting,
turns the information gain of every search into token advantages (IGPO; --estimator for others) and
takes a GRPO step on them. Last line: how far the weights moved.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from functools import partial
from typing import Any

import gymnasium as gym

from rmgym.agents.chat_templates import APPEND_ONLY_CHATML
from rmgym.agents.tiny_models import tiny_model, tiny_tokenizer
from rmgym.integrations.trl import (
    Credit,
    TurnCreditGRPOTrainer,
    episode_dataset,
    rollout_function,
    trainer_policy,
)

ENV = partial(
    gym.make,
    "rmgym:rmgym/Search-v0",
    kinds=["two_hop"],
    max_searches=2,
    rewards=["em", "information_gain"],
)


def load(name: str | None) -> tuple[Any, Any]:
    """Return a model and its tokenizer."""
    if name is None:
        return tiny_model(hidden=32, max_tokens=8192), tiny_tokenizer()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(name), AutoTokenizer.from_pretrained(name)


def main() -> None:
    """Train for a few steps."""
    import torch
    from trl import GRPOConfig

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--attempts", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=32, help="most tokens a turn")
    parser.add_argument("--estimator", default="igpo")
    arguments = parser.parse_args()
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    model, tokenizer = load(arguments.model)
    before = [weight.detach().clone() for weight in model.parameters()]
    policy = trainer_policy(
        max_new_tokens=arguments.tokens,
        chat_template=APPEND_ONLY_CHATML if arguments.model else None,
    )
    trainer = TurnCreditGRPOTrainer(
        model=model,
        args=GRPOConfig(
            output_dir=tempfile.mkdtemp(),
            per_device_train_batch_size=arguments.attempts,
            num_generations=arguments.attempts,
            max_steps=arguments.steps,
            learning_rate=1e-4,
            beta=0.0,
            report_to=[],
            use_cpu=not torch.cuda.is_available(),
            logging_steps=1,
            save_strategy="no",
        ),
        processing_class=tokenizer,
        train_dataset=episode_dataset(ENV, seeds=range(max(8, arguments.steps))),
        rollout_func=rollout_function(ENV, policy),
        credit=Credit(estimator=arguments.estimator, outcome="em"),
    )
    trainer.train()
    moved = max(
        float((new - old).abs().max()) for new, old in zip(model.parameters(), before, strict=True)
    )
    print(f"largest change of a weight: {moved:.1e}")


if __name__ == "__main__":
    main()
