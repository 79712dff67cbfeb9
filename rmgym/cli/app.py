"""The commands, each a thin layer over the library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import typer
from rich.console import Console

import rmgym
from rmgym.agents.catalog import policy_names
from rmgym.cli.compare import compare_table, evaluate_policies
from rmgym.cli.credit import credit_command
from rmgym.cli.demo import run_demo
from rmgym.cli.doctor import examine
from rmgym.cli.options import env_settings, one_sentence
from rmgym.cli.page import write_page
from rmgym.cli.play import play as play_episode
from rmgym.cli.runs import play_into_store, show_failures, show_leaderboard, show_metrics
from rmgym.cli.welfare import (
    PLANE_POLICIES,
    effects_as_figures,
    effects_table,
    make_plane,
    measure_treatments,
)
from rmgym.registration import registered_ids
from rmgym.rollout import read_trajectories

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Gymnasium environments for LLM agents, with turn-level rewards.",
)
console = Console()

EnvId = Annotated[str, typer.Argument(help="an environment's id, e.g. rmgym/Search-v0")]
Settings = Annotated[
    list[str], typer.Option("--env", "-e", help="argument of the environment, key=value")
]
Rewards = Annotated[list[str], typer.Option("--reward", "-r", help="reward term, name=weight")]
Seed = Annotated[int, typer.Option(help="seed of the first episode")]
Episodes = Annotated[int, typer.Option("--episodes", "-n", min=1, help="how many episodes")]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="print the version")
    ] = False,
) -> None:
    if version:
        console.print(f"rmgym {rmgym.__version__}")
        raise typer.Exit


@app.command()
def demo(
    episodes: Annotated[int, typer.Option("--episodes", "-n", min=1, help="a policy")] = 20,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="folder for trajectories and page")] = Path("runs/demo"),
) -> None:
    """Play every setting with its scripted policies, and show what they earned."""
    with one_sentence():
        run_demo(console, episodes=episodes, seed=seed, out=out)


@app.command("list")
def list_environments(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="print the manuals")] = False,
) -> None:
    """List the environments; with -v their manuals."""
    for env_id in registered_ids():
        env_class = gym.envs.registration.load_env_creator(str(gym.spec(env_id).entry_point))
        manual = (env_class.__doc__ or "").strip()
        if verbose:
            console.rule(env_id)
            console.print(_unindent(manual), markup=False, highlight=False)
        else:
            policies = ", ".join(policy_names(env_id))
            console.print(f"{env_id}  {manual.splitlines()[0]}", highlight=False)
            console.print(f"  policies: {policies}", highlight=False, style="dim")


@app.command()
def play(
    env_id: EnvId,
    env: Settings = [],  # noqa: B006  # typer reads the default and never changes it
    reward: Rewards = [],  # noqa: B006
    seed: Annotated[int | None, typer.Option(help="seed of the episode")] = None,
) -> None:
    """Play one episode yourself and see each turn's reward terms."""
    with one_sentence():
        play_episode(gym.make(env_id, **env_settings(env, reward)), seed, console)


@app.command()
def rollout(
    env_id: EnvId,
    policy: Annotated[str, typer.Option("--policy", "-p", help="name of a policy")],
    episodes: Episodes = 100,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="store (JSONL); resumed if it exists")] = None,
    env: Settings = [],  # noqa: B006
    reward: Rewards = [],  # noqa: B006
    num_envs: Annotated[int, typer.Option(min=1, help="environments stepped together")] = 1,
) -> None:
    """Play episodes with a policy, keep them, and print what they earned."""
    with one_sentence():
        result = play_into_store(
            console,
            env_id,
            policy,
            settings=env_settings(env, reward),
            episodes=episodes,
            seed=seed,
            out=out,
            num_envs=num_envs,
        )
        if len(result):
            show_leaderboard(console, list(result))
            show_metrics(console, list(result))
        if out is not None:
            console.print(f"Trajectories: {out}")
        show_failures(console, result)
        if result.failures and not len(result):
            raise typer.Exit(1)


