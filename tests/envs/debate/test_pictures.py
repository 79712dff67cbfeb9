from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from rmgym.envs.debate import page, pressure
from rmgym.envs.debate.arena import DebateArena


def test_points_are_those_of_the_debates_and_the_command_draws_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    points = pressure.pressure_points(
        partial(pressure.scripted, names=["stubborn_truth"]),
        judges=["none", "peer"],
        pressures=[0.0, 1.0],
        episodes=3,
        rounds=2,
    )
    assert [(p.judge, p.pressure) for p in points] == [
        ("none", 0.0), ("none", 1.0), ("peer", 0.0), ("peer", 1.0),
    ]  # fmt: skip
    assert all(
        (p.accuracy, p.accuracy_error, p.over_competition) == (1.0, 0.0, 0.0) for p in points
    )
    picture = pressure.draw_pressure(points, tmp_path / "deep" / "p.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    out = tmp_path / "command.png"
    assert pressure.main(["--out", str(out), "--episodes", "2", "--rounds", "1"]) == 0
    assert out.stat().st_size > 10_000
    assert "over-competition" in capsys.readouterr().out


def test_pressure_raises_over_competition_of_contenders_and_a_fair_judge_lowers_it() -> None:
    points = pressure.pressure_points(
        partial(pressure.scripted, names=["contender"]),
        judges=["none", "fair"],
        pressures=[0.0, 1.0, 4.0],
        episodes=20,
        rounds=3,
    )
    none, fair = points[:3], points[3:]
    assert [p.over_competition for p in none] == sorted(p.over_competition for p in none)
    assert none[0].over_competition == fair[0].over_competition == 0.0
    assert fair[2].over_competition < none[2].over_competition


def test_too_few_episodes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 episodes"):
        pressure.pressure_points(partial(pressure.scripted, names=["plain"]), episodes=1)


def test_page_shows_each_rounds_moves_side_by_side_and_escapes_them(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    arena = DebateArena(agents=3, rounds=2, judge="biased")
    arena.reset(seed=0)
    attack = "<script>alert(1)</script>"
    arena.step({"Agent1": attack, "Agent2": "<answer>7</answer>", "Agent3": ""})
    arena.step({"Agent1": "", "Agent2": "", "Agent3": '<agree with="Agent2"/>'})
    html = page.write_debate(arena, tmp_path / "page.html").read_text()
    assert attack not in html
    assert "&lt;script&gt;" in html
    assert html.count('<td class="n">Round') == 2
    assert "gave in" in html
    assert "stands out once more" in html


def test_command_writes_a_page_of_a_debate_with_eliminations(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    out = tmp_path / "peer.html"
    assert page.main(["--out", str(out), "--judge", "peer"]) == 0
    assert "voted out" in out.read_text()
