from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from rmgym.agents.catalog import make_policy
from rmgym.envs.welfare.plane import draw_plane, main, make_point, points_of
from rmgym.rollout import TrajectoryStore, rollout

ID = "rmgym/Welfare-v0"
SMALL: dict[str, Any] = {"members": 6, "tasks": 8, "max_assignments": 16}
PNG = b"\x89PNG\r\n\x1a\n"


def stored(path: Path, name: str) -> Path:
    env = gym.make(ID, **SMALL)
    with TrajectoryStore(path) as store:
        rollout(env, make_policy(ID, name, env), 4, store=store, policy_name=name)
    return path


def test_stored_episodes_become_a_picture_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="the plane needs matplotlib")
    stores = [str(stored(tmp_path / f"{name}.jsonl", name)) for name in ("random", "fair")]
    picture = tmp_path / "pictures" / "plane.png"
    main([*stores, "--out", str(picture)])
    assert picture.read_bytes().startswith(PNG)
    said = capsys.readouterr().out
    assert said.startswith("random: fairness")
    assert "fair: fairness" in said


def test_points_are_means_over_the_episodes_of_a_policy(tmp_path: Path) -> None:
    env = gym.make(ID, **SMALL)
    played = list(rollout(env, make_policy(ID, "fair", env), 5, policy_name="fair"))
    (point,) = points_of(played)
    assert point.name == "fair"
    assert point.swf.mean == pytest.approx(sum(t.metrics["swf"] for t in played) / 5)


def test_a_picture_of_nobody_and_of_another_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one allocator"):
        draw_plane([], tmp_path / "x.png")
    env = gym.make(ID, mode="dilemma")
    played = list(rollout(env, make_policy(ID, "first", env), 1))
    with pytest.raises(ValueError, match="mode swf"):
        points_of(played)


def test_a_policy_that_earned_nothing_can_be_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plane needs matplotlib")
    points = [make_point("nothing", [1.0, 1.0], [0.0, 0.0]), make_point("fair", [0.9], [30.0])]
    assert draw_plane(points, tmp_path / "x.png").read_bytes().startswith(PNG)


def test_the_command_measures_treatments_and_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plane needs matplotlib")
    pytest.importorskip("rich", reason="the command line needs rich")
    from rich.console import Console

    from rmgym.cli.welfare import (
        effects_as_figures,
        effects_table,
        make_plane,
        measure_treatments,
    )

    console = Console(file=io.StringIO(), width=200)
    effects = measure_treatments(
        console,
        ID,
        ["efficient"],
        ["threat", "delayed_feedback"],
        settings=SMALL,
        episodes=4,
        seed=0,
    )
    console.print(effects_table(ID, effects))
    figures = effects_as_figures(effects)
    assert figures["efficient"]["threat"]["swf"]["difference"] == 0.0
    assert figures["efficient"]["delayed_feedback"]["swf"]["pairs"] == 4
    points = make_plane(
        console,
        policies=("random", "fair"),
        settings=SMALL,
        episodes=3,
        seed=0,
        out=tmp_path / "plane.png",
    )
    assert [point.name for point in points] == ["random", "fair"]
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "delayed_feedback" in shown
    assert "plane.png" in shown
