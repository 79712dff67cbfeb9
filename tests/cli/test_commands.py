from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rmgym.cli.app import app
from rmgym.rollout import read_trajectories

SMALL = ["--env", "passages=200", "--env", "questions=40"]
SEARCH = "rmgym/Search-v0"


def run(*arguments: str, given: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), input=given, env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_demo_writes_a_store_and_a_page_that_needs_nothing_else(tmp_path: Path) -> None:
    code, output = run("demo", "-n", "3", "--out", str(tmp_path))
    assert code == 0
    assert "information_gain" in output
    trajectories = read_trajectories(tmp_path / "trajectories.jsonl")
    assert {t.metadata["policy"] for t in trajectories} >= {"chain_oracle", "single_shot"}
    page = (tmp_path / "trajectories.html").read_text()
    assert "<polyline" in page
    assert not re.search(r'(src|href)="http', page)


def test_list_names_each_environment_and_v_prints_its_manual() -> None:
    assert SEARCH in run("list")[1]
    assert "## Episode End" in run("list", "-v")[1]


def test_play_shows_the_terms_of_each_turn() -> None:
    given = "<search>a town</search>\n\n<answer>nothing</answer>\n\n"
    code, output = run("play", SEARCH, "--seed", "1", *SMALL, given=given)
    assert code == 0
    assert "Reward +0.0000: format +0.0000" in output
    assert "The episode is over (answer)" in output


def test_play_says_so_when_the_input_ends() -> None:
    code, output = run("play", SEARCH, "--seed", "1", *SMALL, given="")
    assert code == 1
    assert "expected a turn from the terminal" in output


def test_rollout_keeps_episodes_and_resumes(tmp_path: Path) -> None:
    store = tmp_path / "store.jsonl"
    command = ["rollout", SEARCH, "-p", "single_shot", *SMALL, "--out", str(store)]
    assert run(*command, "-n", "3")[0] == 0
    first = store.read_text()
    code, output = run(*command, "-n", "5")
    assert code == 0
    assert store.read_text().startswith(first)
    assert len(read_trajectories(store)) == 5
    assert "answer_seen" in output


def test_rollout_gives_the_same_episodes_from_several_environments(tmp_path: Path) -> None:
    alone, together = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    command = ["rollout", SEARCH, "-p", "chain_oracle", "-n", "6", *SMALL, "--out"]
    run(*command, str(alone))
    run(*command, str(together), "--num-envs", "3")
    pairs = zip(read_trajectories(alone), read_trajectories(together), strict=True)
    for one, other in sorted(pairs, key=lambda pair: str(pair[0].seed)):
        assert (one.seed, one.messages, one.turns) == (other.seed, other.messages, other.turns)


def test_a_retriever_that_is_down_fails_episodes_and_invents_no_reward(tmp_path: Path) -> None:
    store = tmp_path / "store.jsonl"
    down = ["-e", "retriever=http://127.0.0.1:9/retrieve"]
    code, output = run(
        "rollout", SEARCH, "-p", "single_shot", "-n", "3", *down, "--out", str(store)
    )
    assert code == 1
    assert "3 episodes failed and left out: http://127.0.0.1:9/retrieve" in output
    assert read_trajectories(store) == []


def test_eval_compares_policies_with_intervals(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    policies = ["-p", "chain_oracle", "-p", "no_search"]
    code, output = run("eval", SEARCH, *policies, "-n", "5", *SMALL, "--json", str(out))
    assert code == 0
    figures = json.loads(out.read_text())
    assert figures["chain_oracle"]["success"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert "1.000 [1.000, 1.000]" in output


def test_view_writes_a_page_of_a_store(tmp_path: Path) -> None:
    store = tmp_path / "store.jsonl"
    run("rollout", SEARCH, "-p", "single_shot", "-n", "2", *SMALL, "--out", str(store))
    assert run("view", str(store))[0] == 0
    assert "single_shot" in store.with_suffix(".html").read_text()


def test_audit_finds_no_exploit_in_search() -> None:
    code, output = run("audit", SEARCH, "-n", "4", *SMALL, "-r", "em", "-r", "information_gain")
    assert code == 0
    assert "stuff_tags" in output


def test_doctor_gives_the_line_that_installs_what_is_missing() -> None:
    code, output = run("doctor")
    assert code == 0
    assert re.search(r"(yes|no ) lucene: Lucene search", output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rollout", "rmgym/Serach-v0", "-p", "x"], "rmgym/Search-v0"),
        (["rollout", SEARCH, "-p", "single_shoot", *SMALL], "did you mean single_shot"),
        (["rollout", SEARCH, "-p", "single_shot", "-r", "emm", *SMALL], "did you mean em"),
        (["rollout", SEARCH, "-p", "single_shot", "-e", "corpus=/nowhere.jsonl"], "corpus"),
        (["view", "/nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence(arguments: list[str], message: str) -> None:
    code, output = run(*arguments)
    assert code == 1
    assert message in output
    assert output.count("rmgym: ") == 1
    assert "Traceback" not in output


def test_the_command_is_installed() -> None:
    command = [sys.executable, "-c", "from rmgym.cli import main; main()", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("rmgym 0.")
