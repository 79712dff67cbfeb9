from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rmgym import judges
from rmgym.errors import JudgeError
from rmgym.judges.guard import MASTER_KEYS
from rmgym.judges.guarded import (
    GuardedJudge,
    GuardedListJudge,
    GuardedPairJudge,
    UnguardedWarning,
)
from rmgym.judges.nuggets import Nugget, nugget_rubric
from rmgym.judges.policy_judge import PolicyJudge
from rmgym.judges.protocols import Pair, Preference, Ranking, Slate, Transcript
from rmgym.judges.reference import ReferencedRubric
from rmgym.judges.rules import Rule, RuledCriterion
from rmgym.judges.transcripts import answering, final_answer, rejection_of
from rmgym.messages import message
from rmgym.protocols import Criterion, Rubric, Target, TargetLogprobs, Verdict
from rmgym.testing import ScriptedPolicy
from rmgym.trajectory import Completion, Context

YES = '{"verdicts": [{"criterion": "c", "choice": "yes"}]}'
RUBRIC = Rubric(
    name="r",
    criteria=(
        RuledCriterion(name="c", text="Is it <E0>?", rules=(("yes", Rule(pattern="(?s).*")),)),
    ),
)


class Forbidden:
    """A model that must not be asked."""

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        raise AssertionError("the judge asked its policy about a master key")

    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        raise AssertionError("the judge asked its scorer about a master key")


class Lavish(GuardedJudge):
    """Gives everything the best choice."""

    def _grade(
        self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        return [
            tuple(Verdict(criterion=c.name, choice=c.choices[-1]) for c in rubric.criteria)
            for rubric in rubrics
        ]


RUBRIC_JUDGES: dict[str, Callable[[], Any]] = {
    "carr": lambda: judges.make("carr", Forbidden()),
    "exact": lambda: judges.make("exact"),
    "nuggets": lambda: judges.make("nuggets", Forbidden()),
    "panel": lambda: judges.make("panel", [Lavish(), Lavish()]),
    "policy": lambda: judges.make("policy", Forbidden()),
    "reference": lambda: judges.make("reference", Forbidden()),
    "scripted": lambda: judges.make("scripted"),
    "tools": lambda: judges.make("tools", Forbidden(), {"say": str}),
}
PAIR_JUDGES: dict[str, Callable[[], Any]] = {
    "agreeing_pair": lambda: judges.make(
        "agreeing_pair",
        judges.make("policy_pair", Forbidden()),
        judges.make("policy_pair", Forbidden()),
    ),
    "graded_pair": lambda: judges.make("graded_pair", Lavish(), RUBRIC),
    "policy_pair": lambda: judges.make("policy_pair", Forbidden()),
}
LIST_JUDGES: dict[str, Callable[[], Any]] = {
    "consistent": lambda: judges.make(
        "consistent",
        judges.make("principle", Forbidden()),
        judges.make("principle", Forbidden()),
    ),
    "density": lambda: judges.make("density", Forbidden(), Forbidden()),
    "principle": lambda: judges.make("principle", Forbidden()),
}


def rubric_for(name: str) -> Rubric:
    if name == "nuggets":
        return nugget_rubric([Nugget(text="Ulm lies on the Danube.")])
    if name == "reference":
        return ReferencedRubric(name="r", criteria=RUBRIC.criteria, reference="Ulm")
    return RUBRIC


def test_every_registered_judge_is_tried_below() -> None:
    assert sorted([*RUBRIC_JUDGES, *PAIR_JUDGES, *LIST_JUDGES]) == judges.names()


@pytest.mark.parametrize("key", MASTER_KEYS)
@pytest.mark.parametrize("name", sorted(RUBRIC_JUDGES))
def test_a_master_key_gets_the_worst_choice_and_reaches_no_model(name: str, key: str) -> None:
    rubric = rubric_for(name)
    for said in (key, f"<think>Hm, let me see.</think><answer>{key}</answer>"):
        (verdicts,) = RUBRIC_JUDGES[name]().grade([answering("Where?", said)], [rubric])
        assert [v.score(c) for v, c in zip(verdicts, rubric.criteria, strict=True)] == [0.0]


@pytest.mark.parametrize("key", MASTER_KEYS)
@pytest.mark.parametrize("name", sorted(PAIR_JUDGES))
def test_a_master_key_loses_every_pair_and_two_of_them_get_nothing(name: str, key: str) -> None:
    pairs = [
        Pair(question="Where?", first=key, second="Ulm"),
        Pair(question="Where?", first="Ulm", second=key),
        Pair(question="Where?", first=key, second="Solution"),
    ]
    scores = [preference.scores for preference in PAIR_JUDGES[name]().compare(pairs)]
    assert scores == [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0)]


