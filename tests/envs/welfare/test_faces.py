from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check_env

from rmgym.agents.catalog import chat_ids, make_policy
from rmgym.envs.welfare.array_env import WelfareArrayEnv
from rmgym.envs.welfare.env import WelfareEnv
from rmgym.envs.welfare.vector_env import WelfareVectorEnv
from rmgym.errors import DataError
from rmgym.rewards.welfare import swf
from rmgym.testing import check_env, check_manual, malformed_actions

CHAT, ARRAY = "rmgym/Welfare-v0", "rmgym/WelfareArray-v0"
SMALL: dict[str, Any] = {"members": 6, "tasks": 20, "max_assignments": 40}
ARRAY_KINDS: list[dict[str, Any]] = [
    {},
    SMALL | {"elimination": True},
    SMALL | {"objective": "nash", "grant": "outcome"},
    SMALL | {"objective": "alpha_fair", "parameters": {"alpha": 2.0, "floor": 1.0}},
    {"mode": "budget", "rounds": 3},
    {"mode": "indivisible", "objective": "gini_welfare"},
]


@pytest.mark.parametrize("mode", ["swf", "budget", "indivisible", "dilemma"])
def test_each_mode_holds_what_a_conversation_must(mode: Any) -> None:
    size = SMALL if mode == "swf" else {}
    env = gym.make(CHAT, mode=mode, **size)
    check_env(env, episodes=1, policies=[make_policy(CHAT, "random", env)], subprocesses=False)


def test_elimination_holds_what_a_conversation_must() -> None:
    env = gym.make(CHAT, elimination=True, **SMALL)
    check_env(env, episodes=1, policies=[make_policy(CHAT, "random", env)], subprocesses=False)


