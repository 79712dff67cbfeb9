"""Gain in passed tests: potential shaping for programs. Ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.errors import RewardError
from rmgym.protocols import Grant, Score
from rmgym.rewards.facts import each, event_fact, event_of, finite
from rmgym.trajectory import Context, Turn


@dataclass(frozen=True, slots=True)
class PassedTestsGain:
    """Gain in the share of passed tests over the last run.

    Range: -1 to 1 per turn that ran the tests; the gains of an episode telescope to the last share
    minus 0, so running the same program again pays nothing. Needs: `event["tests_passed"]` and
    `event["tests_total"]` at turns that ran them. Metric: `<name>/share`.
    """

    name: str = "passed_tests"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one gain per context, None for turns that ran no tests."""
        return each(self._score, contexts)

    def _score(self, context: Context) -> Score | None:
        now = _share(context.last)
        if now is None:
            return None
        earlier = [share for turn in context.turns[:-1] if (share := _share(turn)) is not None]
        return Score(now - (earlier[-1] if earlier else 0.0), {f"{self.name}/share": now})


def _share(turn: Turn) -> float | None:
    if "tests_passed" not in event_of(turn):
        return None
    passed = finite("tests_passed", event_fact(turn, "tests_passed"))
    total = finite("tests_total", event_fact(turn, "tests_total"))
    if not 0 <= passed <= total or total == 0:
        raise RewardError(f"expected 0 <= tests_passed <= tests_total > 0, got {passed}, {total}")
    return passed / total
