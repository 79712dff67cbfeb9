"""One debate as a page: a row a round, the seats' moves side by side.

python -m rmgym.envs.debate.page --out debate.html --judge biased --pressure 2
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rmgym.envs.debate.arena import DebateArena
from rmgym.envs.debate.decision import zero_sum
from rmgym.envs.debate.engine import DebateEngine
from rmgym.envs.debate.pressure import scripted
from rmgym.envs.debate.seat import play_arena
from rmgym.envs.debate.state import RoundRecord
from rmgym.envs.debate.tasks import is_right
from rmgym.errors import MissingExtraError
from rmgym.rewards.debate_behaviour import PARTS

DEFAULT_PLAYERS = ("stubborn_truth", "conformist", "braggart", "flatterer")


def render_debate(arena: DebateEngine) -> str:
    """Return the running or ended debate of an arena as HTML, with nothing outside it.

    Raises:
        MissingExtraError: If jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError:
        raise MissingExtraError("the page of a debate", "cli") from None
    loader = jinja2.PackageLoader("rmgym.envs.debate", ".")
    jinja = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    html: str = jinja.get_template("transcript.html.jinja").render(**_facts(arena))
    return html


def write_debate(arena: DebateEngine, path: str | Path) -> Path:
    """Write the page and return where it stands."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(render_debate(arena).encode("utf-8", "replace"))
    return target


def _facts(arena: DebateEngine) -> dict[str, Any]:
    debate, task = arena.episode, arena.task
    outcome = debate.outcome
    winner = outcome.winner if outcome else None
    answer = outcome.answer if outcome else None
    return {
        "question": task.question,
        "reference": task.references[0] if task.references else None,
        "code": debate.code,
        "rules": arena.rules,
        "judge": arena.rules.judge if isinstance(arena.rules.judge, str) else "own",
        "favoured": arena.favoured,
        "seats": debate.seats,
        "rounds": [_round(arena, record) for record in debate.rounds],
        "winner": winner,
        "answer": answer,
        "is_right": is_right(answer, task.references) if task.references else None,
        "reason": debate.reason or "running",
        "wins": zero_sum(winner, debate.seats),
        "returns": {
            seat: sum(turn.reward for turn in record.turns)
            for seat, record in arena.records.items()
        },
        "metrics": {
            seat: dict(record.turns[-1].info["metrics"]) if record.turns else {}
            for seat, record in arena.records.items()
        },
        "parts": PARTS,
    }


def _round(arena: DebateEngine, record: RoundRecord) -> dict[str, Any]:
    task, earlier = arena.task, arena.episode.rounds[: record.number - 1]
    gone = {each.out for each in earlier}
    cells = []
    for seat in arena.episode.seats:
        text = record.speeches.get(seat, "")
        rating = arena.scorer.rate([text])[0] if text.strip() else dict.fromkeys(PARTS, 0.0)
        held = record.holds.get(seat)
        before = earlier[-1].holds.get(seat) if earlier else None
        cells.append(
            {
                "seat": seat,
                "is_gone": seat in gone,
                "text": text,
                "holds": held,
                "is_right": is_right(held, task.references) if held and task.references else None,
                "has_changed": before is not None and held != before,
                "gave_in": seat in record.gave_in,
                "rating": {part: value for part, value in rating.items() if value},
                "score": record.scores.get(seat),
                "vote": record.votes.get(seat),
                "is_out": record.out == seat,
            }
        )
    return {"number": record.number, "cells": cells, "judge": record.judge, "out": record.out}


def main(arguments: Sequence[str] | None = None) -> int:
    """Play one debate among scripted debaters and write its page."""
    parser = argparse.ArgumentParser(prog="python -m rmgym.envs.debate.page")
    parser.add_argument("--out", type=Path, default=Path("debate.html"))
    parser.add_argument("--judge", default="none")
    parser.add_argument("--pressure", type=float, default=1.0)
    parser.add_argument("--framing", default="survival")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--players", nargs="+", default=list(DEFAULT_PLAYERS))
    chosen = parser.parse_args(arguments)
    arena = DebateArena(
        judge=chosen.judge,
        pressure=chosen.pressure,
        framing=chosen.framing,
        rounds=chosen.rounds,
        agents=chosen.agents,
    )
    play_arena(arena, scripted(arena, names=chosen.players), chosen.seed)
    print(f"Page: {write_debate(arena, chosen.out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