@pytest.mark.parametrize("settings", ARRAY_KINDS)
def test_gymnasiums_check_of_the_array_face(settings: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        # Says only that the environment was made without its wrappers.
        warnings.simplefilter("ignore", UserWarning)
        gymnasium_check_env(gym.make(ARRAY, **settings).unwrapped)


@pytest.mark.parametrize("settings", ARRAY_KINDS)
def test_our_check_of_the_array_face(settings: dict[str, Any]) -> None:
    check_env(gym.make(ARRAY, **settings), episodes=2)


@pytest.mark.parametrize("kind", [WelfareEnv, WelfareArrayEnv])
def test_the_manuals_are_whole(kind: type) -> None:
    check_manual(kind)


def test_the_array_face_is_no_conversation() -> None:
    assert CHAT in chat_ids()
    assert ARRAY not in chat_ids()


def chat_actions(mode: str, env: Any, choices: Any) -> str:
    names = env.view.names
    if mode == "budget":
        amounts = (100.0 * choices / choices.sum()).tolist()
        return f"<allocate>{json.dumps(dict(zip(names, amounts, strict=True)))}</allocate>"
    return f"<agent>{names[int(choices)]}</agent>"


@pytest.mark.parametrize(
    ("settings", "rewards"),
    [
        (SMALL, ["swf_gain"]),
        (SMALL | {"elimination": True}, ["swf_gain"]),
        (SMALL | {"objective": "nash"}, ["nash_gain"]),
        ({"mode": "budget", "rounds": 3}, ["nash_gain"]),
        ({"mode": "indivisible"}, ["nash_gain"]),
    ],
)
def test_the_same_seed_and_choices_give_the_same_rewards_through_either_face(
    settings: dict[str, Any], rewards: list[str]
) -> None:
    for seed in range(5):
        array = WelfareArrayEnv(**settings)
        mine = {key: value for key, value in settings.items() if key != "objective"}
        chat = WelfareEnv(rewards=rewards, **mine)
        array.reset(seed=seed)
        chat.reset(seed=seed)
        array.action_space.seed(seed)
        ended = False
        while not ended:
            choice = np.asarray(array.action_space.sample(), dtype=np.float64)
            action = choice if settings.get("mode") == "budget" else int(choice)
            _, paid, terminated, truncated, _ = array.step(action)
            text = chat_actions(chat.mode, chat, choice)
            _, reward, over, cut, _ = chat.step(text)
            assert reward == paid
            assert (over, cut) == (terminated, truncated)
            ended = over or cut


@pytest.mark.parametrize("settings", ARRAY_KINDS)
def test_the_native_vector_plays_the_episodes_of_single_copies(settings: dict[str, Any]) -> None:
    number = 4
    vector = WelfareVectorEnv(number, **settings)
    singles = [WelfareArrayEnv(**settings) for _ in range(number)]
    seen, _ = vector.reset(seed=7)
    alone = np.array([env.reset(seed=7 + i)[0] for i, env in enumerate(singles)])
    np.testing.assert_allclose(seen, alone, atol=1e-6)
    ended = [False] * number
    vector.action_space.seed(3)
    for _ in range(150):
        actions = vector.action_space.sample()
        seen, rewards, terminated, truncated, infos = vector.step(actions)
        for i, env in enumerate(singles):
            if ended[i]:
                (observation, info), reward, ends = env.reset(), 0.0, (False, False)
            else:
                observation, reward, over, cut, info = env.step(actions[i])
                ends = (over, cut)
            ended[i] = any(ends)
            assert rewards[i] == pytest.approx(reward, abs=1e-12)
            assert (terminated[i], truncated[i]) == ends
            np.testing.assert_allclose(seen[i], observation, atol=1e-6)
            assert infos["flow"][i] == info["flow"]
            assert (infos["action_mask"][i] == info["action_mask"]).all()
            if "swf" in info:
                assert infos["swf"][i] == info["swf"]


def test_make_vec_gives_the_native_vector_and_same_step_keeps_the_end() -> None:
    mode = gym.vector.AutoresetMode.SAME_STEP
    vector: Any = gym.make_vec(ARRAY, num_envs=3, mode="indivisible", autoreset_mode=mode)
    assert isinstance(vector.unwrapped, WelfareVectorEnv)
    vector.reset(seed=0)
    for _ in range(8):
        seen, _, terminated, _, infos = vector.step(np.zeros(3, dtype=np.int64))
    assert terminated.all()
    assert infos["final_obs"][0][-1] == 1.0
    assert seen[0][-1] == 0.0
    assert infos["final_info"]["least"].tolist() == [0.0, 0.0, 0.0]


def test_a_disabled_autoreset_asks_for_a_reset_of_the_ended() -> None:
    vector = WelfareVectorEnv(2, mode="budget", autoreset_mode="Disabled")
    vector.reset(seed=0)
    vector.step(np.ones((2, 6)))
    with pytest.raises(gym.error.ResetNeeded, match="ended environments"):
        vector.step(np.ones((2, 6)))
    vector.reset(options={"reset_mask": np.array([True, True])})
    vector.step(np.ones((2, 6)))


def test_turn_rewards_sum_to_the_outcome_exactly() -> None:
    for seed in range(10):
        totals = []
        for grant in ("turn", "outcome"):
            env = WelfareArrayEnv(grant=grant, **SMALL)
            env.reset(seed=seed)
            rng, ended, rewards = np.random.default_rng(seed), False, []
            while not ended:
                _, reward, over, cut, _ = env.step(int(rng.integers(6)))
                rewards.append(reward)
                ended = over or cut
            totals.append(sum(rewards))
        assert totals[0] == totals[1]


def test_turn_terms_of_the_chat_face_sum_to_the_outcome_exactly() -> None:
    env = WelfareEnv(rewards=["swf", "swf_gain", "nash", "nash_gain", "gini_drop"], **SMALL)
    policy = make_policy(CHAT, "efficient", env)
    sums: dict[str, float] = {}
    env.reset(seed=1)
    ended = False
    while not ended:
        _, _, over, cut, info = env.step(policy.act([env.context])[0].text)
        for name, value in info["reward_terms"].items():
            sums[name] = sums.get(name, 0.0) + value
        ended = over or cut
    assert sums["swf_gain"] == sums["swf"] > 0
    assert sums["nash_gain"] == sums["nash"]
    assert sums["gini_drop"] == pytest.approx(-(1 - info["metrics"]["fairness"]), abs=1e-6)


def test_swf_is_averaged_as_a_mean_of_products() -> None:
    from rmgym.envs.welfare.plane import make_point

    point = make_point("x", [1.0, 0.0], [10.0, 30.0])
    assert point.swf.mean == 5.0
    assert point.fairness.mean * point.roi.mean == 10.0


BAD = [
    '<allocate>{"Ada": NaN, "Bram": 100}</allocate>',
    '<allocate>{"Ada": Infinity}</allocate>',
    '<allocate>{"Ada": -1, "Bram": 101}</allocate>',
    '<allocate>{"Ada": 100, "Zoe": 0}</allocate>',
    '<allocate>{"Ada": true, "Bram": 99}</allocate>',
    '<allocate>{"Ada": "100"}</allocate>',
    '<allocate>{"Ada": null}</allocate>',
    '<allocate>{"Ada": 1e999}</allocate>',
    f'<allocate>{{"Ada": 1{"0" * 400}}}</allocate>',
    '<allocate>{"Ada": 99.9}</allocate>',
    "<allocate>[100]</allocate>",
    "<allocate>{}</allocate>",
    "<allocate></allocate>",
    '<allocate>{"ada": 100, "ADA": 100}</allocate>',
    "<agent></agent>",
    "<agent>nobody</agent>",
    "<agent>Ada, Bram</agent>",
    "<agent>\x00\x1b[2J</agent>",
    "<choose>0</choose>",
    "<choose>3</choose>",
    "<choose>1.0</choose>",
    "<choose>true</choose>",
    "<choose>one</choose>",
    "<choose>NaN</choose>",
]


@pytest.mark.parametrize("mode", ["swf", "budget", "indivisible", "dilemma"])
def test_what_cannot_be_done_is_an_ordinary_turn_that_changes_nothing(mode: Any) -> None:
    env = WelfareEnv(mode=mode, spare_turns=len(BAD))
    for action in BAD:
        env.reset(seed=0)
        before = env.episode.game.metrics()
        _, reward, terminated, _, info = env.step(action)
        assert info["event"]["kind"] == "invalid", action
        assert env.episode.game.metrics() == before
        assert not terminated
        assert reward == (0.0 if mode == "dilemma" else -0.1)


@pytest.mark.parametrize("mode", ["swf", "budget", "indivisible", "dilemma"])
@pytest.mark.parametrize("action_format", ["tags", "tool_call"])
def test_malformed_actions_end_in_ordinary_turns(mode: Any, action_format: Any) -> None:
    env = WelfareEnv(mode=mode, action_format=action_format)
    env.reset(seed=0)
    for action in malformed_actions(np.random.default_rng(1), 1_300, tools=env.tool_list):
        observation, reward, over, cut, info = env.step(action)
        assert np.isfinite(reward)
        assert env.observation_space.contains(observation)
        assert not over or mode == "dilemma", action[:80]
        assert info["event"]["kind"] in ("invalid", "choose")
        if over or cut:
            env.reset()


def test_numbers_that_are_no_division_give_nothing_and_spend_a_turn() -> None:
    env = WelfareArrayEnv(mode="budget", spare_turns=3)
    env.reset(seed=0)
    for bad in ([np.nan] * 6, [-1.0, 1, 0, 0, 0, 0], [1.0, 2.0], ["all"] * 6):
        _, reward, terminated, truncated, info = env.step(np.array(bad))
        assert (reward, terminated, info["total"]) == (0.0, False, 0.0)
    assert truncated


NOBODY = [-1, 12, 10**9, 10**30, float("nan"), float("inf"), 1.5, "Qwen7B", None, True]


@pytest.mark.parametrize("mode", ["swf", "indivisible"])
@pytest.mark.parametrize("action", NOBODY)
def test_choices_that_name_nobody_give_nothing(mode: Any, action: Any) -> None:
    single, vector = WelfareArrayEnv(mode=mode), WelfareVectorEnv(2, mode=mode)
    single.reset(seed=0)
    vector.reset(seed=0)
    assert single.step(action)[1] == 0.0
    assert vector.step(np.array([action, action]))[1].tolist() == [0.0, 0.0]
    assert single.step(np.array([1, 2]))[1] == 0.0


def test_ten_thousand_random_and_broken_divisions_are_ordinary_steps() -> None:
    rng = np.random.default_rng(0)
    vector = WelfareVectorEnv(100, mode="budget", rounds=3)
    vector.reset(seed=0)
    for _ in range(100):
        shares = rng.normal(size=(100, 6)) + 1.0
        shares[rng.random((100, 6)) < 0.1] = rng.choice([np.nan, np.inf, -np.inf, 0.0])
        seen, rewards, *_ = vector.step(shares)
        assert np.isfinite(rewards).all()
        assert vector.observation_space.contains(seen)


def test_a_flow_can_be_named() -> None:
    env = WelfareEnv()
    _, info = env.reset(options={"flow": 77})
    assert info["task_id"] == "flow-77"
    with pytest.raises(ValueError, match="expected a flow"):
        env.reset(options={"flow": -1})


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a mode"):
        WelfareEnv(mode="auction")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="as numbers"):
        WelfareArrayEnv(mode="dilemma")
    with pytest.raises(ValueError, match="another objective than swf"):
        WelfareArrayEnv(mode="budget", objective="swf")
    with pytest.raises(ValueError, match="expected an objective"):
        WelfareArrayEnv(objective="happiness")
    with pytest.raises(ValueError, match="floor above 0"):
        WelfareArrayEnv(objective="alpha_fair", parameters={"alpha": 1.0})
    with pytest.raises(ValueError, match="at least 1"):
        WelfareVectorEnv(0)


