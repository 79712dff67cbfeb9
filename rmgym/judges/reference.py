"""A policy that grades with a good answer before its eyes (References Improve LLM Alignment)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rmgym.errors import JudgeError, RubricError
from rmgym.judges.asking import Fence
from rmgym.judges.policy_judge import PolicyJudge
from rmgym.judges.protocols import Transcript
from rmgym.protocols import Rubric, Verdict

HEADING = """\
A reference, known to be good, is given first. Hold the conversation's answer against it: other \
words are fine, another substance is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencedRubric(Rubric):
    """A rubric with a good answer to the task at hand.

    Raises:
        RubricError: If the reference is empty, or as `Rubric`.
    """

    reference: str

    def __post_init__(self) -> None:
        """Check the reference, too."""
        # By name: a slotted dataclass is made anew, and loses what bare super() refers to.
        Rubric.__post_init__(self)
        if not self.reference.strip():
            raise RubricError(f"rubric {self.name!r}: expected a reference, got an empty one")


class ReferenceJudge(PolicyJudge):
    """A `PolicyJudge` that shows its policy a reference; it takes `ReferencedRubric`s only."""

    def _grade(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        for rubric in rubrics:
            _reference_of(rubric)
        return super()._grade(transcripts, rubrics)

    def _task(self, transcript: Transcript, rubric: Rubric, fence: Fence) -> str:
        reference = fence.around("REFERENCE", _reference_of(rubric))
        return f"{HEADING}\n\n{reference}\n\n{super()._task(transcript, rubric, fence)}"

    def _subject(self, transcript: Transcript, rubric: Rubric, vote: int) -> dict[str, object]:
        subject = super()._subject(transcript, rubric, vote)
        return subject | {"form": "reference", "reference": _reference_of(rubric)}


def _reference_of(rubric: Rubric) -> str:
    if not isinstance(rubric, ReferencedRubric):
        raise JudgeError(
            f"rubric {rubric.name!r}: expected a ReferencedRubric, got {type(rubric).__name__}; "
            "give the judge its reference"
        )
    return rubric.reference
