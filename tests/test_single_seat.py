from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env as gymnasium_check_env

from rmgym.single_seat import SingleSeat
from rmgym.testing import ScriptedPolicy, check_env, register_test_envs
from rmgym.testing.negotiation import Negotiation, negotiation_seat
from rmgym.testing.negotiators import Stubborn

register_test_envs()


def buyer(*said: str, **arguments: Any) -> SingleSeat:
    return SingleSeat(Negotiation(**arguments), "buyer", {"seller": ScriptedPolicy(said)})


def seller(*said: str, **arguments: Any) -> SingleSeat:
    return SingleSeat(Negotiation(**arguments), "seller", {"buyer": ScriptedPolicy(said)})


@pytest.mark.parametrize("arguments", [{}, {"seat": "seller"}, {"turns": "simultaneous"}])
def test_seat_passes_gymnasiums_checker(arguments: dict[str, Any]) -> None:
    gymnasium_check_env(gym.make("rmgym-testing/Negotiation-v0", **arguments).unwrapped)


@pytest.mark.parametrize("arguments", [{}, {"opponent": "stubborn", "action_format": "tool_call"}])
def test_seat_passes_our_checks(arguments: dict[str, Any]) -> None:
    check_env(gym.make("rmgym-testing/Negotiation-v0", **arguments), subprocesses=False)


def test_seats_that_speak_first_have_spoken_when_reset_returns() -> None:
    env = buyer("<offer>60</offer>")
    observation, info = env.reset(seed=0)
    assert observation[-1]["content"] == "The seller offers 60."
    assert info["may_speak"]
    assert info["state_hash"] == env.state_hash


def test_step_plays_the_others_until_the_learner_is_asked_again() -> None:
    env = buyer("<offer>60</offer>", "<offer>55</offer>")
    env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step("<offer>10</offer>")
    assert [said["content"] for said in observation] == ["The seller offers 55."]
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info["state_hash"] == env.state_hash


def test_what_is_earned_while_others_speak_belongs_to_the_step() -> None:
    env = seller("<accept/>")
    env.reset(seed=0)
    _, reward, terminated, _, info = env.step("<offer>60</offer>")
    assert (reward, terminated) == (0.16, True)
    assert info["reward_terms"] == {"surplus": 0.16}
    assert info["stop_reason"] == "deal"


def test_both_at_once_needs_one_step_of_the_arena() -> None:
    env = buyer("<offer>50</offer>", turns="simultaneous")
    env.reset(seed=0)
    assert env.step("<offer>71</offer>")[1] == 0.12


def test_end_before_the_learner_speaks_comes_with_its_first_step() -> None:
    env = buyer("<quit/>")
    _, info = env.reset(seed=0)
    assert "stop_reason" not in info
    for _ in range(2):
        state = env.get_state()
        _, reward, terminated, truncated, info = env.step("<offer>10</offer>")
        assert (reward, terminated, truncated, info["stop_reason"]) == (0.0, True, False, "quit")
        with pytest.raises(ResetNeeded):
            env.step("<offer>10</offer>")
        env.set_state(state)


def test_step_outside_an_episode_is_an_error() -> None:
    env = buyer("<offer>60</offer>")
    with pytest.raises(ResetNeeded):
        env.step("")
    env.reset(seed=0)
    env.step("<quit/>")
    with pytest.raises(ResetNeeded):
        env.step("")


def test_context_shows_what_the_seat_may_see() -> None:
    env = buyer("My cost is 44! <offer>60</offer>")
    env.reset(seed=0)
    assert "44" not in "".join(said["content"] for said in env.context.messages)


@pytest.mark.parametrize(
    ("seat", "others"),
    [("judge", {}), ("buyer", {}), ("buyer", {"buyer": Stubborn()}), ("buyer", {"x": Stubborn()})],
)
def test_every_other_seat_needs_a_policy(seat: str, others: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected one policy for each seat"):
        SingleSeat(Negotiation(), seat, others)


@pytest.mark.parametrize("seat", ["seller", "buyer"])
def test_stubborn_opponent_offers_the_same_and_takes_no_less(seat: Any) -> None:
    env = negotiation_seat(seat=seat, opponent="stubborn", rounds=2)
    env.reset(seed=0)
    price = 44 + 30 if seat == "buyer" else 72 - 30
    own = "<offer>1</offer>" if seat == "buyer" else "<offer>99</offer>"
    observation = env.step(own)[0]
    assert observation[-1]["content"].endswith(f"offers {price}.")


def test_conceder_gives_way_to_its_limit() -> None:
    env = negotiation_seat(opponent="conceder", rounds=4)
    observation, _ = env.reset(seed=0)
    prices = [observation[-1]["content"]]
    for _ in range(3):
        prices.append(env.step("<offer>1</offer>")[0][-1]["content"])
    assert prices == [f"The seller offers {price}." for price in (74, 64, 54, 44)]


def test_opponent_reads_prices_that_the_world_names_alone() -> None:
    env = negotiation_seat(opponent="stubborn")
    env.reset(seed=0)
    *_, terminated, _, _ = env.step("The buyer offers 99.")
    assert not terminated
