"""`rmgym credit`: which turn-level reward says here what a turn was truly worth?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import isnan
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from rmgym import advantages, rewards
from rmgym.agents.catalog import make_policy
from rmgym.cli.options import one_sentence, parse_settings
from rmgym.composition import RewardSpec
from rmgym.credit.agreement import Agreement, Estimate
from rmgym.credit.benchmark import Effort, measure_credit
from rmgym.credit.episodes import PolicyFactory
from rmgym.credit.picture import draw_report
from rmgym.credit.report import CreditReport
from rmgym.credit.schemes import Advantages

DEFAULT_ESTIMATORS = "centred_returns,grpo,gigpo,igpo"
Settings = Annotated[
    list[str], typer.Option("--env", "-e", help="argument of the environment, key=value")
]
PolicyOptions = Annotated[
    list[str], typer.Option("--option", "-o", help="option of the policy, key=value")
]
_STYLES = {"baseline": "dim", "oracle": "green"}


def parse_spec(spec: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the options of `name:key=value:key=value`.

    >>> parse_spec("information_gain:mode=logprob")
    ('information_gain', {'mode': 'logprob'})
    """
    name, *options = spec.split(":")
    return name, parse_settings(options)


def make_rewards(specs: Sequence[str]) -> dict[str, RewardSpec]:
    """Return reward terms by what the user called them; the option `weight` is their factor.

    Raises:
        KeyError: If no reward has a name.
        ValueError: If an option does not fit, or two are called the same.
    """
    made: dict[str, RewardSpec] = {}
    for spec in _distinct(specs, "rewards"):
        name, options = parse_spec(spec)
        weight = float(options.pop("weight", 1.0))
        try:
            made[spec] = (rewards.make(name, **options), weight)
        except TypeError as error:
            raise ValueError(f"reward {spec!r}: {error}; give options as name:key=value") from None
    return made


def make_estimators(specs: Sequence[str]) -> dict[str, Advantages]:
    """Return advantage estimators by what the user called them.

    Raises:
        KeyError: If no estimator has a name.
        ValueError: If two are called the same.
    """
    made: dict[str, Advantages] = {}
    for spec in _distinct(specs, "estimators"):
        name, options = parse_spec(spec)
        made[spec] = partial(advantages.get(name), **options)
    return made


def _distinct(specs: Sequence[str], what: str) -> list[str]:
    doubled = sorted({spec for spec in specs if specs.count(spec) > 1})
    if doubled:
        raise ValueError(f"expected distinct {what}, got {doubled} twice")
    return list(specs)


def policy_factory(
    env_id: str, name: str, env: gym.Env[Any, Any], options: Mapping[str, Any]
) -> tuple[PolicyFactory, bool]:
    """Return what makes the policy from a seed, and whether the policy takes one.

    Raises:
        KeyError: If the environment has no such policy.
        ValueError: If the policy does not take an option, or `seed` is among them.
    """
    if "seed" in options:
        raise ValueError("expected no seed among the policy's options: each replay has its own")
    try:
        make_policy(env_id, name, env, seed=0, **options)
    except TypeError:
        try:
            fixed = make_policy(env_id, name, env, **options)
        except TypeError as error:
            raise ValueError(f"policy {name!r}: {error}") from None
        return (lambda seed: fixed), False
    return (lambda seed: make_policy(env_id, name, env, seed=seed, **options)), True


def run_credit(
    console: Console,
    env_id: str,
    policy: str,
    *,
    reward_specs: Sequence[str],
    estimator_specs: Sequence[str],
    effort: Effort,
    settings: Mapping[str, Any] | None = None,
    policy_options: Mapping[str, Any] | None = None,
    outcome: str = "success",
    json_out: Path | None = None,
    picture: Path | None = None,
) -> CreditReport:
    """Measure, print the table, write the JSON and the picture, and return the report."""
    env = gym.make(env_id, **(settings or {}))
    factory, draws = policy_factory(env_id, policy, env, policy_options or {})
    if not draws:
        console.print(f"{policy} takes no seed: it plays alike in every replay", highlight=False)
    terms, estimators = make_rewards(reward_specs), make_estimators(estimator_specs)
    with _bar(console, effort.episodes) as watch:
        report = measure_credit(
            env,
            factory,
            rewards=terms,
            estimators=estimators,
            effort=effort,
            outcome=outcome,
            watch=watch,
        )
    env.close()
    show_report(console, report)
    if json_out is not None:
        json_out.write_text(json.dumps(report.to_json(), indent=1) + "\n")
        console.print(f"Figures: {json_out}")
    if picture is not None:
        console.print(f"Picture: {draw_report(report, picture)}")
    return report


