"""Several judges as one: majorities, agreement (SCIR) and consistency (CREAM)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from rmgym.errors import JudgeError
from rmgym.judges.guarded import GuardedJudge, GuardedListJudge, GuardedPairJudge
from rmgym.judges.policy_judge import tally
from rmgym.judges.protocols import (
    ListJudge,
    Pair,
    PairJudge,
    Preference,
    Ranking,
    Slate,
    Transcript,
)
from rmgym.protocols import Criterion, Judge, Rubric, Verdict
from rmgym.rewards.cream import kendall_consistency
from rmgym.rewards.scir import agreeing_pairs

OnDisagreement: TypeAlias = Literal["error", "worst", "majority"]


class PanelJudge(GuardedJudge):
    """Several judges who grade together.

    Args:
        judges: At least two; each is asked about everything.
        on_disagreement: What a criterion gets on which not all agree. "error" raises, so that a
            rollout leaves the episode out: the agreement filter. "worst" is the penalty for
            disagreement (SCIR). "majority" takes the most frequent choice, of equally frequent
            ones the worse.
        unguarded_for_research: Takes away this judge's guard; those of the members stay.

    Raises:
        ValueError: If there are fewer than two judges, or `on_disagreement` is another word.
    """

    def __init__(
        self,
        judges: Sequence[Judge],
        *,
        on_disagreement: OnDisagreement = "error",
        unguarded_for_research: bool = False,
    ) -> None:
        super().__init__(unguarded_for_research=unguarded_for_research)
        if len(judges) < 2 or on_disagreement not in ("error", "worst", "majority"):
            raise ValueError(
                "expected at least two judges and on_disagreement of error, worst or majority, got "
                f"{len(judges)} and {on_disagreement!r}"
            )
        self.judges = tuple(judges)
        self.on_disagreement = on_disagreement

    def _grade(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        graded = [judge.grade(transcripts, rubrics) for judge in self.judges]
        return [
            self._together([verdicts[i] for verdicts in graded], rubric)
            for i, rubric in enumerate(rubrics)
        ]

    def _together(
        self, ballots: Sequence[tuple[Verdict, ...]], rubric: Rubric
    ) -> tuple[Verdict, ...]:
        majority = tally(ballots, rubric).verdicts
        return tuple(
            self._settle([ballot[i].choice for ballot in ballots], majority[i], criterion)
            for i, criterion in enumerate(rubric.criteria)
        )

    def _settle(self, choices: list[str], majority: Verdict, criterion: Criterion) -> Verdict:
        if len(set(choices)) == 1 or self.on_disagreement == "majority":
            return majority
        if self.on_disagreement == "error":
            raise JudgeError(
                f"criterion {criterion.name!r}: expected the panel to agree, got {choices}"
            )
        return Verdict(
            criterion=criterion.name,
            choice=criterion.choices[0],
            reason=f"the panel disagrees: {choices}",
        )


class AgreeingPairJudge(GuardedPairJudge):
    """Two pairwise judges; a preference counts only where both have it (SCIR).

    Where they disagree, or one is indifferent, both answers score one half. `agreement` tells which
    pairs to keep.

    Args:
        first: One judge, e.g. a `PolicyPairJudge`.
        second: Another, e.g. one by implicit rewards.
        unguarded_for_research: Takes away this judge's guard; those of the two stay.
    """

    def __init__(
        self, first: PairJudge, second: PairJudge, *, unguarded_for_research: bool = False
    ) -> None:
        super().__init__(unguarded_for_research=unguarded_for_research)
        self.first = first
        self.second = second

    def agreement(self, pairs: Sequence[Pair]) -> tuple[list[bool], float]:
        """Return which pairs both judges order alike, and the share of them.

        Raises:
            RewardError: If there is no pair.
        """
        return agreeing_pairs(_signs(self.first.compare(pairs)), _signs(self.second.compare(pairs)))

    def _compare(self, pairs: Sequence[Pair]) -> list[Preference]:
        first, second = self.first.compare(pairs), self.second.compare(pairs)
        keep, _ = agreeing_pairs(_signs(first), _signs(second))
        return [
            preference if is_kept else Preference(scores=(0.5, 0.5), reason="the judges disagree")
            for preference, is_kept in zip(first, keep, strict=True)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedRanking:
    """A ranking with how far an earlier judge agrees."""

    ranking: Ranking
    consistency: float | None
    """(Kendall's tau + 1) / 2, 0 to 1: CREAM's weight; None where fewer than two answers remain."""


class ConsistentListJudge(GuardedListJudge):
    """Ranks as the current judge does, and weighs each ranking by the previous judge's (CREAM).

    Args:
        current: Whose rankings are returned, on its own scale.
        previous: The judge that it is compared with, e.g. an earlier checkpoint.
        unguarded_for_research: Takes away this judge's guard; those of the two stay.
    """

    def __init__(
        self, current: ListJudge, previous: ListJudge, *, unguarded_for_research: bool = False
    ) -> None:
        super().__init__(unguarded_for_research=unguarded_for_research)
        self.current = current
        self.previous = previous

    def weigh(self, slates: Sequence[Slate]) -> list[WeighedRanking]:
        """Return each ranking with its consistency; answers turned away do not count in it."""
        rankings = self.rank(slates)
        kept = [
            replace(s, answers={n: a for n, a in s.answers.items() if n not in ranking.refused})
            for s, ranking in zip(slates, rankings, strict=True)
            if len(s.answers) - len(ranking.refused) > 1
        ]
        earlier = iter(self.previous.rank(kept))
        return [
            WeighedRanking(
                ranking=ranking,
                consistency=_consistency(ranking, next(earlier))
                if len(s.answers) - len(ranking.refused) > 1
                else None,
            )
            for s, ranking in zip(slates, rankings, strict=True)
        ]

    def _rank(self, slates: Sequence[Slate]) -> list[Ranking]:
        return self.current.rank(slates)


def _consistency(now: Ranking, before: Ranking) -> float:
    names = sorted(before.order)
    order = [name for name in now.order if name in names]
    return kendall_consistency(
        [before.order.index(name) for name in names], [order.index(name) for name in names]
    )


def _signs(preferences: Sequence[Preference]) -> list[float]:
    return [p.scores[0] - p.scores[1] for p in preferences]
