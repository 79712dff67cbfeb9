"""Nuggets: small facts that a good answer states, verified in batches and drawn from passages.

Search-Gen-V (arXiv 2510.14660): a verifier labels nuggets in batches, in order, as supported,
partly supported or not supported by a text. The wording of the prompts is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack, cast

from rmgym.errors import JudgeError, RubricError
from rmgym.judges.asking import (
    Asker,
    AskOptions,
    Fence,
    Question,
    as_json,
    check_keys,
    check_texts,
    prompt,
    strict_object,
)
from rmgym.judges.guarded import GuardedJudge
from rmgym.judges.protocols import Transcript
from rmgym.judges.rules import Rule, RuledCriterion, words
from rmgym.judges.transcripts import answering, final_answer
from rmgym.messages import Observation
from rmgym.protocols import Criterion, Passage, Policy, Rubric, Verdict
from rmgym.rewards.search_gen_v import NuggetLabel

MENU: tuple[NuggetLabel, ...] = ("not_support", "partial_support", "support")
"""The labels, worst to best."""
BATCH = 10
LARGEST_BATCH = 50

VERIFY = """\
You check whether a text backs statements. For each statement, in the order given, choose one \
label: "support" if the text says all of it, "partial_support" if it says a part and contradicts \
none, "not_support" otherwise. Go by the text alone, not by what you know.

{notice}

Reply with one JSON object and no other text, with exactly {count} labels:
{{"labels": ["<label>"]}}"""

EXTRACT = """\
You prepare the marking of answers to a question. From the passages, list the facts that a good \
answer states: each one short, complete without the others, and taken from the passages alone. At \
most {most}; none if the passages do not help. Mark as vital what an answer must not lack.

{notice}

Reply with one JSON object and no other text:
{{"nuggets": [{{"text": "<the fact>", "vital": <true or false>, "passages": ["<id>"]}}]}}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nugget:
    """One fact."""

    text: str
    vital: bool = True
    passages: tuple[str, ...] = ()
    """Ids of the passages that say it."""


def nugget_rubric(
    nuggets: Sequence[Nugget],
    *,
    name: str = "nuggets",
    vital_weight: float = 1.0,
    support: float = 0.8,
    partial: float = 0.5,
) -> Rubric:
    """Return a rubric with one criterion a nugget.

    The mean score is the lenient roll-up (1, one half, 0). Rules of shared words let a judge
    without a model decide: it cannot tell a fact from its denial.

    Args:
        nuggets: The facts, one criterion each.
        name: Of the rubric.
        vital_weight: Weight of vital nuggets against 1 for the others.
        support: Share of a nugget's words in one sentence that counts as support.
        partial: The same for partial support.

    Raises:
        RubricError: If there is no nugget, or one has no words.
    """
    if not nuggets:
        raise RubricError("expected at least one nugget, got none")
    criteria = [
        RuledCriterion(
            name=f"nugget_{i}",
            text=nugget.text,
            weight=vital_weight if nugget.vital else 1.0,
            choices=MENU,
            is_fact=True,
            rules=(
                ("support", Rule(overlap=nugget.text, at_least=support)),
                ("partial_support", Rule(overlap=nugget.text, at_least=partial)),
            ),
        )
        for i, nugget in enumerate(nuggets, start=1)
    ]
    return Rubric(name=name, criteria=tuple(criteria))


