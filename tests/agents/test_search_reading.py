from __future__ import annotations

from rmgym.agents.search import SeenPassage, shown_passages
from rmgym.envs.search.prompts import information_text
from rmgym.protocols import Hit, Passage
from rmgym.trajectory import Completion, Context, Turn


def test_passages_are_read_back_with_their_line_breaks() -> None:
    passages = [SeenPassage("Ada", "First line.\nSecond line."), SeenPassage("Bo (town)", "Third.")]
    hits = [
        Hit(passage=Passage(id=str(i), title=p.title, text=p.text), score=1.0, rank=i + 1)
        for i, p in enumerate(passages)
    ]
    turn = Turn(observation=(), completion=Completion(text="<search>x</search>"))
    seen = Context((turn,), ({"role": "user", "content": information_text(hits)},))
    assert shown_passages(seen) == [passages]
