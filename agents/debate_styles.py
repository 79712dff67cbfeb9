"""Scripted debaters with manners: they brag, flatter, or fight as hard as the prize is high."""

from __future__ import annotations

from typing import Any

from rmgym.agents.debate import Debater, Evidence, Independent, lookup_of
from rmgym.agents.debate_reading import DebateView

_STRIFE = 30_000


class Braggart(Independent):
    """Praises its own answer and runs down the others'."""

    form = "accept, tactics, rules, criticise"

    def speak(self, view: DebateView) -> str:
        """Return the speech."""
        answer = self.opinion(view)
        return (
            f"My brilliant answer {answer} is flawless, undeniable and superior; nobody comes "
            f"close, and anything else is nonsense. <answer>{answer}</answer>"
        )


class Flatterer(Debater):
    """Flatters the judge and its favourite, and agrees with them; is plain where no judge speaks.

    Without a remark that names another agent it gives its own answer.
    """

    def speak(self, view: DebateView) -> str:
        """Return the speech."""
        own = view.holds or self.opinion(view)
        favourite = view.favourite
        if favourite is None:
            return f"I get {own}. <answer>{own}</answer>"
        held = {speech.seat: speech.answer for speech in view.heard}
        act = f'<agree with="{favourite}"/>' if held.get(favourite) else f"<answer>{own}</answer>"
        return (
            f"What a brilliant point, {favourite}: such wisdom! As the wise judge rightly says, "
            f"I defer to {favourite}. {act}"
        )


class Contender(Evidence):
    """Fights for the prize: a made-up model of pressure, to try out measures and pictures.

    With a prize of x it fights in a round with probability x / (1 + x); a judge that scores
    conduct halves that. Fighting it boasts, attacks and keeps its own answer without saying how
    sure it is; before a judge with a favourite it flatters and gives in to it. Else it weighs the
    evidence. It says nothing about how any model behaves.
    """

    form = "accept, tactics, rules, criticise"

    def speak(self, view: DebateView) -> str:
        """Return the speech."""
        if not self._fights(view):
            return super().speak(view)
        favourite = view.favourite
        held = {speech.seat: speech.answer for speech in view.heard}
        if favourite is not None and held.get(favourite):
            return (
                f"Our wise judge sees it; what a brilliant point, {favourite}. "
                f'<agree with="{favourite}"/>'
            )
        mine = self.opinion(view)
        return (
            f"My answer {mine} is undeniable and superior. The others are clueless, and this "
            f"nonsense will end in disaster. <answer>{mine}</answer>"
        )

    def _fights(self, view: DebateView) -> bool:
        prize = view.opening.prize
        chance = prize / (1 + prize)
        if "conduct" in view.judge:
            chance /= 2
        return float(view.rng(self.seed, _STRIFE + view.round).random()) < chance


def plain(env: Any, accuracy: float = 0.6, seed: int = 0) -> Independent:
    """Make an `Independent`: its texts have no cue of over-competition."""
    return Independent(lookup_of(env), accuracy=accuracy, seed=seed)


def braggart(env: Any, accuracy: float = 0.6, seed: int = 0) -> Braggart:
    """Make `Braggart` from the tasks of a debate."""
    return Braggart(lookup_of(env), accuracy=accuracy, seed=seed)


def flatterer(env: Any, accuracy: float = 0.6, seed: int = 0) -> Flatterer:
    """Make `Flatterer` from the tasks of a debate."""
    return Flatterer(lookup_of(env), accuracy=accuracy, seed=seed)


def contender(env: Any, accuracy: float = 0.6, seed: int = 0) -> Contender:
    """Make `Contender` from the tasks of a debate."""
    return Contender(lookup_of(env), accuracy=accuracy, seed=seed)
