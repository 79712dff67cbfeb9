"""A judge's verdicts as a reward term.

The guard stands here as well, so that a judge from elsewhere has it, too: what it turns away earns
0 and no judge is asked. A judge that gives no usable verdict is an error, never a 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rmgym.errors import JudgeError, RewardError
from rmgym.judges.scripted import ScriptedJudge
from rmgym.judges.transcripts import rejection_of
from rmgym.judges.verdicts import in_order, weighted_score
from rmgym.messages import Message
from rmgym.protocols import Grant, Judge, Rubric, Score, Verdict
from rmgym.trajectory import Context


@dataclass(frozen=True, slots=True)
class JudgedReward:
    """Weighted mean of a judge's verdicts, each by its rank on the menu.

    Range: 0 to 1. Needs: nothing but the conversation. Equation: sum of w_c * rank_c / sum of w_c,
    with rank 0 for the worst choice and 1 for the best. Metrics: `<name>/<criterion>`.

    An outcome is judged by the conversation up to the agent's last turn; a turn also by what the
    world answered to it.

    Raises:
        RewardError: If `grant` is another word.
    """

    rubric: Rubric | Callable[[Context], Rubric]
    """One for all tasks, or the rubric of the task at hand, e.g. with its reference."""
    judge: Judge = ScriptedJudge()  # noqa: RUF009  # it has no state
    name: str = "judged"
    grant: Grant = "outcome"

    def __post_init__(self) -> None:
        """Check the grant."""
        if self.grant not in ("turn", "outcome"):
            raise RewardError(f'expected grant "turn" or "outcome", got {self.grant!r}')

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        """Return one score per context; the judge is asked once for the whole batch.

        Raises:
            RewardError: If a rubric has a negative weight, with which no range holds.
            JudgeError: If the judge gives no usable verdict.
        """
        rubrics = [self._rubric_of(context) for context in contexts]
        said = [self._transcript(context) for context in contexts]
        passing = [i for i, transcript in enumerate(said) if rejection_of(transcript) is None]
        graded = (
            self.judge.grade([said[i] for i in passing], [rubrics[i] for i in passing])
            if passing
            else []
        )
        if len(graded) != len(passing):
            raise JudgeError(f"expected verdicts on {len(passing)} transcripts, got {len(graded)}")
        scores = [Score(0.0, self._metrics((), rubric)) for rubric in rubrics]
        for i, verdicts in zip(passing, graded, strict=True):
            ordered = in_order(verdicts, rubrics[i])
            value = weighted_score(ordered, rubrics[i])
            scores[i] = Score(value, self._metrics(ordered, rubrics[i]))
        return scores

    def _rubric_of(self, context: Context) -> Rubric:
        rubric = self.rubric if isinstance(self.rubric, Rubric) else self.rubric(context)
        negative = [criterion.name for criterion in rubric.criteria if criterion.weight < 0]
        if negative:
            raise RewardError(
                f"rubric {rubric.name!r}: expected weights of 0 or more, got a negative one of "
                f"{negative}; turn the criterion round instead"
            )
        return rubric

    def _transcript(self, context: Context) -> list[Message]:
        if self.grant == "turn":
            return context.messages
        return Context(context.turns, ()).messages

    def _metrics(self, verdicts: Sequence[Verdict], rubric: Rubric) -> dict[str, float]:
        ranks = dict.fromkeys((criterion.name for criterion in rubric.criteria), 0.0)
        for verdict, criterion in zip(verdicts, rubric.criteria, strict=False):
            ranks[criterion.name] = verdict.score(criterion)
        return {f"{self.name}/{name}": rank for name, rank in ranks.items()}
