from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
from gymnasium import spaces

from rmgym.testing import CheckError, check_env


class Numbers(gym.Env[int, int]):
    """Three steps of numbers.

    ## Description
    None.

    ## Observation Space
    Discrete.

    ## Action Space
    Discrete.

    ## Rewards
    One.

    ## Starting State
    Zero.

    ## Episode End
    1. Termination: after three steps.

    ## Arguments
    None.

    ## Version History
    - v0: first.

    ## References
    None.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # as upstream
    observation_space: spaces.Space[Any] = spaces.Discrete(4)
    action_space: spaces.Space[Any] = spaces.Discrete(2)
    owed = 0.0
    both = False
    seeded = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return 0, {"reward_terms": {}}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        ended = self.steps == 3
        info = {"reward_terms": {"one": 1.0 - self.owed}}
        return self.steps, 1.0, ended, ended and self.both, info


def test_a_sound_environment_of_numbers_passes() -> None:
    check_env(Numbers())


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"owed": 0.5}, "expected reward terms that sum to the reward"),
        ({"both": True}, "expected terminated or truncated, got both"),
        ({"observation_space": spaces.Discrete(2)}, "observation of the observation space"),
    ],
)
def test_a_fault_is_found(fault: dict[str, Any], problem: str) -> None:
    env = Numbers()
    for name, value in fault.items():
        setattr(env, name, value)
    with pytest.raises(CheckError) as caught:
        check_env(env)
    assert any(problem in found for found in caught.value.problems), caught.value