@pytest.mark.parametrize("wrapped", ["<answer>.</answer>", "\\boxed{Solution}", '<p id="x">:</p>'])
def test_what_wraps_a_key_does_not_hide_it(wrapped: str) -> None:
    pair = Pair(question="Where?", first=wrapped, second="Ulm")
    assert PAIR_JUDGES["policy_pair"]().compare([pair])[0].scores == (0.0, 1.0)
    assert rejection_of([message("assistant", wrapped)]) is not None


@pytest.mark.parametrize("key", MASTER_KEYS)
@pytest.mark.parametrize("name", sorted(LIST_JUDGES))
def test_a_master_key_stands_last_with_the_lowest_score(name: str, key: str) -> None:
    judge = LIST_JUDGES[name]()
    (ranking,) = judge.rank([Slate(question="Where?", answers={"a": key}, principle="Be right.")])
    assert (ranking.scores, ranking.order, ranking.refused) == ({"a": judge.floor}, ("a",), ("a",))


def test_other_answers_of_a_slate_are_ranked_without_the_key() -> None:
    policy = ScriptedPolicy(['{"scores": {"R1": 2}, "ranking": ["R1"]}'])
    slate = Slate(question="Where?", answers={"k": "Solution", "a": "Ulm"}, principle="Be right.")
    (ranking,) = judges.make("principle", policy).rank([slate])
    assert ranking.scores == {"a": 2.0, "k": 1.0}
    assert ranking.order == ("a", "k")


def test_only_the_keys_of_a_batch_are_held_back() -> None:
    policy = ScriptedPolicy([YES])
    judge = PolicyJudge(policy)
    said = [answering("q", text) for text in (".", "Ulm", "解", "Bonn")]
    choices = [verdicts[0].choice for verdicts in judge.grade(said, [RUBRIC] * 4)]
    assert choices == ["no", "yes", "no", "yes"]
    assert judge.asker.calls == 2


def test_an_agent_that_said_nothing_gets_nothing() -> None:
    (verdicts,) = Lavish().grade([[message("user", "Where?")]], [RUBRIC])
    assert (verdicts[0].choice, verdicts[0].reason) == ("no", "the agent said nothing")


def test_replacing_a_door_is_refused_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match=r"grade\(\).*write _grade\(\)"):
        type("Open", (Lavish,), {"grade": lambda self, transcripts, rubrics: []})
    with pytest.raises(TypeError, match="compare"):
        type("Open", (GuardedPairJudge,), {"compare": lambda self, pairs: []})
    with pytest.raises(TypeError, match="rank"):
        type("Open", (GuardedListJudge,), {"rank": lambda self, slates: []})
    with pytest.raises(TypeError, match="poll"):
        type("Open", (PolicyJudge,), {"poll": lambda self, transcripts, rubrics: []})


def test_replacing_a_door_by_a_mixin_is_refused_as_well() -> None:
    class Mixin:
        def grade(self, transcripts: object, rubrics: object) -> list[object]:
            return []

    with pytest.raises(TypeError, match="replaces grade"):
        type("Open", (Mixin, Lavish), {})


def test_a_subclass_that_skips_the_constructor_is_guarded() -> None:
    class Careless(Lavish):
        def __init__(self) -> None:
            pass

    (verdicts,) = Careless().grade([answering("q", "Solution")], [RUBRIC])
    assert verdicts[0].choice == "no"


def test_taking_the_guard_away_warns_and_marks_every_verdict() -> None:
    with pytest.warns(UnguardedWarning, match="Lavish was made without"):
        judge = Lavish(unguarded_for_research=True)
    (verdicts,) = judge.grade([answering("q", "Solution")], [RUBRIC])
    assert verdicts[0].choice == "yes"
    assert verdicts[0].reason.startswith("[unguarded] ")


