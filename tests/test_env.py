from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env as gymnasium_check_env

from rmgym.conversation import Facts
from rmgym.errors import RetrieverError, RewardError
from rmgym.parsing import ActionFormat
from rmgym.protocols import Call
from rmgym.testing import malformed_actions, register_test_envs
from rmgym.testing.echo import EchoEnv
from rmgym.trajectory import Context

register_test_envs()


def say(env: EchoEnv, word: str | None = None) -> tuple[Any, float, bool, bool, dict[str, Any]]:
    return env.step(f"<say>{word or env.episode.word}</say>")


def test_made_environment_passes_gymnasiums_checker(capsys: pytest.CaptureFixture[str]) -> None:
    gymnasium_check_env(gym.make("rmgym-testing/Echo-v0").unwrapped)


def test_reset_shows_the_question_and_hides_the_facts() -> None:
    env = EchoEnv()
    observation, info = env.reset(seed=0)
    assert [said["role"] for said in observation] == ["user"]
    assert info["task"] == {"first_word": env.episode.word}
    assert isinstance(info["task"], Facts)
    assert info["reward_terms"] == {}
    assert info["metrics"] == {"turns": 0.0, "invalid_turns": 0.0, "echoed": 0.0}


def test_same_seed_gives_the_same_episode() -> None:
    first, second = EchoEnv(), EchoEnv()
    first.reset(seed=7)
    second.reset(seed=7)
    for _ in range(3):
        assert say(first) == say(second)


def test_solved_episode_terminates_with_both_terms() -> None:
    env = EchoEnv(words=2)
    env.reset(seed=0)
    _, reward, terminated, truncated, info = say(env)
    assert (reward, terminated, truncated) == (0.5, False, False)
    assert "stop_reason" not in info
    _, reward, terminated, truncated, info = say(env)
    assert (reward, terminated, truncated) == (1.5, True, False)
    assert info["reward_terms"] == {"echoed": 0.5, "finished": 1.0}
    assert info["stop_reason"] == "finished"


def test_malformed_action_spends_a_turn_and_says_what_was_expected() -> None:
    env = EchoEnv()
    env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step("eh?")
    assert "<say>...</say>" in observation[0]["content"]
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert info["event"] == {"kind": "invalid"}
    assert info["metrics"]["invalid_turns"] == 1.0


def test_turn_budget_truncates() -> None:
    env = EchoEnv(max_turns=2)
    env.reset(seed=0)
    assert env.step("")[2:4] == (False, False)
    *_, terminated, truncated, info = env.step("")
    assert (terminated, truncated, info["stop_reason"]) == (False, True, "max_turns")


def test_the_tasks_end_beats_the_budget() -> None:
    env = EchoEnv(words=1, max_turns=1)
    env.reset(seed=0)
    assert say(env)[2:4] == (True, False)


def test_character_budget_truncates_when_it_is_passed() -> None:
    env = EchoEnv()
    opening, _ = env.reset(seed=0)
    answer = env.step("x")[0]
    spent = len(opening[0]["content"]) + len("x") + len(answer[0]["content"])
    for budget, cut in ((spent, False), (spent - 1, True)):
        env = EchoEnv(max_characters=budget)
        env.reset(seed=0)
        assert env.step("x")[3] is cut


def test_step_before_reset_is_an_error() -> None:
    with pytest.raises(ResetNeeded):
        EchoEnv().step("")


def test_step_after_the_end_is_an_error() -> None:
    env = EchoEnv()
    env.reset(seed=0)
    env.step("<leave/>")
    with pytest.raises(ResetNeeded):
        env.step("")


def test_action_that_is_no_text_is_an_error_of_the_caller() -> None:
    env = EchoEnv()
    env.reset(seed=0)
    with pytest.raises(TypeError, match="as a str, got int"):
        env.step(5)  # type: ignore[arg-type]  # the point


def test_overlong_action_is_a_malformed_one() -> None:
    env = EchoEnv()
    env.max_action_characters = 10
    env.reset(seed=0)
    assert env.step("<say>x</say>")[4]["event"] == {"kind": "invalid"}


@pytest.mark.parametrize(
    ("argument", "value"), [("max_turns", 0), ("render_mode", "video"), ("action_format", "xml")]
)
def test_bad_argument_is_an_error(argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"expected {argument}"):
        EchoEnv(**{argument: value})


def test_ansi_renders_the_transcript() -> None:
    env = EchoEnv(render_mode="ansi")
    env.reset(seed=0)
    env.step("hello")
    assert "[assistant]\nhello" in (env.render() or "")


def test_human_mode_prints_what_the_terminal_cannot_show(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding in ("utf-8", "ascii"):
        screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", screen)
        env = EchoEnv(render_mode="human")
        env.reset(seed=0)
        env.step("lone \ud800 and é")
        screen.seek(0)
        assert "lone \\ud800" in screen.read()


def test_broken_backend_reaches_the_caller() -> None:
    class Broken(EchoEnv):
        def respond(self, call: Call) -> Any:
            raise RetrieverError("down")

    env = Broken()
    env.reset(seed=0)
    with pytest.raises(RetrieverError):
        say(env)


def test_failed_reset_leaves_no_old_episode() -> None:
    class Broken(EchoEnv):
        def begin_episode(self, options: Any) -> Any:
            if options.get("fail"):
                raise RetrieverError("down")
            return super().begin_episode(options)

    env = Broken()
    env.reset(seed=0)
    with pytest.raises(RetrieverError):
        env.reset(options={"fail": True})
    with pytest.raises(ResetNeeded):
        env.step("")


def test_failing_reward_term_is_named() -> None:
    class Bad:
        name, grant = "bad", "turn"

        def __call__(self, contexts: Sequence[Context]) -> list[float]:
            return [float("nan") for _ in contexts]

    env = EchoEnv(rewards=[Bad()])  # type: ignore[list-item]  # a plain str as grant
    env.reset(seed=0)
    with pytest.raises(RewardError, match="'bad'"):
        env.step("")


def play_malformed(action_format: ActionFormat, number: int) -> int:
    env = EchoEnv(action_format=action_format)
    env.reset(seed=0)
    invalid = 0
    for action in malformed_actions(np.random.default_rng(0), number, tools=env.tool_list):
        observation, reward, terminated, truncated, info = env.step(action)
        assert observation in env.observation_space
        assert np.isfinite(reward)
        invalid += info["event"]["kind"] == "invalid"
        if terminated or truncated:
            env.reset()
    return invalid


@pytest.mark.parametrize("action_format", ["tags", "tool_call"])
def test_a_thousand_malformed_actions_are_ordinary_turns(action_format: ActionFormat) -> None:
    assert play_malformed(action_format, 1_000) > 700


@pytest.mark.slow
def test_ten_thousand_malformed_actions_are_ordinary_turns() -> None:
    assert play_malformed("tool_call", 10_000) > 9_000
