"""The main job: every setting on its embedded defaults, played by its scripted policies."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gymnasium as gym
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from rmgym.agents.catalog import chat_ids, demo_policy_names, make_policy
from rmgym.cli.page import belief_curves, write_page
from rmgym.cli.runs import LiveProgress, show_leaderboard
from rmgym.rollout import TrajectoryStore, rollout
from rmgym.rollout.summary import Summary, policy_of, summarise_by_policy
from rmgym.trajectory import Trajectory

DEMO_SETTINGS: dict[str, dict[str, Any]] = {
    "rmgym/Search-v0": {"rewards": ["em", ("information_gain", 0.5), ("format", 0.1)]},
    "rmgym/Welfare-v0": {"members": 6, "tasks": 20, "max_assignments": 40},
}
_SHOWN_CHARACTERS = 700
_PAGE_EPISODES_PER_POLICY = 4


def run_demo(console: Console, *, episodes: int, seed: int, out: Path) -> list[Trajectory]:
    """Play, print the leaderboard, walk one trajectory, write the store and the page."""
    started = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    store_path = out / "trajectories.jsonl"
    store_path.unlink(missing_ok=True)
    trajectories: list[Trajectory] = []
    with TrajectoryStore(store_path) as store, LiveProgress(console) as live:
        for env_id in chat_ids():
            env = gym.make(env_id, **DEMO_SETTINGS.get(env_id, {}))
            for name in demo_policy_names(env_id):
                trajectories += _play(live, env, env_id, name, episodes, seed, store)
            env.close()
    show_leaderboard(console, trajectories)
    _walk(console, _best_example(trajectories))
    shown = [t for t in trajectories if t.metadata["episode"] < _PAGE_EPISODES_PER_POLICY]
    page = write_page(shown, out / "trajectories.html", title="rmgym demo")
    console.print(f"{len(trajectories)} episodes in {time.perf_counter() - started:.1f} s")
    console.print(f"Trajectories: {store_path}")
    console.print(f"Page:         {page}")
    return trajectories


def _play(
    live: LiveProgress,
    env: gym.Env[Any, Any],
    env_id: str,
    name: str,
    episodes: int,
    seed: int,
    store: TrajectoryStore,
) -> list[Trajectory]:
    bar = live.add(f"{env_id} · {name}", episodes)
    return list(
        rollout(
            env,
            make_policy(env_id, name, env),
            episodes,
            seed=seed,
            store=store,
            progress=lambda ended: live.show(bar, ended),
            policy_name=name,
        )
    )


def _best_example(trajectories: list[Trajectory]) -> Trajectory:
    """Return an episode of about three turns by a setting's best policy, with a belief curve."""
    best: dict[str, Summary] = {}
    for summary in summarise_by_policy(trajectories):
        best.setdefault(summary.env_id, summary)
    played = [t for t in trajectories if best[t.env_id].policy == policy_of(t)]
    return min(played, key=lambda t: (not belief_curves(t), abs(len(t.turns) - 3)))


def _walk(console: Console, trajectory: Trajectory) -> None:
    policy = trajectory.metadata["policy"]
    console.rule(f"One trajectory: {trajectory.env_id} · {policy} · task {trajectory.task_id}")
    for number, turn in enumerate(trajectory.turns, start=1):
        for said in turn.observation:
            console.print(Panel(_shown(said["content"]), title=said["role"], border_style="dim"))
        console.print(Panel(_shown(turn.completion.text), title=f"agent, turn {number}"))
        terms = ", ".join(f"{name} {value:+.4f}" for name, value in turn.reward_terms.items())
        console.print(f"  turn {number} earned {turn.reward:+.4f}: {escape(terms)}")
    console.print(
        f"The episode ended ({trajectory.stop_reason}) with {trajectory.episode_return:+.4f}."
    )


def _shown(text: str) -> str:
    text = text.strip()
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]} [...]"
    return escape(text)
