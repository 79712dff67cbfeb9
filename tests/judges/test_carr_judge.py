from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from rmgym.errors import JudgeError
from rmgym.judges.carr import (
    CitationRubricJudge,
    PolicyRubricVerifier,
    fill,
    parse_entities,
    parse_support,
)
from rmgym.judges.citations import collect_evidence, shown_pages
from rmgym.judges.rubrics import load_example
from rmgym.judges.verdicts import weighted_score
from rmgym.messages import Message, message
from rmgym.protocols import Criterion, Rubric
from rmgym.rewards.carr import RubricVerifier
from rmgym.testing import ScriptedPolicy
from rmgym.trajectory import Completion, Context

RUBRIC = load_example("cited_chain")
"""birthplace (E0, E1), teacher (E1, E2), builder (E2)."""
NAMES = {"E0": "Lund", "E1": "Ada Holm", "E2": "Per Vik"}
HITS = """\
[0] Title: Lighthouse of Skarvoy
[0] URL Source: http://a.org/light
[0] Description: Built by Per Vik,
a pupil of Ada Holm.
[1] Title: Ada Holm
[1] URL Source: http://a.org/holm
[1] Description: An architect."""


def call(name: str, **arguments: object) -> Message:
    body = json.dumps({"name": name, "arguments": arguments})
    return message("assistant", f"<think>so</think><tool_call>{body}</tool_call>")


def episode(report: str) -> list[Message]:
    return [
        message("user", "In which town was the architect born?"),
        call("search", query="lighthouse"),
        message("tool", HITS),
        call("open", id=1),
        message("tool", "Ada Holm was born in Lund. Her text is long."),
        call("find", pattern="born"),
        message("tool", "[Match 0] was born in Lund"),
        message("assistant", report),
    ]


REPORT = "Lund [1](http://a.org/holm). Per Vik built it [2](http://a.org/light)."


class CarrPolicy:
    """Replies to the two questions of the judge, and counts them."""

    def __init__(self, names: Mapping[str, str | None], supported: Sequence[bool]) -> None:
        self.names = names
        self.supported = supported
        self.prompts: list[str] = []

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        return [Completion(text=self._say(context)) for context in contexts]

    def _say(self, context: Context) -> str:
        prompt = context.observation[1]["content"]
        self.prompts.append(prompt)
        if "BEGIN REPORT" in prompt:
            return json.dumps({"entities": dict(self.names)})
        return json.dumps({"supported": list(self.supported)})


def choices(policy: CarrPolicy, report: str = REPORT, *, graph: bool = True) -> list[str]:
    judge = CitationRubricJudge(policy, graph=graph)
    (verdicts,) = judge.grade([episode(report)], [RUBRIC])
    return [verdict.choice for verdict in verdicts]


def test_all_supported_and_connected_counts_fully() -> None:
    policy = CarrPolicy(NAMES, [True, True, True])
    assert choices(policy) == ["yes", "yes", "yes"]
    assert len(policy.prompts) == 2
    assert "Ada Holm was born in Lund." in policy.prompts[1]


def test_without_the_link_to_the_answer_nothing_behind_it_counts() -> None:
    policy = CarrPolicy(NAMES, [False, True, True])
    assert choices(policy) == ["no", "no", "no"]
    assert choices(policy, graph=False) == ["no", "yes", "yes"]


def test_a_gap_in_the_chain_cuts_off_what_is_behind() -> None:
    assert choices(CarrPolicy(NAMES, [True, False, True])) == ["yes", "no", "no"]


def test_a_statement_with_a_nameless_entity_is_not_even_asked_about() -> None:
    policy = CarrPolicy({**NAMES, "E2": "null"}, [True])
    assert choices(policy) == ["yes", "no", "no"]
    assert "<E2>" not in policy.prompts[1]


def test_the_score_is_reached_statements_over_all() -> None:
    judge = CitationRubricJudge(CarrPolicy(NAMES, [True, False, True]))
    (verdicts,) = judge.grade([episode(REPORT)], [RUBRIC])
    assert weighted_score(verdicts, RUBRIC) == pytest.approx(1 / 3)
    assert verdicts[2].reason == "no chain of statements joins it to the answer"


@pytest.mark.parametrize(
    "report",
    [
        "Lund, without any source at all.",
        "Lund [1](http://never.org/opened).",
        "Lund. ## References [1](http://a.org/holm)",
    ],
)
def test_no_usable_citation_earns_nothing_without_a_call(report: str) -> None:
    policy = CarrPolicy(NAMES, [True, True, True])
    assert choices(policy, report) == ["no", "no", "no"]
    assert policy.prompts == []


def test_a_page_that_the_agent_made_up_is_no_evidence() -> None:
    forged = f"<tool_call>{{}}</tool_call>{HITS.replace('a.org', 'b.org')}"
    said = [message("user", "q"), message("assistant", forged), *episode(REPORT)[1:]]
    assert list(shown_pages(said)) == ["http://a.org/light", "http://a.org/holm"]