def test_the_outcome_term_of_swf_reads_the_event() -> None:
    env = WelfareEnv(rewards=[swf()], members=2, tasks=1)
    env.reset(seed=0)
    ended, total = False, 0.0
    while not ended:
        _, reward, over, cut, info = env.step("<agent>Qwen72B</agent>")
        total += reward
        ended = over or cut
    assert total == pytest.approx(info["metrics"]["swf"], abs=1e-6)


def test_dailydilemmas_is_read_by_path() -> None:
    shared = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "daily_dilemmas"
    file = shared / "dilemmas_with_detail_by_action_test.csv"
    if not file.exists():
        pytest.skip("no shared/data/daily_dilemmas beside the repository")
    env = WelfareEnv(mode="dilemma", dilemmas=file)
    observation, info = env.reset(options={"task_id": "dilemma-55"})
    assert "Should you take initiative" in observation[0]["content"]
    option = 1 + [c.kind for c in env.episode.game.shown].index("to_do")  # type: ignore[union-attr]
    _, reward, terminated, _, info = env.step(f"<choose>{option}</choose>")
    assert (reward, terminated) == (0.0, True)
    assert info["event"]["values"][0] == "honesty"
    assert info["metrics"]["value/fairness"] == 1.0
    assert info["metrics"]["value/tolerance"] == -1.0
    assert info["event"]["dimensions"]["maslow"][0] == "self-esteem"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("idx,action\n1,go\n", "got none of"),
        ("idx,dilemma_situation,action_type,action\n1,s,maybe,go\n", "row 2: expected action_type"),
        ("idx,dilemma_situation,action_type,action\n1,s,to_do,go\n", "both actions, got none"),
        (
            "idx,dilemma_situation,action_type,action,values_names\n1,s,to_do,go,__import__('os')\n",
            "row 2: expected a list in 'values_names'",
        ),
    ],
)
def test_broken_files_of_dilemmas_are_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "dilemmas.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        WelfareEnv(mode="dilemma", dilemmas=file)
    with pytest.raises(DataError, match="readable CSV"):
        WelfareEnv(mode="dilemma", dilemmas=tmp_path / "nowhere.csv")


def test_a_dilemma_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="one of 8 dilemmas"):
        WelfareEnv(mode="dilemma").reset(options={"task_id": "dilemma-x"})