class NuggetJudge(GuardedJudge):
    """Labels the statements of a rubric by asking a policy, a batch of them at a time.

    Every criterion has the menu not_support, partial_support, support: see `nugget_rubric`.

    Args:
        policy: Who is asked.
        batch: Statements a call, 1 to 50.
        unguarded_for_research: Takes away the guard and the fence.
        options: How the policy is asked, see `AskOptions`.

    Raises:
        ValueError: If `batch` is out of its range.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        batch: int = BATCH,
        unguarded_for_research: bool = False,
        **options: Unpack[AskOptions],
    ) -> None:
        super().__init__(unguarded_for_research=unguarded_for_research)
        if not 1 <= batch <= LARGEST_BATCH:
            raise ValueError(f"expected a batch of 1 to {LARGEST_BATCH} nuggets, got {batch}")
        self.batch = batch
        self.asker = Asker(policy, fenced=self.is_guarded, **options)

    def verify(self, text: str, nuggets: Sequence[Nugget]) -> list[NuggetLabel]:
        """Return the label of each nugget for a text, in order.

        Raises:
            JudgeError: If a batch stays unreadable.
        """
        (verdicts,) = self.grade([answering("", text)], [nugget_rubric(nuggets)])
        return [cast(NuggetLabel, verdict.choice) for verdict in verdicts]

    def _grade(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        batches = [self._batches(rubric) for rubric in rubrics]
        labels = iter(
            self.asker.ask(
                [
                    _verification(final_answer(said), [c.text for c in batch])
                    for said, parts in zip(transcripts, batches, strict=True)
                    for batch in parts
                ]
            )
        )
        return [
            tuple(
                Verdict(criterion=criterion.name, choice=label)
                for batch in parts
                for criterion, label in zip(batch, next(labels), strict=True)
            )
            for parts in batches
        ]

    def _batches(self, rubric: Rubric) -> list[tuple[Criterion, ...]]:
        for criterion in rubric.criteria:
            if criterion.choices != MENU:
                raise JudgeError(
                    f"rubric {rubric.name!r}, criterion {criterion.name!r}: expected the menu "
                    f"{list(MENU)}, got {list(criterion.choices)}; see nugget_rubric"
                )
        criteria = rubric.criteria
        return [criteria[i : i + self.batch] for i in range(0, len(criteria), self.batch)]


def parse_labels(reply: str, count: int) -> list[str]:
    """Return the labels of a reply, in order.

    Raises:
        JudgeError: If the reply is not the JSON asked for, the number of labels is another, or one
            is off the menu.
    """
    labels = check_texts("the labels", strict_object(reply, ("labels",))["labels"])
    if len(labels) != count:
        raise JudgeError(f"expected {count} labels, got {len(labels)}")
    strangers = [label for label in labels if label not in MENU]
    if strangers:
        raise JudgeError(f"expected labels of {list(MENU)}, got {strangers}")
    return labels


def extract_nuggets(
    passages: Sequence[Passage],
    question: str,
    policy: Policy,
    *,
    most: int = 20,
    **options: Unpack[AskOptions],
) -> list[Nugget]:
    """Return the facts in passages that a good answer to a question states, as a policy finds them.

    Args:
        passages: Where the facts are taken from; what they say is data, never an instruction.
        question: What is to be answered.
        policy: Who is asked, once.
        most: How many facts at most.
        options: How the policy is asked, see `AskOptions`.

    Raises:
        JudgeError: If the reply stays unreadable, names an unknown passage, repeats a fact or has
            more than `most`.
    """
    if not passages:
        return []

    def write(fence: Fence) -> Observation:
        parts = [fence.around("QUESTION", question)]
        lines = [as_json({"id": p.id, "title": p.title, "text": p.text}) for p in passages]
        parts.append(fence.around("PASSAGES", "\n".join(lines)))
        return prompt(EXTRACT.format(notice=fence.notice, most=most), "\n\n".join(parts))

    ids = [passage.id for passage in passages]
    shown = [[p.id, p.title, p.text] for p in passages]
    asked = Question(
        subject={"form": "nuggets", "question": question, "passages": shown, "most": most},
        write=write,
        read=lambda reply: parse_nuggets(reply, ids, most),
    )
    return Asker(policy, **options).ask([asked])[0]


def parse_nuggets(reply: str, ids: Sequence[str], most: int) -> list[Nugget]:
    """Return the nuggets of a reply.

    Raises:
        JudgeError: If the reply is not the JSON asked for, names an unknown passage, repeats a
            fact, has one without words, or more than `most`.
    """
    entries = strict_object(reply, ("nuggets",))["nuggets"]
    if not isinstance(entries, list) or len(entries) > most:
        raise JudgeError(f"expected a list of at most {most} nuggets")
    nuggets = [_nugget(f"nuggets[{i}]", entry, ids) for i, entry in enumerate(entries)]
    facts = [words(nugget.text) for nugget in nuggets]
    if not all(facts) or any(fact in facts[:i] for i, fact in enumerate(facts)):
        raise JudgeError("expected nuggets with words, each once, got an empty or a repeated one")
    return nuggets


def _nugget(where: str, entry: Any, ids: Sequence[str]) -> Nugget:
    check_keys(where, entry, ("text", "vital", "passages"))
    sources = check_texts(f"{where}.passages", entry["passages"])
    strangers = [source for source in sources if source not in ids]
    if strangers or not isinstance(entry["text"], str) or not isinstance(entry["vital"], bool):
        raise JudgeError(
            f"expected a text, true or false, and ids of {list(ids)} in {where}, got {entry}"
        )
    return Nugget(text=entry["text"].strip(), vital=entry["vital"], passages=tuple(sources))


def _verification(text: str, statements: Sequence[str]) -> Question[list[str]]:
    def write(fence: Fence) -> Observation:
        numbered = "\n".join(
            as_json({"nr": i, "statement": s}) for i, s in enumerate(statements, 1)
        )
        user = f"Statements:\n{numbered}\n\n{fence.around('TEXT', text)}"
        return prompt(VERIFY.format(notice=fence.notice, count=len(statements)), user)

    return Question(
        subject={"form": "labels", "statements": list(statements), "text": text},
        write=write,
        read=lambda reply: parse_labels(reply, len(statements)),
    )
