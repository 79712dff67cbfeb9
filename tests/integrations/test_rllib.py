"""RLlib: PPO really trains over a conversation shown as bytes."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from rmgym.integrations.rllib import ByteMenu, byte_menu
from rmgym.testing import register_test_envs
from rmgym.testing.echo import WORDS

pytestmark = pytest.mark.filterwarnings("default")
ECHO = "rmgym-testing/Echo-v0"
MENU = [f"<say>{word}</say>" for word in WORDS]


@pytest.fixture(autouse=True)
def registered() -> None:
    register_test_envs()


def test_an_observation_is_its_last_bytes() -> None:
    env = ByteMenu(gym.make(ECHO), MENU, size=8)
    observation, _ = env.reset(seed=0)
    # The first message ends with "The word is: islet".
    expected = np.frombuffer(b": islet"[-8:], dtype=np.uint8) / 255
    np.testing.assert_allclose(observation[-7:], expected, rtol=1e-6)
    assert env.observation_space.contains(observation)


def test_an_action_is_a_reply_of_the_menu_and_turn_rewards_pass() -> None:
    env = byte_menu(ECHO, MENU)({})
    env.reset(seed=0)
    _, reward, _, _, info = env.step(WORDS.index("islet"))
    assert reward == pytest.approx(1 / 3)
    assert info["reward_terms"] == {"echoed": pytest.approx(1 / 3)}


def test_an_empty_menu_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a menu of at least one reply"):
        ByteMenu(gym.make(ECHO), [])


def test_ppo_trains_one_iteration() -> None:
    import ray
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.tune.registry import register_env

    register_env("echo", byte_menu(lambda: gym.make(ECHO, max_turns=4), MENU, size=32))
    ray.init(
        num_cpus=1,
        object_store_memory=80 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        ignore_reinit_error=True,
    )
    try:
        algorithm = (
            PPOConfig()
            .environment("echo")
            .framework("torch")
            .env_runners(num_env_runners=0, rollout_fragment_length=64)
            .learners(num_learners=0)
            .training(train_batch_size_per_learner=64, minibatch_size=32, num_epochs=1)
            .build_algo()
        )
        result = algorithm.train()
        assert result["env_runners"]["num_env_steps_sampled"] >= 64
        assert np.isfinite(result["env_runners"]["episode_return_mean"])
        algorithm.stop()
    finally:
        ray.shutdown()