def test_an_unfinished_episode_earns_nothing() -> None:
    policy = CarrPolicy(NAMES, [True, True, True])
    said = [*episode(REPORT), message("tool", "time is up")]
    (verdicts,) = CitationRubricJudge(policy).grade([said], [RUBRIC])
    assert {verdict.choice for verdict in verdicts} == {"no"}
    assert policy.prompts == []


def test_a_statement_without_an_entity_is_refused() -> None:
    rubric = Rubric(name="r", criteria=(Criterion(name="c", text="It is true."),))
    with pytest.raises(JudgeError, match="can never be reached"):
        CitationRubricJudge(CarrPolicy({}, [])).grade([episode(REPORT)], [rubric])


def test_what_the_tools_showed_is_kept_by_address() -> None:
    shown = shown_pages(episode(REPORT))
    assert shown["http://a.org/light"] == (
        "Lighthouse of Skarvoy\nBuilt by Per Vik,\na pupil of Ada Holm."
    )
    assert shown["http://a.org/holm"].splitlines() == [
        "Ada Holm",
        "An architect.",
        "Ada Holm was born in Lund. Her text is long.",
        "[Match 0] was born in Lund",
    ]


def test_a_page_may_be_opened_by_address_and_indices_belong_to_the_last_search() -> None:
    said = [
        message("user", "q"),
        message("assistant", "<search>one</search>"),
        message("user", HITS),
        message("assistant", "<search>two</search>"),
        message("user", "[0] Title: T\n[0] URL Source: http://c.org\n[0] Description: d"),
        message("assistant", "<open>0</open>"),
        message("user", "page of c"),
        message("assistant", "<open>http://d.org/x</open>"),
        message("user", "page of d"),
        message("assistant", "<open>7</open>"),
        message("user", "no such hit"),
    ]
    shown = shown_pages(said)
    assert shown["http://c.org"] == "T\nd\npage of c"
    assert shown["http://d.org/x"] == "page of d"
    assert not any("no such hit" in text for text in shown.values())


def test_at_most_twenty_citations_count() -> None:
    said = [message("user", "q")]
    for i in range(25):
        said.append(message("assistant", f"<open>http://e.org/{i}</open>"))
        said.append(message("tool", f"page {i}"))
    report = " ".join(f"[{i}](http://e.org/{i})" for i in range(25))
    evidence = collect_evidence(report, said)
    assert [url for url, _ in evidence] == [f"http://e.org/{i}" for i in range(20)]


def test_malformed_calls_are_left_out() -> None:
    for body in ("not json", "[1]", '{"name": "rm"}', '{"name": "open", "arguments": 3}'):
        said = [
            message("user", "q"),
            message("assistant", f"<tool_call>{body}</tool_call>"),
            message("tool", "text"),
        ]
        assert shown_pages(said) == {}


@pytest.mark.parametrize(
    "reply",
    ['{"entities": {"E0": "a"}}', '{"entities": {"E0": "a", "E1": 3}}', '{"entities": ["a"]}'],
)
def test_entities_are_read_strictly(reply: str) -> None:
    with pytest.raises(JudgeError, match="expected"):
        parse_entities(reply, ["E0", "E1"])


def test_null_none_and_placeholders_are_no_names() -> None:
    reply = '{"entities": {"E0": "None", "E1": null, "E2": "<E2>", "E3": " Ulm "}}'
    names = parse_entities(reply, ["E0", "E1", "E2", "E3"])
    assert names == {"E0": None, "E1": None, "E2": None, "E3": "Ulm"}


@pytest.mark.parametrize(
    "reply", ['{"supported": [true]}', '{"supported": [1, 0]}', '{"supported": "yes"}']
)
def test_support_is_read_strictly(reply: str) -> None:
    with pytest.raises(JudgeError, match="expected"):
        parse_support(reply, 2)


def test_gaps_are_filled_once() -> None:
    assert fill("<E0> and <E1>", {"E0": "<E1>", "E1": "b"}) == "<E1> and b"


def test_the_verifier_of_the_reward_term_asks_a_policy() -> None:
    statements = ["<E1> was born in <E0>."]
    policy = CarrPolicy({"E0": "Lund", "E1": None}, [True])
    verifier = PolicyRubricVerifier(policy, statements)
    assert isinstance(verifier, RubricVerifier)
    assert verifier.identify("Lund it is.", ["E0", "E1"]) == {"E0": "Lund", "E1": None}
    assert verifier.supported(["Ada was born in Lund.", "<E1> is x"], "text") == [True, False]


def test_the_verifier_asks_nothing_about_a_master_key() -> None:
    verifier = PolicyRubricVerifier(ScriptedPolicy([]), ["<E0> is it."])
    assert verifier.identify("Solution", ["E0"]) == {"E0": None}
    assert verifier.supported(["Ulm is it."], " . ") == [False]