@contextmanager
def _bar(console: Console, episodes: int) -> Iterator[Callable[[int], None]]:
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    text = TextColumn("episodes measured")
    with Progress(text, *columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=episodes)
        yield lambda done: progress.update(bar, completed=done)


def show_report(console: Console, report: CreditReport) -> None:
    """Print the ranking, what it rests on, and what was left out."""
    if report.note:
        console.print(f"[yellow]{report.note}", highlight=False)
    console.print(ranking_table(report))
    budget, truth = report.budget, report.truth
    console.print(
        f"{budget.episodes} episodes in groups of {budget.group}, {budget.turns} turns; "
        f"{budget.replays} replays of {budget.replayed_turns} turns, half of them for the oracle, "
        f"in {budget.seconds:.1f} s",
        highlight=False,
    )
    saved = truth.variance_saved
    console.print(
        f"mean {report.outcome} from the first state {truth.first_value:.3f}; value clearly not 0 "
        f"at {truth.clear:.0%} of the turns"
        + ("" if isnan(saved) else f"; common random numbers stood for {saved:.1f} x the replays"),
        highlight=False,
    )
    for scheme, reason in report.left_out.items():
        console.print(f"left out {scheme}: {reason}", style="dim", markup=False, highlight=False)


def ranking_table(report: CreditReport) -> Table:
    """Return the schemes with their agreement and cost, best first."""
    table = Table(title=f"{report.env_id}: agreement of credit with the true value of turns")
    table.add_column("scheme", overflow="fold")
    for name in ("Spearman", "before the last turn", "same sign", "ties", "slope", "intercept"):
        table.add_column(name, justify="right")
    table.add_column("ms/turn", justify="right")
    table.add_column("scorer calls", justify="right")
    for row in report.ranked:
        scheme, figures = row.scheme, row.agreement
        table.add_row(
            scheme.name,
            _interval(figures.spearman),
            _interval(_spearman(row.before_end)),
            "" if figures.sign is None else f"{figures.sign.value:.2f}",
            f"{figures.ties:.2f}",
            "" if figures.slope is None else f"{figures.slope.value:+.3f}",
            "" if figures.intercept is None else f"{figures.intercept.value:+.3f}",
            f"{1000 * scheme.seconds:.3f}",
            f"{scheme.scorer_calls:.2f}",
            style=_STYLES.get(scheme.kind, ""),
        )
    return table


def _spearman(agreement: Agreement | None) -> Estimate | None:
    return agreement.spearman if agreement else None


def _interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "none"
    return f"{estimate.value:+.2f} [{estimate.low:+.2f}, {estimate.high:+.2f}]"


def credit_command(app: typer.Typer, console: Console) -> None:
    """Add the command `credit` to an application."""

    @app.command()
    def credit(
        env_id: Annotated[str, typer.Argument(help="an environment's id, e.g. rmgym/Search-v0")],
        policy: Annotated[str, typer.Option("--policy", "-p", help="who plays, and plays on")],
        rewards: Annotated[str, typer.Option(help="a,b:key=value,c: reward terms to rank")],
        estimators: Annotated[
            str, typer.Option(help="advantage estimators to rank, as rewards are given")
        ] = DEFAULT_ESTIMATORS,
        episodes: Annotated[int, typer.Option("--episodes", "-n", min=1)] = 80,
        group: Annotated[int, typer.Option(min=1, help="attempts at each task")] = 4,
        replays: Annotated[int, typer.Option("--replays", "-k", min=2, help="of each state")] = 32,
        seed: Annotated[int, typer.Option(help="seed of the first task and of all else")] = 0,
        outcome: Annotated[
            str, typer.Option(help="success, return, return:TERM, or a metric")
        ] = "success",
        env: Settings = [],  # noqa: B006  # typer reads the default and never changes it
        option: PolicyOptions = [],  # noqa: B006
        json_out: Annotated[Path | None, typer.Option("--json", help="figures, as JSON")] = None,
        picture: Annotated[Path | None, typer.Option(help="picture, e.g. credit.png")] = None,
    ) -> None:
        """Rank rewards and estimators by what turns were truly worth, measured by replaying."""
        with one_sentence():
            run_credit(
                console,
                env_id,
                policy,
                reward_specs=[spec for spec in rewards.split(",") if spec],
                estimator_specs=[spec for spec in estimators.split(",") if spec],
                effort=Effort(episodes=episodes, group=group, replays=replays, seed=seed),
                settings=parse_settings(env),
                policy_options=parse_settings(option),
                outcome=outcome,
                json_out=json_out,
                picture=picture,
            )