@app.command("eval")
def evaluate(
    env_id: EnvId,
    policy: Annotated[list[str], typer.Option("--policy", "-p", help="name; may be repeated")],
    episodes: Episodes = 100,
    seed: Seed = 0,
    env: Settings = [],  # noqa: B006
    reward: Rewards = [],  # noqa: B006
    out: Annotated[Path | None, typer.Option("--json", help="also write the figures here")] = None,
    treatment: Annotated[
        list[str],
        typer.Option("--treatment", "-t", help="also under this treatment, paired"),
    ] = [],  # noqa: B006
) -> None:
    """Compare policies on the same seeds, with bootstrap intervals."""
    with one_sentence():
        settings = env_settings(env, reward)
        figures = evaluate_policies(
            console, env_id, policy, settings=settings, episodes=episodes, seed=seed
        )
        console.print(compare_table(env_id, figures))
        written: dict[str, Any] = dict(figures)
        if treatment:
            effects = measure_treatments(
                console,
                env_id,
                policy,
                treatment,
                settings=settings,
                episodes=episodes,
                seed=seed,
            )
            console.print(effects_table(env_id, effects))
            written = {"policies": figures, "effects": effects_as_figures(effects)}
        if out is not None:
            out.write_text(json.dumps(written, indent=2) + "\n")
            console.print(f"Figures: {out}")


@app.command()
def view(
    store: Annotated[Path, typer.Argument(help="a store of trajectories (JSONL)")],
    out: Annotated[Path | None, typer.Option(help="the page; beside the store by default")] = None,
    limit: Annotated[int, typer.Option(min=1, help="at most so many episodes")] = 200,
) -> None:
    """Write one self-contained HTML page of a store's trajectories."""
    with one_sentence():
        trajectories = list(read_trajectories(store))
        if not trajectories:
            raise ValueError(f"expected at least one trajectory in {store}, got none")
        page = write_page(trajectories[:limit], out or store.with_suffix(".html"), title=store.stem)
        shown = min(limit, len(trajectories))
        console.print(f"{shown} of {len(trajectories)} episodes: {page}")


@app.command()
def audit(
    env_id: EnvId,
    episodes: Annotated[int, typer.Option("--episodes", "-n", min=1)] = 20,
    seed: Seed = 0,
    env: Settings = [],  # noqa: B006
    reward: Rewards = [],  # noqa: B006
) -> None:
    """Print what policies that deserve nothing earn, beside the gold policy."""
    from rmgym.testing import audit as run_audit

    with one_sentence():
        single = gym.make(env_id, **env_settings(env, reward))
        report = run_audit(single, episodes=episodes, seed=seed)
        console.print(str(report), markup=False, highlight=False)
        if report.violations:
            raise typer.Exit(1)


@app.command("welfare-plane")
def welfare_plane(
    policy: Annotated[list[str], typer.Option("--policy", "-p", help="name; may be repeated")] = [],  # noqa: B006
    store: Annotated[list[Path], typer.Option(help="also the points of a store")] = [],  # noqa: B006
    env: Settings = [],  # noqa: B006
    episodes: Episodes = 20,
    seed: Seed = 0,
    out: Annotated[Path, typer.Option(help="the picture")] = Path("welfare_plane.png"),
) -> None:
    """Draw policies of rmgym/Welfare-v0 between efficiency and fairness."""
    with one_sentence():
        make_plane(
            console,
            policies=policy or PLANE_POLICIES,
            stores=store,
            settings=env_settings(env, []),
            episodes=episodes,
            seed=seed,
            out=out,
        )


credit_command(app, console)


@app.command()
def doctor() -> None:
    """Say which backends are usable here, and how to install the others."""
    for finding in examine():
        mark = "[green]yes[/]" if finding.usable else "[yellow]no [/]"
        console.print(f"{mark} {finding.name}: {finding.purpose}", highlight=False)
        console.print(f"      {finding.detail}", markup=False, highlight=False, soft_wrap=True)


def _unindent(manual: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in manual.splitlines())
