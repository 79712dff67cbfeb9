from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest

from rmgym.messages import message
from rmgym.protocols import Criterion, Rubric
from rmgym.state import fork
from rmgym.testing.echo import EchoEnv
from rmgym.trajectory import Context
from rmgym.wrappers.guidance import HEADING, RubricGuidance, guidance_text, with_guidance
from rmgym.wrappers.record_trajectory import RecordTrajectory

RUBRIC = Rubric(
    name="step",
    criteria=(
        Criterion(name="gap", text="Names what is missing, 50% or all.", weight=3.0),
        Criterion(name="one", text="Asks one thing."),
    ),
)
TEXT = f"{HEADING}\n- (75 %) Names what is missing, 50% or all.\n- (25 %) Asks one thing."


def last_text(observation: Any) -> str:
    text: str = observation[-1]["content"]
    return text


def test_the_rubric_is_written_with_its_shares() -> None:
    assert guidance_text(RUBRIC) == TEXT


def test_every_turn_but_the_end_sees_the_rubric() -> None:
    env = RubricGuidance(EchoEnv(), RUBRIC)
    observation, _ = env.reset(seed=0)
    assert last_text(observation).endswith(TEXT)
    observation, *_ = env.step("<say>amber</say>")
    assert last_text(observation).endswith(TEXT)
    observation, _, terminated, _, _ = env.step("<leave></leave>")
    assert terminated
    assert not any(HEADING in said["content"] for said in observation)


def test_the_source_gets_what_the_agent_saw_and_may_stay_silent() -> None:
    seen: list[Context] = []

    def source(context: Context) -> Rubric | None:
        seen.append(context)
        return RUBRIC if not context.turns else None

    env = RubricGuidance(EchoEnv(), source)
    first, _ = env.reset(seed=0)
    second, *_ = env.step("<say>amber</say>")
    assert HEADING in last_text(first)
    assert HEADING not in last_text(second)
    assert seen[1].turns[0].observation == first
    assert seen[1].turns[0].completion.text == "<say>amber</say>"
    assert seen[1].turns[0].info == {}


def test_the_environment_within_is_left_as_it_was() -> None:
    plain, guided = EchoEnv(), EchoEnv()
    env = RubricGuidance(guided, RUBRIC)
    plain.reset(seed=3)
    env.reset(seed=3)
    a, b = plain.step("<say>birch</say>"), env.step("<say>birch</say>")
    assert a[1:4] == b[1:4]
    assert plain.state_hash == guided.state_hash


def test_a_wrapper_around_it_records_what_the_agent_saw() -> None:
    env = RecordTrajectory(RubricGuidance(EchoEnv(), RUBRIC))
    first, _ = env.reset(seed=0)
    env.step("<leave></leave>")
    (trajectory,) = env.trajectories
    assert trajectory.turns[0].observation == first
    assert HEADING in last_text(first)


def test_a_fork_is_guided_on_its_own() -> None:
    env: gym.Env[Any, Any] = RubricGuidance(EchoEnv(), RUBRIC)
    env.reset(seed=0)
    env.step("<say>amber</say>")
    twin = fork(env, same_stream=True)
    assert twin.step("<say>cedar</say>")[0] == env.step("<say>cedar</say>")[0]


@pytest.mark.parametrize("role", ["tool", "assistant"])
def test_guidance_ends_a_message_of_the_user_and_follows_any_other(role: Any) -> None:
    assert with_guidance((message("user", "a"),), "g") == (message("user", "a\n\ng"),)
    said = (message(role, "a"),)
    assert with_guidance(said, "g") == (*said, message("user", "g"))
    assert with_guidance((), "g") == (message("user", "g"),)
