"""What users type after the options, turned into values; and errors as one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import typer

from rmgym.errors import RmgymError
from rmgym.registration import registered_ids


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """Return `key=value` settings as a dictionary; a value is JSON where it can be, else text.

    >>> parse_settings(["topk=5", "corpus=wiki.jsonl", 'kinds=["one_hop"]'])
    {'topk': 5, 'corpus': 'wiki.jsonl', 'kinds': ['one_hop']}
    """
    parsed: dict[str, Any] = {}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign or not key.isidentifier():
            raise typer.BadParameter(f"expected key=value, got {setting!r}")
        try:
            parsed[key] = json.loads(value)
        except ValueError:
            parsed[key] = value
    return parsed


def parse_rewards(rewards: Sequence[str]) -> list[tuple[str, float]]:
    """Return `name` or `name=weight` as pairs.

    >>> parse_rewards(["em", "information_gain=0.5"])
    [('em', 1.0), ('information_gain', 0.5)]
    """
    parsed = []
    for reward in rewards:
        name, sign, weight = reward.partition("=")
        try:
            parsed.append((name, float(weight) if sign else 1.0))
        except ValueError:
            raise typer.BadParameter(f"expected name or name=weight, got {reward!r}") from None
    return parsed


def env_settings(settings: Sequence[str], rewards: Sequence[str]) -> dict[str, Any]:
    """Return the arguments of an environment from `--env` and `--reward` options."""
    arguments = parse_settings(settings)
    if rewards:
        arguments["rewards"] = parse_rewards(rewards)
    return arguments


@contextmanager
def one_sentence() -> Iterator[None]:
    """Show what a user can mend as one sentence on standard error, with exit code 1."""
    try:
        yield
    except (RmgymError, gym.error.Error, ValueError, OSError, KeyError) as error:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        if isinstance(error, gym.error.UnregisteredEnv):
            text = f"{text} The ids are: {', '.join(registered_ids())}."
        typer.secho(f"rmgym: {' '.join(text.split())}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None