def test_polls_pairs_and_rankings_are_marked_as_well() -> None:
    class Pairs(GuardedPairJudge):
        def _compare(self, pairs: Sequence[Pair]) -> list[Preference]:
            return [Preference(scores=(1.0, 0.0)) for _ in pairs]

    class Lists(GuardedListJudge):
        def _rank(self, slates: Sequence[Slate]) -> list[Ranking]:
            return [Ranking(scores={"a": 5.0}, order=("a",)) for _ in slates]

    with pytest.warns(UnguardedWarning):
        policy = PolicyJudge(ScriptedPolicy([YES]), unguarded_for_research=True)
    with pytest.warns(UnguardedWarning):
        pairs = Pairs(unguarded_for_research=True)
    with pytest.warns(UnguardedWarning):
        lists = Lists(unguarded_for_research=True)
    (poll,) = policy.poll([answering("q", ".")], [RUBRIC])
    (preference,) = pairs.compare([Pair(question="q", first=".", second="Ulm")])
    (ranking,) = lists.rank([Slate(question="q", answers={"a": "."})])
    reasons = [poll.verdicts[0].reason, preference.reason, ranking.reason]
    assert all(reason.startswith("[unguarded] ") for reason in reasons)


def test_a_truthy_value_does_not_take_the_guard_away() -> None:
    with pytest.raises(TypeError, match="expected unguarded_for_research of True or False"):
        Lavish(unguarded_for_research="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdicts", "complaint"),
    [
        ([], "none on"),
        ([Verdict(criterion="c", choice="maybe")], "expected one of"),
        ([Verdict(criterion="c", choice="yes"), Verdict(criterion="c", choice="no")], "got two"),
        ([Verdict(criterion="c", choice="yes"), Verdict(criterion="d", choice="no")], "strangers"),
    ],
)
def test_a_judge_behind_the_door_must_keep_to_the_rubric(
    verdicts: list[Verdict], complaint: str
) -> None:
    class Sloppy(GuardedJudge):
        def _grade(
            self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
        ) -> list[tuple[Verdict, ...]]:
            return [tuple(verdicts) for _ in rubrics]

    with pytest.raises(JudgeError, match=complaint):
        Sloppy().grade([answering("q", "Ulm")], [RUBRIC])


def test_a_judge_that_answers_too_little_is_an_error() -> None:
    class Lazy(GuardedJudge):
        def _grade(
            self, transcripts: Sequence[Transcript], rubrics: Sequence[Rubric]
        ) -> list[tuple[Verdict, ...]]:
            return []

    with pytest.raises(JudgeError, match="expected 1 results, got 0"):
        Lazy().grade([answering("q", "Ulm")], [RUBRIC])


def test_one_rubric_per_transcript_is_needed() -> None:
    with pytest.raises(ValueError, match="got 1 for 2"):
        Lavish().grade([answering("q", "Ulm")] * 2, [RUBRIC])


def test_the_answer_is_the_first_block_or_what_follows_the_thought() -> None:
    def final(text: str) -> str:
        return final_answer([message("assistant", text)])

    assert final("<answer>a</answer><answer>b</answer>") == "a"
    assert final("<think>t</think> rest ") == "rest"
    assert final("plain") == "plain"


def test_a_key_hidden_in_tags_or_after_a_long_thought_is_seen() -> None:
    said = "<think>" + "much thought " * 50 + "</think><answer><b>Solution</b>:</answer>"
    assert rejection_of([message("assistant", said)]) == "the answer is a master key"
    assert rejection_of([message("assistant", "<search>Ulm</search>")]) is None


def test_names_and_errors_of_the_registry() -> None:
    assert isinstance(judges.get("scripted"), type)
    with pytest.raises(KeyError, match="scripted"):
        judges.get("scriptd")
    assert math.isclose(judges.make("scripted", share=0.5).share, 0.5)


def test_criteria_are_judged_by_name_not_by_place() -> None:
    rubric = Rubric(
        name="two", criteria=(Criterion(name="a", text="A?"), Criterion(name="b", text="B?"))
    )
    reply = (
        '{"verdicts": [{"criterion": "b", "choice": "yes"}, {"criterion": "a", "choice": "no"}]}'
    )
    (verdicts,) = PolicyJudge(ScriptedPolicy([reply])).grade([answering("q", "Ulm")], [rubric])
    assert [(v.criterion, v.choice) for v in verdicts] == [("a", "no"), ("b", "yes")]
