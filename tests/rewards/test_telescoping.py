"""Potential-based terms telescope: their sum is the last potential minus the first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from rmgym.composition import RewardComposition
from rmgym.messages import Observation
from rmgym.protocols import Target, TargetLogprobs
from rmgym.rewards.information_gain import BeliefMode, InformationGain, potentials
from rmgym.trajectory import Completion, Context, Trajectory, Turn

TRAJECTORIES = 1000


class RandomScorer:
    """Log-probabilities that depend on the length of the conversation alone."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.table = np.log(rng.uniform(1e-6, 1.0, size=(40, 3)))

    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        return [
            TargetLogprobs((1, 2, 3), tuple(self.table[len(context.messages)].tolist()))
            for context in contexts
        ]


def play(turns: int, composition: RewardComposition) -> Trajectory:
    """Score a conversation of so many turns online, as an environment does."""
    played: list[Turn] = []
    message: Observation = ({"role": "user", "content": "x"},)
    for number in range(1, turns + 1):
        ended = number == turns
        info = {"task": {"references": ["a"]}, "event": {"kind": "search"}, "metrics": {}}
        turn = Turn(
            observation=message, completion=Completion(text="y"), terminated=ended, info=info
        )
        granted = composition.score([Context([*played, turn], message)])[0]
        info = {**info, "metrics": granted.metrics, "reward_terms": granted.terms}
        played.append(
            Turn(
                observation=message,
                completion=turn.completion,
                reward=granted.reward,
                reward_terms=granted.terms,
                terminated=ended,
                info=info,
            )
        )
    return Trajectory(
        env_id="test/None-v0", task_id="t", turns=tuple(played), final_observation=message
    )


@pytest.mark.parametrize("mode", ["prob", "logprob"])
def test_information_gains_telescope_on_a_thousand_random_trajectories(mode: BeliefMode) -> None:
    rng = np.random.default_rng(0)
    for _ in range(TRAJECTORIES):
        scorer = RandomScorer(rng)
        composition = RewardComposition([InformationGain(scorer, mode=mode)])
        trajectory = play(int(rng.integers(2, 13)), composition)
        stored = potentials(trajectory, scorer, mode=mode)
        assert abs(trajectory.episode_return - (stored[-1] - stored[0])) < 1e-9
        assert "information_gain" not in trajectory.turns[-1].reward_terms
