"""The default judge: no model, no network, the same verdict every time.

A stand-in for a judge that understands. Criteria with declared rules are decided by them; the
others by the words that a sentence of the answer shares with the criterion. It cannot tell a true
statement from a false one in the right words: use rules, or a `PolicyJudge`, where that matters.
"""

from __future__ import annotations

from collections.abc import Sequence

from rmgym.judges.guarded import GuardedJudge, GuardedPairJudge
from rmgym.judges.protocols import Pair, Preference, Transcript
from rmgym.judges.rules import RuledCriterion, sentences, words
from rmgym.judges.transcripts import answering, final_answer
from rmgym.judges.verdicts import weighted_score
from rmgym.protocols import Criterion, Judge, Rubric, Verdict

COPIED_WORDS = 5
"""So many words in a row of the rubric's are a copy of it, and count for nothing."""

_GLUE = frozenset(
    words(
        "a an and are as at be been by did do does for from had has have how in into is it its of "
        "on or that the their there this to was were what when where which who why will with"
    )
)
"""Words that hold a sentence together; a list of keywords has none."""
_TASK_WORDS = frozenset(
    words(
        "answer answers cite cites criterion explain explains give gives mention mentions name "
        "names report reports response say says state states text"
    )
)
"""Words by which criteria talk about answers; to share them means nothing."""


class ScriptedJudge(GuardedJudge):
    """Decides by declared rules, and by shared words where there is none.

    First every run of five words that repeats the wording of the rubric is taken out of the
    answer, so that a copied rubric earns nothing; a `RuledCriterion` that states a fact is exempt.
    A criterion without a rule gets its best choice if one sentence of what is left has at least
    `share` of the criterion's content words, as many words that stand nowhere in the rubric, and
    words that hold a sentence together; else its worst. Whoever adds such words on purpose still
    gets past: it takes a rule to stop that.

    Args:
        share: Above 0, at most 1.
        unguarded_for_research: Takes away the guard.

    Raises:
        ValueError: If `share` is out of its range.
    """

    def __init__(self, *, share: float = 0.6, unguarded_for_research: bool = False) -> None:
        super().__init__(unguarded_for_research=unguarded_for_research)
        if not 0 < share <= 1:
            raise ValueError(f"expected share above 0 and at most 1, got {share}")
        self.share = share

    def _grade(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        return [
            self._verdicts(final_answer(said), rubric)
            for said, rubric in zip(transcripts, rubrics, strict=True)
        ]

    def _verdicts(self, answer: str, rubric: Rubric) -> tuple[Verdict, ...]:
        own = without_copies(answer, [c.text for c in rubric.criteria if not _states_fact(c)])
        borrowed = {word for criterion in rubric.criteria for word in words(criterion.text)}
        return tuple(self._verdict(own, criterion, borrowed) for criterion in rubric.criteria)

    def _verdict(self, answer: str, criterion: Criterion, borrowed: set[str]) -> Verdict:
        if isinstance(criterion, RuledCriterion) and criterion.rules:
            choice, reason = criterion.decide(answer), "by rule"
        else:
            parts = sentences(answer)
            is_met = any(self._speaks_of(part, criterion.text, borrowed) for part in parts)
            choice, reason = criterion.choices[-1 if is_met else 0], "by shared words"
        return Verdict(criterion=criterion.name, choice=choice, reason=reason)

    def _speaks_of(self, sentence: str, text: str, borrowed: set[str]) -> bool:
        said = words(sentence)
        wanted = set(words(text)) - _GLUE - _TASK_WORDS
        shared = wanted.intersection(said)
        own = set(said) - borrowed - _GLUE - _TASK_WORDS
        glue = sum(word in _GLUE for word in said)
        return (
            bool(wanted)
            and len(shared) >= self.share * len(wanted)
            and len(own) >= len(shared)
            and 4 * glue >= len(shared)
        )


class GradedPairJudge(GuardedPairJudge):
    """Prefers the answer that another judge grades higher by a rubric; equal grades tie.

    Makes a pairwise judge of any judge; with `ScriptedJudge`, one that needs no model.

    Args:
        judge: Grades both answers.
        rubric: What it grades by.
        unguarded_for_research: Takes away this judge's guard; that of `judge` stays.
    """

    def __init__(
        self, judge: Judge, rubric: Rubric, *, unguarded_for_research: bool = False
    ) -> None:
        super().__init__(unguarded_for_research=unguarded_for_research)
        self.judge = judge
        self.rubric = rubric

    def _compare(self, pairs: Sequence[Pair]) -> list[Preference]:
        said = [answering(p.question, text) for p in pairs for text in (p.first, p.second)]
        graded = self.judge.grade(said, [self.rubric] * len(said))
        scores = [weighted_score(verdicts, self.rubric) for verdicts in graded]
        return [
            _preference(first, second)
            for first, second in zip(scores[::2], scores[1::2], strict=True)
        ]


def _preference(first: float, second: float) -> Preference:
    share = 0.5 if first == second else float(first > second)
    return Preference(scores=(share, 1.0 - share), reason=f"graded {first:.3g} and {second:.3g}")


def without_copies(answer: str, originals: Sequence[str], run: int = COPIED_WORDS) -> str:
    """Return an answer without the passages that repeat `run` words in a row of an original.

    Sentences without such a passage stay as they are, numbers and punctuation included.

    >>> without_copies("It is Ulm. Does it name the town of birth?", ["Name the town of birth."])
    'It is Ulm.'
    """
    copied = {tuple(w[i : i + run]) for w in map(words, originals) for i in range(len(w) - run + 1)}
    parts = sentences(answer)
    said = [words(part) for part in parts]
    # One stream of words, so that line breaks cannot cut a copy into pieces too short to be seen.
    stream = [word for part in said for word in part]
    gone = {
        i + k
        for i in range(len(stream) - run + 1)
        if tuple(stream[i : i + run]) in copied
        for k in range(run)
    }
    kept, start = [], 0
    for part, its_words in zip(parts, said, strict=True):
        end = start + len(its_words)
        left = [stream[i] for i in range(start, end) if i not in gone]
        if len(left) == len(its_words):
            kept.append(part)
        elif 2 * len(left) > len(its_words):
            kept.append(" ".join(left))
        start = end
    return "\n".join(kept)


def _states_fact(criterion: Criterion) -> bool:
    return isinstance(criterion, RuledCriterion) and criterion.is_fact
