from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

import pytest

from rmgym.errors import JudgeError, ScorerError
from rmgym.judges.density import DensityRatioJudge
from rmgym.judges.guarded import GuardedListJudge
from rmgym.judges.pairwise import PolicyPairJudge
from rmgym.judges.panel import AgreeingPairJudge, ConsistentListJudge, PanelJudge
from rmgym.judges.policy_judge import PolicyJudge
from rmgym.judges.principle import PrincipleJudge, masks, parse_ranking
from rmgym.judges.protocols import ListJudge, Pair, PairJudge, Ranking, Slate
from rmgym.judges.transcripts import answering
from rmgym.protocols import Criterion, Rubric, Target, TargetLogprobs
from rmgym.testing import ScriptedPolicy
from rmgym.trajectory import Completion, Context

PAIR = Pair(question="Where?", first="Ulm", second="Bonn")


class Reader:
    """Answers each prompt by a function of its text."""

    def __init__(self, answer: Callable[[str], str]) -> None:
        self.answer = answer

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        return [Completion(text=self.answer(c.observation[1]["content"])) for c in contexts]


def winner_is(text: str) -> Reader:
    def answer(prompt: str) -> str:
        place = prompt.index(f"\n{text}\n")
        return json.dumps({"winner": "A" if place < prompt.index("END ANSWER A") else "B"})

    return Reader(answer)


def always(winner: str) -> ScriptedPolicy:
    return ScriptedPolicy([json.dumps({"winner": winner})])


def test_a_win_counts_if_it_stands_in_both_orders() -> None:
    assert PolicyPairJudge(winner_is("Ulm")).compare([PAIR])[0].scores == (1.0, 0.0)
    assert PolicyPairJudge(winner_is("Bonn")).compare([PAIR])[0].scores == (0.0, 1.0)


@pytest.mark.parametrize("winner", ["A", "B", "tie"])
def test_a_judge_that_prefers_a_place_gives_one_half(winner: str) -> None:
    assert PolicyPairJudge(always(winner)).compare([PAIR])[0].scores == (0.5, 0.5)


@pytest.mark.parametrize("text", ['{"winner": "C"}', '{"winner": 1}', '{"win": "A"}', "A"])
def test_another_winner_is_an_error(text: str) -> None:
    with pytest.raises(JudgeError, match="unreadable"):
        PolicyPairJudge(ScriptedPolicy([text]), retries=0).compare([PAIR])


def test_the_reference_is_shown_and_may_be_demanded() -> None:
    seen: list[str] = []

    def answer(prompt: str) -> str:
        seen.append(prompt)
        return '{"winner": "tie"}'

    pair = Pair(question="Where?", first="Ulm", second="Bonn", reference="It is Ulm.")
    judge = PolicyPairJudge(Reader(answer), needs_reference=True)
    judge.compare([pair])
    assert all("BEGIN REFERENCE" in prompt and "It is Ulm." in prompt for prompt in seen)
    with pytest.raises(JudgeError, match="expected a reference"):
        judge.compare([PAIR])


def ranking(prompt: str) -> str:
    """Scores an answer by its length, at most 5."""
    scores = {}
    for part in prompt.split("BEGIN ANSWER ")[1:]:
        head, text = part.split("\n")[:2]
        scores[head.split()[0]] = min(5, len(text))
    order = sorted(scores, key=lambda name: -scores[name])
    return json.dumps({"scores": scores, "ranking": order})


def test_names_are_masked_shuffled_and_restored() -> None:
    seen: list[str] = []

    def answer(prompt: str) -> str:
        seen.append(prompt)
        return ranking(prompt)

    answers = {"model-x": "a", "model-y": "aaa", "model-z": "aa"}
    slate = Slate(question="q", answers=answers, principle="Longer is better.")
    (found,) = PrincipleJudge(Reader(answer)).rank([slate])
    assert found.scores == {"model-x": 1.0, "model-y": 3.0, "model-z": 2.0}
    assert found.order == ("model-y", "model-z", "model-x")
    assert "model" not in seen[0]


