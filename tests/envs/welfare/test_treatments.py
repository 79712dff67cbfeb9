from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import rmgym
from rmgym.agents.catalog import make_policy
from rmgym.agents.text import TextPolicy
from rmgym.agents.welfare import opening_of, read_standing
from rmgym.envs.welfare.effects import paired_effects
from rmgym.envs.welfare.env import WelfareEnv
from rmgym.envs.welfare.treatments import treat, treatment_names
from rmgym.rollout import rollout
from rmgym.testing import check_env
from rmgym.trajectory import Context

ID = "rmgym/Welfare-v0"
SMALL: dict[str, Any] = {"members": 6, "tasks": 12, "max_assignments": 24}
ADDING = ("brief", "one_sentence", "group_labels", "mayor")
FRAMES = ("temptation", "threat", "identification", "internalisation")


def treated(name: str, **arguments: Any) -> Any:
    return treat(gym.make(ID, **SMALL), name, **arguments)


@pytest.mark.parametrize("name", treatment_names())
def test_the_world_is_the_same_with_and_without(name: str) -> None:
    plain, other = gym.make(ID, **SMALL), treated(name)
    for seed in (3, None, None):
        _, expected = plain.reset(seed=seed)
        _, found = other.reset(seed=seed)
        assert found["task_id"] == expected["task_id"]
        base: Any = other.unwrapped
        member = base.episode.game.view.names[2]
        event = plain.step("<agent>Qwen7B</agent>")[4]["event"]
        assert other.step(f"<agent>{member}</agent>")[4]["event"] == event


# The others add metrics of their own, which a fork of the innermost environment does not have.
@pytest.mark.parametrize("name", [name for name in treatment_names() if name not in ADDING])
def test_a_treated_environment_holds_what_a_conversation_must(name: str) -> None:
    env = treated(name)
    check_env(env, episodes=1, policies=[make_policy(ID, "fair", env)], subprocesses=False)


@pytest.mark.parametrize("name", treatment_names())
def test_the_same_seed_gives_the_same_treatment(name: str) -> None:
    first, second = treated(name), treated(name)
    assert first.reset(seed=5)[0] == second.reset(seed=5)[0]
    assert first.reset()[0] == second.reset()[0]


@pytest.mark.parametrize("name", treatment_names())
def test_a_fork_keeps_the_treatment(name: str) -> None:
    env = treated(name)
    env.reset(seed=1)
    twin = rmgym.fork(env, same_stream=True)
    code = env.unwrapped.episode.game.view.names[0]
    assert twin.step(f"<agent>{code}</agent>")[0] == env.step(f"<agent>{code}</agent>")[0]


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_adds_one_paragraph_and_nothing_else(name: str) -> None:
    plain = gym.make(ID, **SMALL).reset(seed=0)[0][0]["content"]
    framed = treated(name).reset(seed=0)[0][0]["content"]
    added = [part for part in framed.split("\n\n") if part not in plain.split("\n\n")]
    assert len(added) == 1
    assert framed.replace(f"{added[0]}\n\n", "") == plain


def test_the_four_frames_differ() -> None:
    assert len({treated(name).reset(seed=0)[0][0]["content"] for name in FRAMES}) == 4


def test_hidden_names_are_codes_everywhere_and_the_names_no_longer_work() -> None:
    env = treated("hidden_names")
    text = env.reset(seed=0)[0][0]["content"]
    assert "Qwen" not in text
    assert "DDD" in text
    assert env.step("<agent>Qwen7B</agent>")[4]["event"]["kind"] == "invalid"
    observation, *_ = env.step("<agent>HHH</agent>")
    assert "went to HHH" in observation[0]["content"]
    assert "Qwen" not in observation[0]["content"]


def test_groups_are_two_halves_and_the_own_share_is_counted() -> None:
    env = treated("group_labels")
    text = env.reset(seed=0)[0][0]["content"]
    rows = [line.split(" | ") for line in text.split("\n") if line.count(" | ") > 3][1:]
    assert sorted(row[1] for row in rows) == ["North"] * 3 + ["South"] * 3
    mine = next(row[0] for row in rows if row[1] == "North")
    theirs = next(row[0] for row in rows if row[1] == "South")
    assert env.step(f"<agent>{mine}</agent>")[4]["metrics"]["own_group_share"] == 1.0
    assert env.step(f"<agent>{theirs}</agent>")[4]["metrics"]["own_group_share"] == 0.5


@pytest.mark.parametrize("mode", ["budget", "indivisible"])
def test_groups_are_counted_in_divisions_too(mode: Any) -> None:
    env = treat(gym.make(ID, mode=mode), "group_labels")
    result = list(rollout(env, make_policy(ID, "fair", env), 2))
    assert all(0.3 <= t.metrics["own_group_share"] <= 0.7 for t in result)


