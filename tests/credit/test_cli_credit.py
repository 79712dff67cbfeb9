from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")
import typer
from rich.console import Console
from typer.testing import CliRunner

from rmgym.cli.credit import credit_command, make_estimators, make_rewards, policy_factory
from rmgym.credit.report import CreditReport
from rmgym.errors import MissingExtraError

ENV_ID = "rmgym/Search-v0"
SMALL = ["-e", "passages=200", "-e", "questions=40", "-n", "4", "--group", "2", "-k", "2"]


def application() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    credit_command(app, Console(width=200))
    return app


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(application(), ["credit", ENV_ID, *arguments, *SMALL])
    return done.exit_code, done.output


def test_it_prints_a_table_and_writes_figures_and_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figures, picture = tmp_path / "credit.json", tmp_path / "credit.png"
    code, output = run(
        "-p", "noisy_chain", "-o", "noise=0.5",
        "--rewards", "information_gain,information_gain:mode=logprob:weight=0.5",
        "--estimators", "grpo", "--json", str(figures), "--picture", str(picture),
    )  # fmt: skip
    assert code == 0, output
    assert "4 episodes in groups of 2" in output
    names = [row["name"] for row in json.loads(figures.read_text())["schemes"]]
    assert "information_gain:mode=logprob:weight=0.5" in names
    assert "grpo(information_gain + outcome)" in names
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_policy_without_a_seed_is_told_apart(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "credit.png"
    code, output = run(
        "-p", "single_shot", "--rewards", "format", "--estimators", "", "--picture", str(picture)
    )
    assert code == 0, output
    assert "single_shot takes no seed" in output
    assert "every turn was worth the same" in " ".join(output.split())
    assert picture.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-p", "noisy_chain", "--rewards", "informaton_gain"), "did you mean information_gain"),
        (("-p", "noisy_chain", "--rewards", "em,em"), "expected distinct rewards"),
        (("-p", "noisy_chain", "--rewards", "em:speed=3"), "reward 'em:speed=3'"),
        (("-p", "noisy_chain", "-o", "seed=3", "--rewards", "em"), "expected no seed"),
        (("-p", "noisy_chain", "-o", "loud=3", "--rewards", "em"), "policy 'noisy_chain'"),
        (("-p", "noisy_chain", "--rewards", "em", "--outcome", "fame"), "expected the outcome"),
    ],
)
def test_mistakes_are_one_sentence(arguments: tuple[str, ...], message: str) -> None:
    code, output = run(*arguments)
    assert code == 1
    assert message in " ".join(output.split())
    assert "Traceback" not in output


def test_options_reach_terms_and_estimators() -> None:
    made = make_rewards(["information_gain:mode=logprob:weight=0.5"])
    spec: Any = made["information_gain:mode=logprob:weight=0.5"]
    assert (spec[0].mode, spec[1]) == ("logprob", 0.5)
    assert make_estimators(["igpo:norm=separate"])["igpo:norm=separate"].keywords == {  # type: ignore[attr-defined]
        "norm": "separate"
    }


def test_each_seed_makes_another_draw_of_the_policy() -> None:
    env = gym.make(ENV_ID, passages=200, questions=40)
    make, draws = policy_factory(ENV_ID, "noisy_chain", env, {"noise": 0.5})
    assert draws
    assert [make(3).seed, make(4).seed] == [3, 4]  # type: ignore[attr-defined]


def test_a_missing_matplotlib_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from rmgym.credit import picture

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    report = CreditReport.__new__(CreditReport)
    with pytest.raises(MissingExtraError, match=r"rmgym\[plots\]"):
        picture.draw_report(report, Path("nowhere.png"))
