from __future__ import annotations

from typing import Any

import pytest

from rmgym.errors import JudgeError, RubricError
from rmgym.judges.protocols import Pair
from rmgym.judges.rules import ExactJudge, Rule, RuledCriterion, last_number, mentions
from rmgym.judges.scripted import GradedPairJudge, ScriptedJudge, without_copies
from rmgym.judges.transcripts import answering
from rmgym.judges.verdicts import weighted_score
from rmgym.protocols import Criterion, Rubric

HARBOUR = "Does the answer explain that floods in the old harbour cellars were the reason?"


def rubric(*criteria: Criterion) -> Rubric:
    return Rubric(name="r", criteria=criteria)


def grade(answer: str, *criteria: Criterion) -> list[str]:
    (verdicts,) = ScriptedJudge().grade([answering("q", answer)], [rubric(*criteria)])
    return [verdict.choice for verdict in verdicts]


@pytest.mark.parametrize(
    ("rule", "answer", "holds"),
    [
        ({"equals": ("Ulm",)}, "the Ulm.", True),
        ({"equals": ("Ulm",)}, "Ulm or Bonn", False),
        ({"contains": ("Ulm", "Bonn")}, "It is Bonn", True),
        ({"contains": ("Ulm",)}, "Ulmer Muenster", False),
        ({"contains": ("東京",)}, "東京です", True),
        ({"contains_all": ("Ulm", "1879")}, "Ulm in 1879", True),
        ({"contains_all": ("Ulm", "1879")}, "Ulm", False),
        ({"contains": ("Ulm",), "absent": ("Bonn",)}, "Ulm, or else Bonn", False),
        ({"pattern": r"\b18\d\d\b"}, "in 1879", True),
        ({"number": 42.0}, "first 17, then 42", True),
        ({"number": 42.0}, "42, no: 17", False),
        ({"number": 42.0}, "none", False),
        ({"number": 1250.0, "tolerance": 1.0}, "1,250.5 m", True),
        ({"overlap": "The bridge opened in 1932"}, "Hm. The bridge opened then.", True),
        ({"overlap": "The bridge opened in 1932", "at_least": 0.8}, "bridge. opened", False),
        ({"max_words": 2}, "one two three", False),
    ],
)
def test_rules(rule: dict[str, Any], answer: str, holds: bool) -> None:
    assert Rule(**rule).holds(answer) is holds


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({}, "expected a condition"),
        ({"contains": ("...",)}, "at least one word"),
        ({"overlap": ""}, "at least one word"),
        ({"pattern": "("}, "regular expression"),
        ({"overlap": "a b", "at_least": 0.0}, "at_least"),
        ({"number": 1.0, "tolerance": -1.0}, "tolerance"),
        ({"number": float("nan")}, "finite"),
        ({"max_words": 0}, "max_words"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(rule: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RubricError, match=complaint):
        Rule(**rule)


def test_the_best_choice_whose_rule_holds_is_taken() -> None:
    criterion = RuledCriterion(
        name="c",
        text="Where?",
        choices=("no", "country", "town"),
        rules=(("country", Rule(contains=("Germany",))), ("town", Rule(contains=("Ulm",)))),
    )
    answers = ["Ulm in Germany", "in Germany", "somewhere"]
    assert [grade(answer, criterion)[0] for answer in answers] == ["town", "country", "no"]


def test_the_exact_judge_demands_a_rule() -> None:
    with pytest.raises(JudgeError, match="'c': expected a rule"):
        ExactJudge().grade([answering("q", "Ulm")], [rubric(Criterion(name="c", text="Is it?"))])


def test_the_exact_judge_reads_the_answer_and_not_the_thought() -> None:
    criterion = RuledCriterion(name="c", text="Is it?", rules=(("yes", Rule(contains=("Ulm",))),))
    said = answering("q", "<think>Ulm?</think><answer>Bonn</answer>")
    (verdicts,) = ExactJudge().grade([said], [rubric(criterion)])
    assert verdicts[0].choice == "no"


def test_shared_words_decide_where_there_is_no_rule() -> None:
    said = "After two floods, the reason was plain: old cellars at the harbour are never dry."
    assert grade(said, Criterion(name="c", text=HARBOUR)) == ["yes"]
    assert grade("Nobody knows.", Criterion(name="c", text=HARBOUR)) == ["no"]


@pytest.mark.parametrize(
    "answer",
    [
        HARBOUR,
        HARBOUR.replace(" ", "\n"),
        f"{HARBOUR} Yes, it does, in every way that there is.",
        "floods old harbour cellars reason floods old harbour cellars reason",
        "reason, cellars, harbour, old, floods, beside, many, other, fine, things",
        "The answer explains floods in harbour cellars.",
    ],
)
def test_a_copied_rubric_and_stuffed_keywords_earn_nothing(answer: str) -> None:
    assert grade(answer, Criterion(name="c", text=HARBOUR)) == ["no"]


def test_a_copied_rubric_earns_nothing_by_rule_either() -> None:
    text = "Names Ulm as the town in which he was born."
    criterion = RuledCriterion(name="c", text=text, rules=(("yes", Rule(contains=("Ulm",))),))
    assert grade(text, criterion) == ["no"]
    assert grade("It was Ulm.", criterion) == ["yes"]


def test_a_fact_may_be_repeated_word_by_word() -> None:
    text = "The bridge of Ulm opened in 1932."
    fact = RuledCriterion(name="c", text=text, is_fact=True, rules=(("yes", Rule(overlap=text)),))
    assert grade(text, fact) == ["yes"]


def test_copies_are_cut_and_the_rest_is_kept() -> None:
    assert without_copies("One, 2. a b c d e! Three.", ["a b c d e"]) == "One, 2.\nThree."
    assert without_copies("p q r s t u a b c d e", ["a b c d e"]) == "p q r s t u"


def test_the_share_is_checked() -> None:
    with pytest.raises(ValueError, match="share"):
        ScriptedJudge(share=0.0)


def test_numbers_and_phrases_are_found_as_written() -> None:
    assert last_number("-3.5e2 apples") == -350.0
    assert not mentions("", "x")


def test_weights_count() -> None:
    criteria = (
        RuledCriterion(name="a", text="A?", weight=3, rules=(("yes", Rule(contains=("x",))),)),
        RuledCriterion(name="b", text="B?", rules=(("yes", Rule(contains=("y",))),)),
    )
    (verdicts,) = ScriptedJudge().grade([answering("q", "an x")], [rubric(*criteria)])
    assert weighted_score(verdicts, rubric(*criteria)) == 0.75


def test_a_pairwise_judge_from_grades() -> None:
    criterion = RuledCriterion(name="a", text="A?", rules=(("yes", Rule(contains=("Ulm",))),))
    judge = GradedPairJudge(ScriptedJudge(), rubric(criterion))
    pairs = [
        Pair(question="q", first="Ulm", second="Bonn"),
        Pair(question="q", first="Bonn", second="Ulm"),
        Pair(question="q", first="Bonn", second="Kiel"),
    ]
    assert [p.scores for p in judge.compare(pairs)] == [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5)]
