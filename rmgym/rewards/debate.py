"""What a debate pays: the shared task, the zero-sum win, and what happens on the way.

The facts stand in the events of `rmgym/Debate-v0`; a debate of your own that states them can use
the same terms. The outcome of the Hunger Game Debate (arXiv 2509.26126) is
lambda1 * task + lambda2 * win: give the two terms these weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.protocols import Grant
from rmgym.rewards.facts import event_fact, event_of, finite, within
from rmgym.trajectory import Context


@dataclass(frozen=True, slots=True)
class RightDecision:
    """Whether the debate came to a right decision.

    Range: 0 or 1; absent for questions without a right answer. By default it pays a seat that
    holds the right answer and gave it itself: who is silent or only agrees earns nothing. Shared,
    as in the paper, it pays every seat. Needs: the final event's `decision_right` and `own_right`.
    """

    shared: bool = False
    name: str = "task"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float | None:
        right = event_fact(context.last, "decision_right")
        if right is None:
            return None
        return float(right and (self.shared or event_fact(context.last, "own_right")))


@dataclass(frozen=True, slots=True)
class ZeroSumWin:
    """Who won: +1 for the winner, -1/(n-1) for each other seat, 0 for all without a winner.

    Range: -1 to 1; the seats' sum is 0 in every episode. Needs: the final event's `win`.
    """

    name: str = "win"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [finite("win", event_fact(context.last, "win")) for context in contexts]


@dataclass(frozen=True, slots=True)
class StanceChange:
    """+1 for a turn that goes from a wrong answer to the right one, -1 for the way back, else 0.

    Absent where there is no right answer and at turns that do not speak. The sum over an episode
    is whether the last answer is right less whether the first one was. Needs: `right_before` and
    `right_after` of turns that speak.
    """

    name: str = "stance_change"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float | None:
        event = event_of(context.last)
        after = event.get("right_after")
        if after is None:
            return None
        before = event.get("right_before")
        return 0.0 if before is None else float(after) - float(before)


@dataclass(frozen=True, slots=True)
class EventShare:
    """A share that the event of the turn states, 0 to 1; absent at turns that do not have it.

    Keys of a debate: `agreement` (of the other seats, after the turn), `judge_score` (the judge's
    mean score / 10), `votes_against` (of the votes cast), `kindness` (of the form).
    """

    key: str
    name: str = ""

    def __post_init__(self) -> None:
        """Take the key as name if none is given."""
        if not self.name:
            object.__setattr__(self, "name", self.key)

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float | None:
        value = event_of(context.last).get(self.key)
        return None if value is None else within(self.key, value, 0.0, 1.0)


def agreement() -> EventShare:
    """Return the term that pays the share of other seats that hold the same answer."""
    return EventShare("agreement")


def judge_score() -> EventShare:
    """Return the term that pays the debate judge's mean score / 10."""
    return EventShare("judge_score")


def votes_against() -> EventShare:
    """Return the term of the share of votes against the seat; give it a negative weight."""
    return EventShare("votes_against")


def kindness() -> EventShare:
    """Return the term that pays the share of kind options in the form after the debate."""
    return EventShare("kindness")


@dataclass(frozen=True, slots=True)
class PlanGain:
    """How much more a probing grounder gets done with this plan than with the one before.

    Range: -1 to 1; the sum over the plans of an episode is what it gets done with the last one.
    Absent at turns without a plan. MOAT (2025, abstract) trains its planner by what the plan does
    for the grounder. Needs: `probe_before` and `probe_after` of turns with a plan.
    """

    name: str = "plan_gain"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one score per context."""
        return [self._score(context) for context in contexts]

    def _score(self, context: Context) -> float | None:
        event = event_of(context.last)
        if "probe_after" not in event:
            return None
        after = within("probe_after", event["probe_after"], 0.0, 1.0)
        return after - within("probe_before", event_fact(context.last, "probe_before"), 0.0, 1.0)