def test_the_order_shown_depends_on_seed_and_slate_and_not_on_the_order_given() -> None:
    names = {name: name * 2 for name in "abcdefgh"}
    slate = Slate(question="q", answers=names, principle="p")
    turned = Slate(question="q", answers=dict(reversed(names.items())), principle="p")
    assert masks(slate, 42) == masks(turned, 42)
    assert list(masks(slate, 42)) == [f"R{i}" for i in range(1, 9)]
    assert masks(slate, 42) != masks(slate, 43)


def test_slates_with_equal_answers_keep_their_own_names() -> None:
    slates = [
        Slate(question="q", answers={"a": "x", "b": "xx"}, principle="p"),
        Slate(question="q", answers={"c": "x", "d": "xx"}, principle="p"),
    ]
    first, second = PrincipleJudge(Reader(ranking)).rank(slates)
    assert first.scores == {"a": 1.0, "b": 2.0}
    assert second.scores == {"c": 1.0, "d": 2.0}


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        ('{"scores": {"R1": 3}, "ranking": ["R1", "R2"]}', "keys"),
        ('{"scores": {"R1": 3, "R2": 3, "R3": 1}, "ranking": ["R1", "R2"]}', "keys"),
        ('{"scores": {"R1": 3, "R2": 6}, "ranking": ["R1", "R2"]}', "whole numbers"),
        ('{"scores": {"R1": 3, "R2": 2.5}, "ranking": ["R1", "R2"]}', "whole numbers"),
        ('{"scores": {"R1": 3, "R2": true}, "ranking": ["R1", "R2"]}', "whole numbers"),
        ('{"scores": {"R1": 3, "R2": 2}, "ranking": ["R1", "R1"]}', "once in the ranking"),
        ('{"scores": {"R1": 3, "R2": 2}, "ranking": "R1"}', "list of texts"),
        ('{"scores": {"R1": 2, "R2": 3}, "ranking": ["R1", "R2"]}', "fits the scores"),
        ('{"scores": {"R1": 2, "R1": 3, "R2": 1}, "ranking": ["R1", "R2"]}', "twice"),
        ('{"scores": [1, 2], "ranking": ["R1", "R2"]}', "object"),
    ],
)
def test_a_ranking_is_read_strictly(reply: str, complaint: str) -> None:
    with pytest.raises(JudgeError, match=complaint):
        parse_ranking(reply, ["R1", "R2"])


def test_a_slate_needs_a_principle_and_an_answer() -> None:
    with pytest.raises(JudgeError, match="principle"):
        PrincipleJudge(Reader(ranking)).rank([Slate(question="q", answers={"a": "x"})])
    with pytest.raises(ValueError, match="at least one answer"):
        Slate(question="q", answers={})


class Fixed(GuardedListJudge):
    """Ranks in a given order."""

    def __init__(self, order: str) -> None:
        super().__init__()
        self.order = order

    def _rank(self, slates: Sequence[Slate]) -> list[Ranking]:
        orders = [[n for n in self.order if n in slate.answers] for slate in slates]
        return [Ranking(scores={n: -i for i, n in enumerate(o)}, order=tuple(o)) for o in orders]


def test_consistency_is_the_weight_of_cream() -> None:
    slate = Slate(question="q", answers={name: f"text {name}" for name in "abcd"})
    (found,) = ConsistentListJudge(Fixed("bacd"), Fixed("abcd")).weigh([slate])
    assert found.ranking.order == ("b", "a", "c", "d")
    assert found.consistency == pytest.approx(5 / 6)


def test_consistency_leaves_out_what_was_turned_away() -> None:
    slates = [
        Slate(question="q", answers={"a": "text a", "b": "text b", "c": "."}),
        Slate(question="q", answers={"a": "text a", "b": "."}),
    ]
    first, second = ConsistentListJudge(Fixed("abc"), Fixed("abc")).weigh(slates)
    assert first.consistency == 1.0
    assert second.consistency is None


