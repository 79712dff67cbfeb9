from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from rmgym.errors import RewardError
from rmgym.protocols import Score
from rmgym.rewards.carr import (
    CitationRubric,
    entity_name,
    extract_citations,
    rubric_graph,
    server_mix,
    usable_citations,
)
from tests.rewards.episodes import answer, context, outcome, said

PAGE = "http://w.org/a_(b)"
RUBRICS = ["<E0> is where <E1> was born", "<E1> wrote on <E2>", "<E3> is old"]
NAMES = {"E0": "Ulm", "E1": "Einstein", "E2": "relativity", "E3": "Bern"}


class Reader:
    """Names what the report states and supports what the evidence repeats."""

    def identify(self, report: str, entities: Sequence[str]) -> Mapping[str, str | None]:
        return {e: NAMES[e] if NAMES[e] in report else None for e in entities}

    def supported(self, statements: Sequence[str], evidence: str) -> Sequence[bool]:
        return [statement in evidence for statement in statements]


def episode(report: str, evidence: str, **facts: Any) -> list[dict[str, Any]]:
    return [said("tool", pages={PAGE: evidence}), answer(report, **facts)]


def test_links_are_read_once_without_the_reference_list() -> None:
    report = f"x [1]({PAGE}) y [2]({PAGE}), [3](https://b.org)\n## References\n[4](http://c.org)"
    assert extract_citations(report) == [PAGE, "https://b.org"]


def test_the_release_reads_links_that_a_bracket_or_comma_follows() -> None:
    report = "[[1](http://a.org)] [2](http://b.org) and [3](http://c.org), so"
    assert extract_citations(report, "release") == ["http://a.org", "http://c.org"]


def test_at_most_twenty_addresses_that_occurred_are_used() -> None:
    cited = [f"http://x.org/{i}" for i in range(30)]
    pages = dict.fromkeys(cited[1:], "text")
    assert usable_citations(cited, pages) == cited[1:21]


def test_a_chain_of_supported_statements_is_followed_from_the_answer() -> None:
    found = rubric_graph([["E0", "E1"], ["E1", "E2"], ["E3"]], [True, True, True], NAMES)
    assert found.connected == (0, 1)
    assert found.rubric_reward == pytest.approx(2 / 3)
    assert found.rubric_reward_without_graph == 1.0


@pytest.mark.parametrize("name", [None, "null", " None ", "", "<E1>"])
def test_an_entity_without_a_name_fails_its_statements(name: str | None) -> None:
    assert entity_name(name) is None
    assert rubric_graph([["E0"]], [True], {"E0": name}).supported == ()


def test_an_entity_without_an_entry_is_an_error_that_names_it() -> None:
    with pytest.raises(RewardError, match="E7"):
        rubric_graph([["E0", "E7"]], [True], {"E0": "x"})


def test_a_wrong_answer_earns_rubric_credit_in_the_server_mix() -> None:
    assert server_mix(0, 0.8, 0.25) == pytest.approx(0.2)


def test_the_term_verifies_report_evidence_and_chain() -> None:
    evidence = "Ulm is where Einstein was born. Bern is old."
    report = f"Ulm, birthplace of Einstein, not Bern, by relativity [1]({PAGE})"
    score = CitationRubric(Reader())([context(episode(report, evidence), {"rubrics": RUBRICS})])[0]
    assert isinstance(score, Score)
    assert score.value == pytest.approx(1 / 3)
    assert score.metrics == {"carr/citations": 1.0, "carr/supported": 2.0}


def test_the_ablation_counts_statements_off_the_chain() -> None:
    evidence = "Ulm is where Einstein was born. Bern is old."
    report = f"Ulm, birthplace of Einstein, not Bern, by relativity [1]({PAGE})"
    term = CitationRubric(Reader(), graph=False)
    assert outcome(term, episode(report, evidence), {"rubrics": RUBRICS}) == pytest.approx(2 / 3)


def test_recorded_verdicts_are_read_without_a_verifier() -> None:
    turns = episode(f"Ulm [1]({PAGE})", "x", identified=NAMES, judge_supported=[True, False, True])
    assert outcome(CitationRubric(), turns, {"rubrics": RUBRICS}) == pytest.approx(1 / 3)


def test_missing_verdicts_are_an_error_that_names_the_fact() -> None:
    with pytest.raises(RewardError, match="identified"):
        outcome(CitationRubric(), episode(f"Ulm [1]({PAGE})", "x"), {"rubrics": RUBRICS})


def test_rubrics_without_a_placeholder_are_an_error() -> None:
    with pytest.raises(RewardError, match="E0"):
        outcome(CitationRubric(), episode("x", "y"), {"rubrics": ["it is good"]})


def test_an_unfinished_episode_earns_nothing() -> None:
    assert outcome(CitationRubric(Reader()), [said("tool")], {"rubrics": RUBRICS}) == 0.0
