"""A person plays in the terminal and sees the reward terms of each turn."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from rmgym.agents.human import HumanPolicy
from rmgym.trajectory import Context


def play(env: Any, seed: int | None, console: Console) -> float:
    """Play one episode and return what it earned.

    Raises:
        PolicyError: If the input ends in the middle of the episode.
    """
    player = HumanPolicy(lambda context: _show(context, console))
    env.reset(seed=seed)
    total, ended = 0.0, False
    while not ended:
        action = player.act([env.unwrapped.context])[0].text
        observation, reward, terminated, truncated, info = env.step(action)
        total += reward
        ended = terminated or truncated
        _show_terms(info, reward, console)
        if ended:
            _show(Context((), observation), console, ask=False)
            reason = info.get("stop_reason", "the end")
            console.print(f"The episode is over ({reason}). It earned {total:+.4f}.")
            for name, value in info["metrics"].items():
                console.print(f"  {escape(name)}: {value:g}")
    return total


def _show(context: Context, console: Console, ask: bool = True) -> None:
    for said in context.observation:
        console.print(Panel(escape(said["content"].strip()), title=said["role"]))
    if ask:
        console.print("Your turn (end with an empty line):")


def _show_terms(info: dict[str, Any], reward: float, console: Console) -> None:
    terms = ", ".join(f"{name} {value:+.4f}" for name, value in info["reward_terms"].items())
    console.print(f"Reward {reward:+.4f}: {escape(terms or 'no term applied')}\n")
