"""Cases of IGPO and A2TGPO."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from rmgym.advantages.a2tgpo import a2tgpo_advantages, turn_clip
from rmgym.advantages.igpo import GainRollout, igpo_advantages, igpo_first_release_advantages
from rmgym.rewards.answers import igpo_outcome
from rmgym.rewards.igpo import last_token_by_count, last_trainable_token, place_on_tokens
from rmgym.rewards.information_gain import beliefs, gains
from rmgym.testing.cases.registry import Inputs, adapter


@adapter("IGPO", "turn reward, *")
@adapter("IGPO", "scorer failure *")
def igpo_gains(inputs: Inputs) -> dict[str, Any]:
    """Return beliefs and gains from the answer's token log-probabilities at each prefix."""
    found = beliefs(inputs["answer_logprobs_by_prefix"], inputs["mode"])
    return {"beliefs": found, "gains": gains(found)}


@adapter("IGPO", "invariant")
def igpo_telescoping(inputs: Inputs) -> dict[str, Any]:
    """Return the sum of the gains beside the last belief minus the first."""
    found = inputs["beliefs"]
    return {"sum_of_gains": sum(gains(found) or []), "last_minus_first": found[-1] - found[0]}


@adapter("IGPO", "outcome F1 with format floor")
def igpo_outcomes(inputs: Inputs) -> dict[str, Any]:
    """Return the outcome in training and in validation."""
    text, references = inputs["text"], inputs["references"]
    return {
        "train": igpo_outcome(text, references),
        "validation": igpo_outcome(text, references, floor=0.0),
    }


@adapter("IGPO", "joint*")
@adapter("IGPO", "separate*")
def igpo_turn_advantages(inputs: Inputs) -> dict[str, Any]:
    """Return the turn advantages of a group."""
    advantages = igpo_advantages(
        _group(inputs),
        norm=inputs["norm"],
        gamma=inputs["gamma"],
        drop_zero=inputs.get("drop_zero", False),
    )
    return {"advantages": [row.tolist() for row in advantages]}


@adapter("IGPO", "first public snapshot*")
def igpo_token_advantages(inputs: Inputs) -> dict[str, Any]:
    """Return the token advantages of the first public snapshot."""
    advantages = igpo_first_release_advantages(inputs["token_rewards"], inputs["mask"])
    return {"advantages": advantages.tolist()}


@adapter("IGPO", "placing rewards on tokens")
def igpo_placement(inputs: Inputs) -> dict[str, Any]:
    """Return the tokens that carry a reward, with it, for turns of equal length."""
    turns, per_turn = inputs["turns"], inputs["tokens_per_turn"]
    ends = [per_turn * (turn + 1) - 1 for turn in range(turns)]
    rewards = place_on_tokens(inputs["gains"], inputs["outcome"], ends, turns * per_turn)
    return {"nonzero": [[int(i), float(rewards[i])] for i in np.flatnonzero(rewards)]}


@adapter("IGPO / A2TGPO", "where the outcome sits when tool tokens are masked")
def outcome_position(inputs: Inputs) -> dict[str, Any]:
    """Return where the outcome belongs and where IGPO's release puts it."""
    mask = inputs["mask"]
    return {
        "correct_index": last_trainable_token(mask),
        "igpo_sum_minus_one": last_token_by_count(mask),
    }


@adapter("A2TGPO", "turn-group*")
@adapter("A2TGPO", "turn index reached by one rollout")
def a2tgpo_turn_advantages(inputs: Inputs) -> dict[str, Any]:
    """Return normalised gains, advantages and clip scales of a group."""
    found = a2tgpo_advantages(
        _group(inputs), gamma=inputs["gamma"], alpha=inputs["alpha"], clip_k=inputs["clip_k"]
    )
    samples = [
        {
            "normalised_gain": each.normalised_gains.tolist(),
            "outcome_advantage": each.outcome_advantage,
            "advantages": each.advantages.tolist(),
            "clip_scale": each.clip_scale.tolist(),
        }
        for each in found
    ]
    return {"samples": samples}


@adapter("A2TGPO", "adaptive turn clip")
def a2tgpo_clip(inputs: Inputs) -> dict[str, Any]:
    """Return the clipped objective of a turn."""
    return asdict(turn_clip(**inputs))


def _group(inputs: Inputs) -> list[GainRollout]:
    return [GainRollout(rollout["ig"], rollout["outcome"]) for rollout in inputs["group"]]
