"""The doors through which every judge is reached; the guard stands in each of them.

A judge of rmgym inherits from one of three classes and writes the method behind the door:
`_grade`, `_compare` or `_rank`. The door itself (`grade`, `compare`, `rank`) cannot be replaced: a
class that tries is refused when it is made. An answer that the guard turns away earns the worst
verdict, and the judge behind the door never sees it.

Research on the weakness itself needs a judge without its guard. It has to ask for one by the
argument `unguarded_for_research=True`, is warned, and finds every verdict marked.
"""

from __future__ import annotations

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeVar, final

from rmgym.errors import JudgeError
from rmgym.judges.protocols import Pair, Preference, Ranking, Slate, Transcript
from rmgym.judges.transcripts import rejection_of, rejection_of_answer
from rmgym.judges.verdicts import in_order, nothing
from rmgym.protocols import Rubric, Verdict

UNGUARDED = "[unguarded] "
"""Opens the reason of every verdict that was given without the guard."""

T = TypeVar("T")


class UnguardedWarning(UserWarning):
    """Warns that a judge was made without its guard: any of ten short strings may fool it."""


class Guarded:
    """Base of all judges: keeps the doors shut to subclasses.

    Args:
        unguarded_for_research: Only `True` itself takes the guard away.
    """

    _own_doors: ClassVar[tuple[str, ...]] = ()
    __unguarded = False

    def __init_subclass__(cls, *, doors: tuple[str, ...] = (), **kwargs: Any) -> None:
        """Refuse a class that replaces a door.

        Raises:
            TypeError: If it does; names the method to write.
        """
        super().__init_subclass__(**kwargs)
        for base in cls.__mro__[1:]:
            for door in base.__dict__.get("_own_doors", ()):
                if inspect.getattr_static(cls, door) is not base.__dict__[door]:
                    raise TypeError(
                        f"{cls.__name__} replaces {door}(), where the master-key guard stands: "
                        f"write _{door}() instead"
                    )
        cls._own_doors = doors

    def __init__(self, *, unguarded_for_research: bool = False) -> None:
        if not isinstance(unguarded_for_research, bool):
            raise TypeError(
                f"expected unguarded_for_research of True or False, got {unguarded_for_research!r}"
            )
        self.__unguarded = unguarded_for_research
        if unguarded_for_research:
            warnings.warn(
                f"{type(self).__name__} was made without the master-key guard: its verdicts are "
                "for research on fooling judges, and must not reward anything",
                UnguardedWarning,
                stacklevel=2,
            )

    @property
    def is_guarded(self) -> bool:
        """Whether the guard stands before this judge."""
        return not self.__unguarded

    def _marked(self, reason: str) -> str:
        return UNGUARDED + reason if self.__unguarded else reason