def test_a_pair_counts_where_both_judges_agree() -> None:
    pairs = [PAIR, Pair(question="Why?", first="Kiel", second="Ulm")]
    ulm, place = PolicyPairJudge(winner_is("Ulm")), PolicyPairJudge(always("A"))
    agreed = AgreeingPairJudge(ulm, PolicyPairJudge(winner_is("Ulm")))
    assert [p.scores for p in agreed.compare(pairs)] == [(1.0, 0.0), (0.0, 1.0)]
    assert agreed.agreement(pairs) == ([True, True], 1.0)
    split = AgreeingPairJudge(ulm, place)
    assert [p.scores for p in split.compare(pairs)] == [(0.5, 0.5), (0.5, 0.5)]
    assert split.agreement(pairs) == ([False, False], 0.0)


def panel(choices: Sequence[str], on_disagreement: str) -> PanelJudge:
    replies = [
        json.dumps({"verdicts": [{"criterion": "c", "choice": choice}]}) for choice in choices
    ]
    members = [PolicyJudge(ScriptedPolicy([reply])) for reply in replies]
    return PanelJudge(members, on_disagreement=on_disagreement)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("choices", "rule", "choice"),
    [
        (("yes", "yes"), "error", "yes"),
        (("yes", "yes", "no"), "majority", "yes"),
        (("yes", "no"), "majority", "no"),
        (("yes", "yes", "no"), "worst", "no"),
    ],
)
def test_what_a_panel_makes_of_its_votes(choices: Sequence[str], rule: str, choice: str) -> None:
    rubric = Rubric(name="r", criteria=(Criterion(name="c", text="Is it?"),))
    (verdicts,) = panel(choices, rule).grade([answering("q", "Ulm")], [rubric])
    assert verdicts[0].choice == choice


def test_a_panel_that_disagrees_may_be_an_error() -> None:
    rubric = Rubric(name="r", criteria=(Criterion(name="c", text="Is it?"),))
    with pytest.raises(JudgeError, match="expected the panel to agree"):
        panel(("yes", "no"), "error").grade([answering("q", "Ulm")], [rubric])
    with pytest.raises(ValueError, match="at least two judges"):
        panel(("yes",), "error")
    with pytest.raises(ValueError, match="on_disagreement"):
        panel(("yes", "no"), "zero")


class Letters:
    """Gives each letter of a target a log-probability."""

    def __init__(self, per_letter: float) -> None:
        self.per_letter = per_letter

    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        return [
            TargetLogprobs(tuple(map(ord, t.text)), (self.per_letter,) * len(t.text))
            for t in targets
        ]


def test_density_ratio_ranks_by_the_summed_difference() -> None:
    slate = Slate(question="q", answers={"short": "ab", "long": "abcd", "key": "."})
    (found,) = DensityRatioJudge(Letters(-0.5), Letters(-1.0)).rank([slate])
    assert found.order == ("long", "short", "key")
    assert found.scores["long"] == pytest.approx(1 / (1 + math.exp(-2.0)))
    assert found.scores["short"] == pytest.approx(1 / (1 + math.exp(-1.0)))
    assert found.scores["key"] == 0.0


def test_density_scores_stay_within_their_range_for_long_answers() -> None:
    slate = Slate(question="q", answers={"a": "a" * 5000, "b": "b" * 6000})
    (down,) = DensityRatioJudge(Letters(-1.0), Letters(-0.5)).rank([slate])
    assert down.order == ("a", "b")
    assert all(0.0 <= score <= 1.0 for score in down.scores.values())


@pytest.mark.parametrize("value", [float("nan"), -math.inf])
def test_density_of_something_not_finite_is_an_error(value: float) -> None:
    slate = Slate(question="q", answers={"a": "ab"})
    with pytest.raises(JudgeError, match="finite"):
        DensityRatioJudge(Letters(value), Letters(-1.0)).rank([slate])


def test_a_scorer_that_breaks_is_a_judge_error() -> None:
    class Down:
        def logprobs(
            self, contexts: Sequence[Context], targets: Sequence[Target]
        ) -> list[TargetLogprobs]:
            raise ScorerError("no engine")

    with pytest.raises(JudgeError, match="no engine"):
        DensityRatioJudge(Down(), Down()).rank([Slate(question="q", answers={"a": "ab"})])


def test_the_judges_keep_their_protocols() -> None:
    assert isinstance(PolicyPairJudge(always("A")), PairJudge)
    assert isinstance(PrincipleJudge(Reader(ranking)), ListJudge)
