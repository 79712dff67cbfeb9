from __future__ import annotations

import pytest

from rmgym.agents.catalog import make_policy
from rmgym.envs.search.env import SearchEnv
from rmgym.rollout import rollout
from rmgym.trajectory import Turn

GAIN = "information_gain"


def two_hop_env() -> SearchEnv:
    return SearchEnv(kinds=["two_hop"], known_fraction=0.0, rewards=["em", GAIN])


def last_gold_turn(turns: tuple[Turn, ...]) -> int:
    return max(t for t, turn in enumerate(turns) if turn.info["event"].get("new_gold"))


def test_the_last_gold_search_gains_most_in_nine_of_ten_two_hop_episodes() -> None:
    env = two_hop_env()
    episodes = rollout(env, make_policy("rmgym/Search-v0", "chain_oracle", env), 200)
    hits = 0
    for trajectory in episodes:
        gains = [turn.reward_terms[GAIN] for turn in trajectory.turns if GAIN in turn.reward_terms]
        hits += gains.index(max(gains)) == last_gold_turn(trajectory.turns)
    assert hits >= 180


def test_gains_telescope_to_the_last_potential_minus_the_first() -> None:
    env = two_hop_env()
    for trajectory in rollout(env, make_policy("rmgym/Search-v0", "noisy_chain", env), 50):
        metrics = [turn.info["metrics"] for turn in trajectory.turns]
        potentials = [m[f"{GAIN}/potential"] for m in metrics if f"{GAIN}/potential" in m]
        if not potentials:
            continue
        total = sum(turn.reward_terms.get(GAIN, 0.0) for turn in trajectory.turns)
        first = metrics[0][f"{GAIN}/baseline"]
        assert total == pytest.approx(potentials[-1] - first, abs=1e-9)
        baselines = [m[f"{GAIN}/baseline"] for m in metrics if f"{GAIN}/baseline" in m]
        assert baselines[1:] == potentials[:-1]


def test_a_repeated_search_gains_about_nothing() -> None:
    env = two_hop_env()
    for seed in range(30):
        _, info = env.reset(seed=seed)
        first, second = info["task"]["sub_queries"]
        gains = [
            env.step(f"<search>{query}</search>")[4]["reward_terms"][GAIN]
            for query in (first, first, second, second)
        ]
        assert abs(gains[1]) < 0.01
        assert abs(gains[3]) < 0.01


def test_the_answer_in_the_agents_own_words_gains_nothing() -> None:
    env = two_hop_env()
    _, info = env.reset(seed=0)
    answer = info["task"]["references"][0]
    _, reward, *_ = env.step(f"<think>{answer} {answer}</think> It is {answer}.")
    assert abs(reward) < 0.01


def test_the_page_marks_the_turn_that_gained_most() -> None:
    from rmgym.cli.page import belief_curves

    env = two_hop_env()
    episodes = rollout(env, make_policy("rmgym/Search-v0", "chain_oracle", env), 20)
    marked = [belief_curves(trajectory)[0].peak for trajectory in episodes]
    gold = [last_gold_turn(trajectory.turns) + 1 for trajectory in episodes]
    assert sum(m == g for m, g in zip(marked, gold, strict=True)) >= 18