class GuardedJudge(Guarded, ABC, doors=("grade",)):
    """A judge of transcripts; subclasses write `_grade`."""

    @final
    def grade(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        """Return one verdict per criterion for each transcript, in the order of its rubric.

        A transcript that the guard turns away gets the worst choice of every criterion.

        Raises:
            JudgeError: If a verdict is missing, doubled or off the menu.
            ValueError: If there is not one rubric per transcript.
        """
        return self._past_guard(transcripts, rubrics, self._checked, nothing)

    @abstractmethod
    def _grade(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        """Return the verdicts on transcripts that passed the guard."""

    def _past_guard(
        self,
        transcripts: Sequence[Transcript],
        rubrics: Sequence[Rubric],
        judge: Callable[[list[Transcript], list[Rubric]], list[T]],
        turned_away: Callable[[Rubric, str], T],
    ) -> list[T]:
        """Return what `judge` says of the transcripts that pass, `turned_away` of the others."""
        if len(transcripts) != len(rubrics):
            raise ValueError(
                f"expected one rubric per transcript, got {len(rubrics)} for {len(transcripts)}"
            )
        reasons = [rejection_of(said) if self.is_guarded else None for said in transcripts]
        known = [
            None if reason is None else turned_away(rubric, reason)
            for reason, rubric in zip(reasons, rubrics, strict=True)
        ]
        passing = [i for i, result in enumerate(known) if result is None]
        if not passing:
            return _woven(known, [], self)
        judged = judge([transcripts[i] for i in passing], [rubrics[i] for i in passing])
        return _woven(known, judged, self)

    def _checked(
        self, transcripts: list[Transcript], rubrics: list[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        graded = self._grade(transcripts, rubrics)
        if len(graded) != len(rubrics):
            raise JudgeError(
                f"{type(self).__name__}: expected {len(rubrics)} results, got {len(graded)}"
            )
        return [
            self._marked_all(in_order(verdicts, rubric))
            for verdicts, rubric in zip(graded, rubrics, strict=True)
        ]

    def _marked_all(self, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
        return tuple(replace(v, reason=self._marked(v.reason)) for v in verdicts)


class GuardedPairJudge(Guarded, ABC, doors=("compare",)):
    """A judge of pairs; subclasses write `_compare`."""

    @final
    def compare(self, pairs: Sequence[Pair]) -> list[Preference]:
        """Return one preference per pair.

        An answer that the guard turns away scores 0 and the other one 1; two such score 0 each.

        Raises:
            JudgeError: If the judge gives no usable preference.
        """
        known = [self._settled(pair) for pair in pairs]
        passing = [pair for pair, result in zip(pairs, known, strict=True) if result is None]
        if not passing:
            return _woven(known, [], self)
        asked = [replace(p, reason=self._marked(p.reason)) for p in self._compare(passing)]
        return _woven(known, asked, self)

    @abstractmethod
    def _compare(self, pairs: Sequence[Pair]) -> list[Preference]:
        """Return the preferences on pairs that passed the guard."""

    def _settled(self, pair: Pair) -> Preference | None:
        if not self.is_guarded:
            return None
        first, second = map(rejection_of_answer, (pair.first, pair.second))
        if first is None and second is None:
            return None
        reasons = [f"{n}: {why}" for n, why in (("first", first), ("second", second)) if why]
        scores = (float(first is None), float(second is None))
        return Preference(scores=scores, reason="; ".join(reasons))


class GuardedListJudge(Guarded, ABC, doors=("rank",)):
    """A judge of slates; subclasses write `_rank`."""

    floor: ClassVar[float] = 0.0
    """The lowest score of the judge's scale, for an answer that the guard turns away."""

    @final
    def rank(self, slates: Sequence[Slate]) -> list[Ranking]:
        """Return one ranking per slate.

        Answers that the guard turns away stand last with the lowest score; a slate of nothing else
        does not reach the judge.

        Raises:
            JudgeError: If the judge gives no usable ranking.
        """
        refused = [self._refused(slate) for slate in slates]
        known = [
            Ranking(scores={}, order=()) if len(out) == len(slate.answers) else None
            for slate, out in zip(slates, refused, strict=True)
        ]
        passing = [
            replace(slate, answers={n: a for n, a in slate.answers.items() if n not in out})
            for slate, out, result in zip(slates, refused, known, strict=True)
            if result is None
        ]
        rankings = _woven(known, self._rank(passing) if passing else [], self)
        return [self._joined(r, out) for r, out in zip(rankings, refused, strict=True)]

    @abstractmethod
    def _rank(self, slates: Sequence[Slate]) -> list[Ranking]:
        """Return the rankings of slates without the answers that were turned away."""

    def _refused(self, slate: Slate) -> tuple[str, ...]:
        if not self.is_guarded:
            return ()
        return tuple(name for name, answer in slate.answers.items() if rejection_of_answer(answer))

    def _joined(self, ranking: Ranking, refused: tuple[str, ...]) -> Ranking:
        return Ranking(
            scores={**ranking.scores, **dict.fromkeys(refused, self.floor)},
            order=(*ranking.order, *refused),
            refused=refused,
            reason=self._marked(ranking.reason),
        )


def _woven(known: Sequence[T | None], asked: Sequence[T], judge: object) -> list[T]:
    """Return what is known, its gaps filled in order."""
    gaps = sum(item is None for item in known)
    if len(asked) != gaps:
        raise JudgeError(f"{type(judge).__name__}: expected {gaps} results, got {len(asked)}")
    rest = iter(asked)
    return [next(rest) if item is None else item for item in known]