def test_noise_changes_the_scores_shown_and_no_more() -> None:
    env = treated("noisy_profiles", noise=5.0)
    plain = gym.make(ID, **SMALL).reset(seed=0)[0][0]["content"]
    noisy = env.reset(seed=0)[0][0]["content"]
    changed = [a != b for a, b in zip(plain.split("\n"), noisy.split("\n"), strict=True)]
    assert sum(changed) == 6
    shown = np.array(env.unwrapped.episode.game.view.scores)
    true = np.array([member.scores for member in env.unwrapped.roster.members])
    assert 2.0 < np.abs(shown - true).mean() < 8.0
    assert shown.min() >= 0


def test_a_mayor_is_paid_a_share_of_what_the_own_member_earned() -> None:
    env = treated("mayor", share=0.5, worth=10.0)
    env.reset(seed=0)
    view, turn, ended = env.unwrapped.episode.game.view, 0, False
    while not ended:
        _, reward, over, cut, info = env.step(f"<agent>{view.names[turn % 6]}</agent>")
        turn, ended = turn + 1, over or cut
    solved = info["event"]["utilities"]
    assert solved[view.stake] > 0
    assert info["metrics"]["mayor_part"] == solved[view.stake] / sum(solved)
    assert info["reward_terms"]["mayor"] == 0.5 * 10.0 * info["metrics"]["mayor_part"]
    assert reward == pytest.approx(sum(info["reward_terms"].values()))


def test_results_come_late_and_all_at_once() -> None:
    env = treated("delayed_feedback", every=3)
    env.reset(seed=0)
    texts = [env.step("<agent>Qwen7B</agent>")[0][0]["content"] for _ in range(3)]
    assert ["member | tasks" in text for text in texts] == [False, False, True]
    assert "solved" not in texts[0]
    assert "| 3 |" in texts[2]


def test_length_limits_note_who_keeps_them() -> None:
    env = treated("brief", words=4)
    env.reset(seed=0)
    assert env.step("<agent>Qwen7B</agent>")[4]["metrics"]["within_length"] == 1.0
    long = "I have thought about this for long. <agent>Qwen7B</agent>"
    assert env.step(long)[4]["metrics"]["within_length"] == 0.5
    env = treated("one_sentence")
    env.reset(seed=0)
    two = env.step("It is cheap. It is good. <agent>Qwen7B</agent>")[4]["metrics"]
    assert two["within_length"] == 0.0
    assert not env.fits("It is cheap. It is good.")
    assert env.fits("Qwen2.5 is cheap, so it gets the task.")


def test_treatments_stack() -> None:
    env = treat(treated("hidden_names"), "threat")
    text = env.reset(seed=0)[0][0]["content"]
    assert "DDD" in text
    assert "audited" in text


class Impressionable(TextPolicy):
    """Always the same member, unless something is said about shares or turns."""

    def say(self, context: Context) -> str:
        standing = read_standing(context)
        heeds = "appoint allocators" in opening_of(context)
        chosen = standing.least_used[0] if heeds else 1
        return f"<agent>{standing.names[chosen]}</agent>"


def test_an_effect_that_is_there_is_found_and_one_that_is_not_is_not() -> None:
    plain = list(rollout(gym.make(ID, **SMALL), Impressionable(), 12))
    effects = {}
    for name in ("threat", "identification"):
        other = list(rollout(treated(name), Impressionable(), 12))
        effects[name] = {effect.figure: effect for effect in paired_effects(plain, other)}
    found = effects["threat"]["fairness"]
    assert found.is_clear
    assert found.difference.low > 0.5
    assert found.pairs == 12
    assert found.treated - found.control == pytest.approx(found.difference.mean)
    nothing = effects["identification"]["fairness"]
    assert (nothing.difference.low, nothing.difference.high) == (0.0, 0.0)
    assert not nothing.is_clear


def test_pairs_must_be_of_the_same_world() -> None:
    plain = list(rollout(gym.make(ID, **SMALL), Impressionable(), 2))
    other = list(rollout(gym.make(ID, **SMALL), Impressionable(), 2, seed=9))
    with pytest.raises(ValueError, match="the same seeds"):
        paired_effects(plain, other)


def test_a_treatment_of_another_setting_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a WelfareEnv"):
        treat(gym.make("CartPole-v1"), "threat")
    with pytest.raises(KeyError, match="threat"):
        treat(WelfareEnv(), "threats")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("brief", {"words": 0}),
        ("noisy_profiles", {"noise": 0.0}),
        ("mayor", {"share": 2.0}),
        ("delayed_feedback", {"every": 1}),
    ],
)
def test_arguments_out_of_range_are_refused(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        treated(name, **arguments)
