"""Cases of token rewards and of logits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rmgym.rewards import endogenous
from rmgym.rewards.aligndistil import adaptive_teacher
from rmgym.rewards.cdr import density_ratio
from rmgym.rewards.experimental.statement_truth import statement_token_rewards
from rmgym.rewards.treg import token_rewards
from rmgym.rewards.vas import value_augmented_logits
from rmgym.testing.cases.registry import Inputs, adapter


@adapter("Generalist reward models")
def generalist(inputs: Inputs) -> dict[str, Any]:
    """Return soft values, rewards, their sum, and what it equals."""
    logits, actions, alpha = inputs["logits"], inputs["actions"], inputs["alpha"]
    found = endogenous.endogenous_rewards(
        logits, actions, alpha=alpha, terminal_value=inputs["terminal_value"]
    )
    logprob = endogenous.sequence_logprob(logits, actions, alpha)
    return {
        "V": list(found.values),
        "rewards": list(found.rewards),
        "sum": sum(found.rewards),
        "logprob_plus_V1": alpha * logprob + found.values[0],
    }


@adapter("CDR")
def cdr(inputs: Inputs) -> dict[str, Any]:
    """Return the log-density ratio."""
    return {"reward": density_ratio(inputs["logp_strong"], inputs["logp_weak"])}


@adapter("T-REG")
def treg(inputs: Inputs) -> dict[str, Any]:
    """Return token rewards."""
    return {"rewards": token_rewards(inputs["logp_better_prompt"], inputs["logp_worse_prompt"])}


@adapter("AlignDistil")
def aligndistil(inputs: Inputs) -> dict[str, Any]:
    """Return weight, teacher logits and loss scale."""
    return asdict(adaptive_teacher(**inputs))


@adapter("VAS")
def vas(inputs: Inputs) -> dict[str, Any]:
    """Return shifted logits."""
    found = value_augmented_logits(
        inputs["logits"], inputs["values"], top_k=inputs["top_k"], beta=inputs["beta"]
    )
    return {"logits": found}


@adapter("RLFH")
def rlfh(inputs: Inputs) -> dict[str, Any]:
    """Return our stand-in's token rewards."""
    return {"token_rewards": statement_token_rewards(**inputs)}
