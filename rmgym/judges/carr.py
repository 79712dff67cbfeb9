"""CaRR's rubric judge: hidden entities, citations, support, connection to the answer.

Four steps, each a function. Two of them ask a policy, once each; the other two compute:

1. `identify_entities` asks for the name that the report states for every placeholder.
2. `collect_evidence` gathers what the tools showed of the pages that the report cites.
3. `judge_support` asks which filled statements the evidence fully supports.
4. `rubric_graph` keeps the supported statements that a chain joins to the answer, `<E0>`.

Source of the steps: THUDM/CaRR, `deepsearch_rm_with_rubrics/launch_server.py`; arXiv 2601.06021.
The wording of the prompts is ours, as are fence and guard.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Unpack

from rmgym.errors import JudgeError
from rmgym.judges.asking import (
    Asker,
    AskOptions,
    Fence,
    Question,
    as_json,
    check_keys,
    prompt,
    shown,
    strict_object,
)
from rmgym.judges.citations import collect_evidence
from rmgym.judges.guarded import GuardedJudge
from rmgym.judges.protocols import Transcript
from rmgym.judges.transcripts import final_answer, question_of, rejection_of_answer
from rmgym.judges.verdicts import nothing
from rmgym.messages import Observation
from rmgym.protocols import Criterion, Policy, Rubric, Verdict
from rmgym.rewards.carr import entity_name, placeholders, rubric_graph

ROOT = "E0"

IDENTIFY = """\
A report answers a question. Statements about the topic have gaps such as <E1>; <E0> is what the \
question asks for. For each gap, give the name that the report itself states for it. Do not infer \
and do not use your own knowledge: null where the report does not say it.

{notice}

Reply with one JSON object and no other text, with a name or null for each of {entities}:
{{"entities": {{"<gap>": "<name>"}}}}"""

SUPPORT = """\
Decide for each statement, in the order given, whether the material fully supports it: all of it \
is said there, in whatever words. What is only likely, or only part of it, is not supported. Go by \
the material alone.

{notice}

