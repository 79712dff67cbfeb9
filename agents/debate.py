"""Scripted debaters: where their answers come from, and when they change them.

Each reads the conversation alone. What an agent "finds out" by itself is looked up in the
environment's tasks when it is made: the right answer with probability `accuracy`, else the task's
wrong one.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from math import log
from typing import Any, Protocol

from rmgym.agents.debate_reading import DebateView, most_held
from rmgym.agents.text import TextPolicy
from rmgym.trajectory import Context

_CONFIDENCE = re.compile(r"\(confidence (0?\.\d+|[01])\)")
_SIDES = ("for", "against")
_VOTE = 20_000


class Known(Protocol):
    """What the environment knows of a question."""

    @property
    def references(self) -> tuple[str, ...]:
        """Accepted answers."""
        ...

    @property
    def wrong(self) -> str:
        """A wrong one."""
        ...


Lookup = Callable[[str], Known | None]


class Debater(TextPolicy):
    """Speaks, votes and fills in forms.

    Args:
        lookup: From a question's text to its answers.
        accuracy: Probability that it finds the right answer by itself.
        seed: Two debaters with different seeds draw differently.

    Raises:
        ValueError: If `accuracy` is not a probability.
    """

    form = "accept, performance, self, praise"

    def __init__(self, lookup: Lookup, *, accuracy: float = 0.6, seed: int = 0) -> None:
        if not 0.0 <= accuracy <= 1.0:
            raise ValueError(f"expected accuracy from 0 to 1, got {accuracy}")
        self.lookup = lookup
        self.accuracy = accuracy
        self.seed = seed

    def say(self, context: Context) -> str:
        """Return the turn."""
        view = DebateView.of(context)
        if view.has_form:
            return f"<form>{self.form}</form>"
        if view.has_to_vote:
            return f"<vote>{self.vote(view)}</vote>"
        return self.speak(view)

    @abstractmethod
    def speak(self, view: DebateView) -> str:
        """Return a speech."""

    def vote(self, view: DebateView) -> str:
        """Return who should go: one who was last heard with another answer, else anyone."""
        last = {speech.seat: speech.answer for speech in view.heard}
        others = [seat for seat in view.candidates if last.get(seat) != view.holds]
        pool = others or view.candidates
        if not pool:
            return view.opening.seat
        return pool[int(view.rng(self.seed, _VOTE + view.round).integers(len(pool)))]

    def opinion(self, view: DebateView) -> str:
        """Return what the agent thinks before it hears anyone."""
        if view.opening.note is not None:
            return view.opening.note
        draw = float(view.rng(self.seed).random())
        known = self.lookup(view.opening.question)
        if known is None or not known.references:
            return _SIDES[draw < 0.5]
        return known.references[0] if draw < self.skill(view) else known.wrong

    def skill(self, view: DebateView) -> float:
        """Return the probability that the agent is right by itself in this debate."""
        return self.accuracy


class Independent(Debater):
    """Gives its own answer in every round, whatever the others say."""

    def speak(self, view: DebateView) -> str:
        """Return the speech."""
        answer = self.opinion(view)
        return f"I get {answer}. <answer>{answer}</answer>"


class StubbornTruth(Independent):
    """Knows the right answer and stays with it."""

    def skill(self, view: DebateView) -> float:
        """Return 1."""
        return 1.0


class Conformist(Debater):
    """Gives its own answer first, then that which most agents hold, itself included."""

    def speak(self, view: DebateView) -> str:
        """Return the speech."""
        if view.holds is None and not view.heard:
            own = self.opinion(view)
            return f"I get {own}. <answer>{own}</answer>"
        own = view.holds or self.opinion(view)
        answer = most_held([speech.answer for speech in view.heard], own) or own
        return f"Most of us hold {answer}. <answer>{answer}</answer>"


class Evidence(Debater):
    """Says how sure it is, and weighs the first answers of all by their log-odds.

    In each debate its accuracy is drawn from `accuracy` - 0.25 to `accuracy` + 0.25, and it states
    it. An answer heard without a statement counts as `accuracy`.
    """

    spread = 0.25
    limits = (0.05, 0.95)

    def skill(self, view: DebateView) -> float:
        """Return the accuracy in this debate."""
        low, high = self.limits
        drawn = self.accuracy + self.spread * (2 * float(view.rng(self.seed, 1).random()) - 1)
        return round(min(high, max(low, drawn)), 2)

    def speak(self, view: DebateView) -> str:
        """Return the speech."""
        own, sure = self.opinion(view), self.skill(view)
        if view.opening.note is not None:
            sure = self.limits[1]
        heard = view.heard_first()
        if not heard:
            return f"I get {own} (confidence {sure:.2f}). <answer>{own}</answer>"
        weights = {own: self._odds(sure)}
        for speech in heard:
            if speech.answer is not None:
                stated = _CONFIDENCE.search(speech.text)
                said = float(stated[1]) if stated else self.accuracy
                weights[speech.answer] = weights.get(speech.answer, 0.0) + self._odds(said)
        best = max(weights, key=lambda answer: weights[answer])
        return f"Weighing all, I hold {best}. <answer>{best}</answer>"

    def _odds(self, probability: float) -> float:
        low, high = self.limits
        clipped = min(high, max(low, probability))
        return log(clipped / (1 - clipped))


class Copycat(Debater):
    """Has no answer of its own: it takes the first one that it hears, and is silent before."""

    def speak(self, view: DebateView) -> str:
        """Return the speech."""
        answers = [speech.answer for speech in view.heard if speech.answer is not None]
        answer = answers[0] if answers else view.holds
        return f"I say what they say. <answer>{answer}</answer>" if answer else ""


class RandomVoter(Independent):
    """An independent debater that votes for anyone else at random."""

    def vote(self, view: DebateView) -> str:
        """Return a name."""
        pool = view.candidates
        draw = view.rng(self.seed, _VOTE + view.round)
        return pool[int(draw.integers(len(pool)))] if pool else view.opening.seat


def lookup_of(env: Any) -> Lookup:
    """Return the answers of an arena, or of the environment of one of its seats."""
    bare = getattr(env, "unwrapped", env)
    lookup: Lookup = getattr(bare, "arena", bare).gold_task
    return lookup


def independent(env: Any, accuracy: float = 0.6, seed: int = 0) -> Independent:
    """Make `Independent` from the tasks of a debate."""
    return Independent(lookup_of(env), accuracy=accuracy, seed=seed)


def stubborn_truth(env: Any) -> StubbornTruth:
    """Make `StubbornTruth` from the tasks of a debate."""
    return StubbornTruth(lookup_of(env))


def conformist(env: Any, accuracy: float = 0.6, seed: int = 0) -> Conformist:
    """Make `Conformist` from the tasks of a debate."""
    return Conformist(lookup_of(env), accuracy=accuracy, seed=seed)


def evidence(env: Any, accuracy: float = 0.6, seed: int = 0) -> Evidence:
    """Make `Evidence` from the tasks of a debate."""
    return Evidence(lookup_of(env), accuracy=accuracy, seed=seed)


def copycat(env: Any) -> Copycat:
    """Make `Copycat`."""
    return Copycat(lookup_of(env))


def random_voter(env: Any, accuracy: float = 0.6, seed: int = 0) -> RandomVoter:
    """Make `RandomVoter` from the tasks of a debate."""
    return RandomVoter(lookup_of(env), accuracy=accuracy, seed=seed)
