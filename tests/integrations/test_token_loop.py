"""Episodes over an engine of ids, and episodes of given seeds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import gymnasium as gym
import pytest

from rmgym.agents.renderer import Renderer
from rmgym.errors import BackendError, MissingExtraError, PolicyError
from rmgym.integrations.episodes import EpisodePlayer, trainer_module, without_tokens
from rmgym.integrations.token_loop import Sampled, TokenBudget, play_episode
from rmgym.rollout import EpisodeFailure
from rmgym.testing import register_test_envs
from rmgym.testing.bytes_tokenizer import END, ByteTokenizer
from rmgym.testing.fakes import ScriptedPolicy, UniformEngine
from rmgym.trajectory import Trajectory

register_test_envs()
ECHO = partial(gym.make, "rmgym-testing/Echo-v0", words=1, max_turns=3)
RENDERER = Renderer(ByteTokenizer())


def play(text: str, budget: TokenBudget = TokenBudget(), env: Any = ECHO) -> tuple[Any, list[Any]]:  # noqa: B008  # immutable
    rooms: list[Any] = []

    async def generate(prompt: tuple[int, ...], room: int | None) -> Sampled:
        rooms.append((len(prompt), room))
        ids = (*ByteTokenizer().encode(text), END)
        return Sampled(ids, (-0.5,) * len(ids))

    return asyncio.run(play_episode(env, 3, generate, RENDERER, budget=budget)), rooms


def test_prompts_grow_by_appending() -> None:
    trajectory, _ = play("<say>no</say>")
    assert len(trajectory.turns) == 3
    assert trajectory.seed == 3
    before: tuple[int, ...] = ()
    for turn in trajectory.turns:
        assert turn.completion.prompt_ids[: len(before)] == before
        before = turn.completion.prompt_ids + turn.completion.completion_ids
    assert trajectory.stop_reason == "max_turns"


def test_an_episode_without_room_for_a_turn_is_truncated_with_its_outcome() -> None:
    whole, rooms = play("<say>no</say>")
    first = rooms[0][0]
    trajectory, asked = play("<say>no</say>", TokenBudget(response=20))
    assert len(trajectory.turns) == 1
    assert trajectory.stop_reason == "max_tokens"
    assert trajectory.turns[-1].truncated
    assert trajectory.turns[-1].reward_terms == {"finished": 0.0}
    assert asked == [(first, 20)]
    assert whole.turns[0].reward_terms == {}


def test_a_first_prompt_without_room_is_an_error_of_the_policy() -> None:
    with pytest.raises(PolicyError, match="raise the trainer's limits"):
        play("x", TokenBudget(sequence=10))


def test_no_sampled_token_is_an_error_of_the_policy() -> None:
    async def nothing(prompt: tuple[int, ...], room: int | None) -> Sampled:
        return Sampled((), ())

    with pytest.raises(PolicyError, match="at least one sampled token"):
        asyncio.run(play_episode(ECHO, 0, nothing, RENDERER))


def test_budgets_take_the_smaller_room() -> None:
    assert TokenBudget().room(10, 10) is None
    assert TokenBudget(sequence=50).room(10, 30) == 20
    assert TokenBudget(response=25).room(10, 30) == 5
    assert TokenBudget(sequence=50, response=25).room(10, 30) == 5


def test_one_episode_a_seed_in_order() -> None:
    player = EpisodePlayer(ECHO)
    found = player.play(UniformEngine(max_tokens=4), [5, 5, 6])
    assert [each.seed for each in found] == [5, 5, 6]
    assert all(isinstance(each, Trajectory) for each in found)
    again = player.play(UniformEngine(max_tokens=4), [6])
    assert isinstance(again[0], Trajectory)
    assert isinstance(found[2], Trajectory)
    assert again[0].turns == found[2].turns
    player.close()


def test_a_broken_backend_is_a_failure_in_its_place() -> None:
    class Broken(gym.Wrapper[Any, Any, Any, Any]):
        def step(self, action: Any) -> Any:
            raise BackendError("lost")

    made: Iterator[Any] = iter([ECHO(), Broken(ECHO())])
    player = EpisodePlayer(lambda: next(made))
    good, bad = player.play(ScriptedPolicy(["<leave/>"]), [0, 1])
    assert isinstance(good, Trajectory)
    assert isinstance(bad, EpisodeFailure)
    assert (bad.error, bad.message, bad.turns_played) == ("BackendError", "lost", 0)


def test_a_policy_that_fails_is_a_failure() -> None:
    (ended,) = EpisodePlayer(ECHO).play(ScriptedPolicy(["<say>no</say>"]), [0])
    assert isinstance(ended, EpisodeFailure)
    assert ended.turns_played == 1


def test_a_budget_truncates_with_the_outcome() -> None:
    player = EpisodePlayer(ECHO, max_tokens=1)
    (ended,) = player.play(UniformEngine(max_tokens=4), [0])
    assert isinstance(ended, Trajectory)
    assert ended.stop_reason == "max_tokens"
    assert "finished" in ended.turns[-1].reward_terms


def test_without_tokens_keeps_all_but_ids() -> None:
    trajectory, _ = play("<say>no</say>")
    bare = without_tokens(trajectory)
    assert [turn.completion.text for turn in bare.turns] == ["<say>no</say>"] * 3
    assert not any(turn.completion.prompt_ids for turn in bare.turns)
    assert bare.turns[-1].reward_terms == trajectory.turns[-1].reward_terms


def test_a_missing_trainer_is_named_with_the_line_that_installs_it() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'rmgym\[verl\]'"):
        trainer_module("surely_not_installed.part", "TurnAgentLoop", "verl")


def test_a_trainer_that_is_broken_says_what_it_lacks(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_trainer.py").write_text("import surely_not_installed")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="surely_not_installed"):
        trainer_module("broken_trainer", "X", "verl")


@pytest.mark.parametrize("trainer", ["trl", "verl", "skyrl", "openrlhf", "verifiers", "openenv"])
def test_adapters_are_imported_without_their_trainers(trainer: str) -> None:
    import importlib
    import subprocess
    import sys

    importlib.import_module(f"rmgym.integrations.{trainer}")
    code = (
        f"import rmgym.integrations.{trainer}, sys; "
        "heavy = {'torch', 'transformers', 'trl', 'verl', 'skyrl', 'openrlhf', 'verifiers', "
        "'openenv', 'ray'}; print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