Reply with one JSON object and no other text, with exactly {count} values of true or false:
{{"supported": [<true or false>]}}"""

_PLACEHOLDER = re.compile(r"<(E\d+)>")


def identify_entities(
    asker: Asker, question: str, report: str, statements: Sequence[str]
) -> dict[str, str | None]:
    """Return the name of each placeholder of the statements that the report states, else None.

    Raises:
        JudgeError: If the reply stays unreadable, or does not name exactly these placeholders.
    """
    entities = list(dict.fromkeys(e for text in statements for e in placeholders(text)))

    def write(fence: Fence) -> Observation:
        system = IDENTIFY.format(notice=fence.notice, entities=", ".join(entities))
        lines = "\n".join(as_json({"statement": text}) for text in statements)
        parts = [fence.around("QUESTION", question), fence.around("REPORT", report)]
        return prompt(system, f"Statements:\n{lines}\n\n" + "\n\n".join(parts))

    asked = Question(
        subject={
            "form": "entities",
            "question": question,
            "report": report,
            "statements": list(statements),
        },
        write=write,
        read=lambda reply: parse_entities(reply, entities),
    )
    return asker.ask([asked])[0]


def judge_support(
    asker: Asker, statements: Sequence[str], evidence: Sequence[tuple[str, str]]
) -> list[bool]:
    """Return whether the evidence fully supports each statement; one call for all of them.

    Raises:
        JudgeError: If the reply stays unreadable.
    """

    def write(fence: Fence) -> Observation:
        system = SUPPORT.format(notice=fence.notice, count=len(statements))
        lines = "\n".join(as_json({"statement": text}) for text in statements)
        pages = "\n".join(as_json({"source": url, "text": text}) for url, text in evidence)
        parts = [fence.around("STATEMENTS", lines), fence.around("MATERIAL", pages)]
        return prompt(system, "\n\n".join(parts))

    asked = Question(
        subject={
            "form": "support",
            "statements": list(statements),
            "evidence": [list(page) for page in evidence],
        },
        write=write,
        read=lambda reply: parse_support(reply, len(statements)),
    )
    return asker.ask([asked])[0]


def parse_entities(reply: str, entities: Sequence[str]) -> dict[str, str | None]:
    """Return the names of a reply; "null", "none" and copied placeholders count as none.

    Raises:
        JudgeError: If the reply is not the JSON asked for.
    """
    found = strict_object(reply, ("entities",))["entities"]
    check_keys("the entities", found, entities)
    if not all(name is None or isinstance(name, str) for name in found.values()):
        raise JudgeError(f"expected a name or null for each gap, got {shown(as_json(found))}")
    return {entity: entity_name(found[entity]) for entity in entities}


def parse_support(reply: str, count: int) -> list[bool]:
    """Return the verdicts of a reply, in order.

    Raises:
        JudgeError: If the reply is not the JSON asked for.
    """
    found = strict_object(reply, ("supported",))["supported"]
    if not isinstance(found, list) or not all(isinstance(value, bool) for value in found):
        raise JudgeError(f"expected a list of true and false, got {shown(as_json(found))}")
    if len(found) != count:
        raise JudgeError(f"expected {count} verdicts, got {len(found)}")
    return found


def fill(statement: str, names: Mapping[str, str | None]) -> str:
    """Return a statement with names in its gaps; a gap without a name stays.

    >>> fill("<E1> was born in <E0>", {"E0": "Ulm", "E1": None})
    '<E1> was born in Ulm'
    """
    return _PLACEHOLDER.sub(lambda gap: names.get(gap[1]) or gap[0], statement)


class CitationRubricJudge(GuardedJudge):
    """Grades a cited report by a rubric of statements with gaps.

    The best choice of a criterion means: its statement counts. So with equal weights the score is
    CaRR's rubric reward, reached statements / all. A report without a citation of a page that the
    tools showed, and an episode that does not end with the agent's report, earn nothing, without a
    call.

    Args:
        policy: Who is asked, at most twice a transcript.
        graph: Whether only statements connected to the answer count; False is the paper's ablation.
        unguarded_for_research: Takes away the guard and the fence.
        options: How the policy is asked, see `AskOptions`.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        graph: bool = True,
        unguarded_for_research: bool = False,
        **options: Unpack[AskOptions],
    ) -> None:
        super().__init__(unguarded_for_research=unguarded_for_research)
        self.graph = graph
        self.asker = Asker(policy, fenced=self.is_guarded, **options)

    def _grade(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        return [
            self._verdicts(said, rubric) for said, rubric in zip(transcripts, rubrics, strict=True)
        ]

    def _verdicts(self, transcript: Transcript, rubric: Rubric) -> tuple[Verdict, ...]:
        statements = [_statement(criterion, rubric) for criterion in rubric.criteria]
        if not transcript or transcript[-1]["role"] != "assistant":
            return nothing(rubric, "the episode does not end with a report")
        report = final_answer(transcript)
        evidence = collect_evidence(report, transcript)
        if not evidence:
            return nothing(rubric, "the report cites no page that the tools showed")
        names = identify_entities(self.asker, question_of(transcript), report, statements)
        entities = [placeholders(text) for text in statements]
        named = [i for i, gaps in enumerate(entities) if all(names[gap] for gap in gaps)]
        filled = [fill(statements[i], names) for i in named]
        verdicts = judge_support(self.asker, filled, evidence) if named else []
        supported = [i for i, is_supported in zip(named, verdicts, strict=True) if is_supported]
        flags = [i in supported for i in range(len(statements))]
        connected = rubric_graph(entities, flags, names, ROOT).connected
        return tuple(
            _verdict(criterion, i in named, i in supported, i in connected or not self.graph)
            for i, criterion in enumerate(rubric.criteria)
        )


class PolicyRubricVerifier:
    """The verifier of the reward term `rmgym.rewards.carr.CitationRubric`, by asking a policy.

    A report that the guard turns away has no entities, and evidence without a word supports
    nothing; the policy is not asked.

    Args:
        policy: Who is asked.
        statements: The statements of the rubric, which tell the policy what a gap stands for.
        options: How the policy is asked, see `AskOptions`.
    """

    def __init__(
        self, policy: Policy, statements: Sequence[str], **options: Unpack[AskOptions]
    ) -> None:
        self.asker = Asker(policy, **options)
        self.statements = tuple(statements)

    def identify(self, report: str, entities: Sequence[str]) -> dict[str, str | None]:
        """Return the name of each entity, None unless the report states it."""
        if rejection_of_answer(report):
            return dict.fromkeys(entities)
        names = identify_entities(self.asker, "", report, self.statements)
        check_keys("the entities", names, entities)
        return names

    def supported(self, statements: Sequence[str], evidence: str) -> list[bool]:
        """Return whether the evidence fully supports each statement; one with a gap never is."""
        whole = [i for i, text in enumerate(statements) if not placeholders(text)]
        if rejection_of_answer(evidence) or not whole:
            return [False] * len(statements)
        found = judge_support(self.asker, [statements[i] for i in whole], [("cited", evidence)])
        verdicts = dict(zip(whole, found, strict=True))
        return [verdicts.get(i, False) for i in range(len(statements))]


def _statement(criterion: Criterion, rubric: Rubric) -> str:
    if not placeholders(criterion.text):
        raise JudgeError(
            f"rubric {rubric.name!r}, criterion {criterion.name!r}: expected a gap such as <E0>, "
            "got none; a statement that names no entity can never be reached from the answer"
        )
    return criterion.text


def _verdict(criterion: Criterion, named: bool, supported: bool, connected: bool) -> Verdict:
    if not named:
        reason = "the report does not name all its entities"
    elif not supported:
        reason = "the cited pages do not fully support it"
    else:
        reason = "it counts" if connected else "no chain of statements joins it to the answer"
    choice = criterion.choices[-1 if named and supported and connected else 0]
    return Verdict(criterion=criterion.name, choice=choice, reason=reason)
