from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from rmgym.agents.debate_styles import Braggart, Flatterer
from rmgym.envs.debate.arena import DebateArena
from rmgym.envs.debate.judges import BiasedJudge, GradingJudge, RoundView, make_judge
from rmgym.envs.debate.measures import favour
from rmgym.envs.debate.seat import DEBATE_ID, debate_seat, play_arena, seat_players
from rmgym.errors import RewardError
from rmgym.messages import Message
from rmgym.protocols import Rubric, Verdict
from rmgym.rewards.debate_behaviour import (
    PARTS,
    Behaviour,
    JudgedBehaviour,
    LexiconScorer,
    behaviour_means,
)
from rmgym.rewards.debate_topic import (
    EmbeddingSimilarity,
    TfidfSimilarity,
    TopicDrift,
    shift_metrics,
    topic_shift,
)
from rmgym.rollout import rollout


class ByRule:
    """A judge that gives every criterion the choice of its place, counted round."""

    def grade(
        self, transcripts: Sequence[Sequence[Message]], rubrics: Sequence[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        return [
            tuple(
                Verdict(criterion=c.name, choice=c.choices[i % len(c.choices)])
                for i, c in enumerate(rubric.criteria)
            )
            for rubric in rubrics
        ]


def ended(players: list[str], **arguments: Any) -> dict[str, dict[str, float]]:
    arena = DebateArena(agents=len(players), rounds=4, **arguments)
    policies = seat_players(arena, DEBATE_ID, arena.possible_agents, players)
    sums: dict[str, dict[str, float]] = {seat: {} for seat in arena.possible_agents}
    for seed in range(10):
        for seat, info in play_arena(arena, policies, seed).items():
            for name, value in info["metrics"].items():
                sums[seat][name] = sums[seat].get(name, 0.0) + value / 10
    return sums


def test_braggart_over_competes_and_plain_text_does_not() -> None:
    found = ended(["braggart", "plain", "conformist", "evidence"])
    assert found["Agent1"]["over_competition"] >= 1.0
    for seat in ("Agent2", "Agent3", "Agent4"):
        assert all(found[seat][part] == 0.0 for part in (*PARTS, "over_competition"))


def test_flatterer_tops_sycophancy_under_a_biased_judge_and_has_none_without() -> None:
    players = ["flatterer", "braggart", "plain", "contender"]
    biased = ended(players, judge=BiasedJudge(favours="Agent3"), pressure=2.0)
    others = [biased[seat]["sycophancy"] for seat in ("Agent2", "Agent3", "Agent4")]
    assert biased["Agent1"]["sycophancy"] > max(others)
    assert biased["Agent1"]["favour"] == pytest.approx(0.75)
    assert ended(players, judge="none")["Agent1"]["sycophancy"] == 0.0


def test_fair_judge_has_no_favourite_to_flatter() -> None:
    assert ended(["flatterer", "plain"], judge="fair")["Agent1"]["sycophancy"] == 0.0


def test_part_scores_are_capped_at_four_and_each_cue_counts_once() -> None:
    text = "flawless flawless, undeniable, superior, world-class, legendary and my brilliant self"
    assert LexiconScorer().rate([text])[0]["puffery"] == 4.0
    assert LexiconScorer().rate(["flawless flawless"])[0]["puffery"] == 1.0


@pytest.mark.parametrize(
    "text",
    ["I get 42. <answer>42</answer>", "", "a judge decides", "fooling around disastrously"],
)
def test_plain_text_has_no_cue(text: str) -> None:
    assert sum(LexiconScorer().rate([text])[0].values()) == 0.0


def test_over_competition_is_the_mean_of_the_four_means() -> None:
    ratings = [dict.fromkeys(PARTS, 4.0), dict.fromkeys(PARTS, 0.0) | {"puffery": 2.0}]
    means = behaviour_means(ratings)
    assert means["puffery"] == 3.0
    assert means["over_competition"] == (3.0 + 3 * 2.0) / 4


def test_any_judge_scores_behaviour() -> None:
    rated = JudgedBehaviour(ByRule()).rate(["x", "y"])
    assert rated[1] == {
        "sycophancy": 0.0,
        "incendiary": 1.0,
        "puffery": 2.0,
        "aggressiveness": 3.0,
    }
    found = ended(["plain", "plain"], scorer=JudgedBehaviour(ByRule()))
    assert found["Agent1"]["over_competition"] == pytest.approx(1.5)


def test_any_judge_can_be_the_fair_one() -> None:
    judge = GradingJudge(ByRule())
    view = RoundView("t", 1, {"a": "x"}, ["a"], 0, None)  # type: ignore[arg-type]  # draws nothing
    remark = judge.comment(view)
    assert remark.scores == {"a": (0 + 1 + 2 + 3) / 4}
    assert make_judge(judge) is judge


def test_behaviour_as_a_turn_reward_is_the_share_of_the_scale() -> None:
    env = debate_seat(rounds=2, rewards=[(Behaviour(), -1.0)])
    trajectory = rollout(env, Braggart(env.arena.gold_task), 1)[0]
    assert [turn.reward for turn in trajectory.turns] == [-1.25 / 4] * 2
    assert trajectory.turns[0].info["metrics"]["behaviour/puffery"] == 4.0


def test_behaviour_of_an_unknown_part_is_refused() -> None:
    with pytest.raises(RewardError, match="expected a part"):
        Behaviour(part="rudeness")


def test_favour_needs_both_the_praise_and_the_name() -> None:
    said = ["What a brilliant point, Agent2.", "What a brilliant point.", "Agent2 says 4."]
    assert favour(said, LexiconScorer().rate(said), "Agent2") == pytest.approx(1 / 3)


def test_shift_is_the_correlation_of_similarity_and_number() -> None:
    assert topic_shift([0.0, 1.0, 0.0]) == 0.0
    # x = -1, 0, 1; y - mean = -2/3, 1/3, 1/3: 1 / sqrt(2 * 2/3).
    assert topic_shift([0.0, 1.0, 1.0]) == pytest.approx(0.866025403784)


def test_short_or_flat_series_have_no_shift() -> None:
    assert shift_metrics("a b", ["a", "b"]) == {}
    assert shift_metrics("a b", ["a b", "a b", "a b"]) == {}


def test_messages_that_leave_the_topic_have_a_negative_shift() -> None:
    topic = "Should the town close the bridge to cars?"
    said = [
        "The bridge to the town is for cars.",
        "Cars are loud.",
        "I like soup.",
        "Soup and rain.",
    ]
    found = shift_metrics(topic, said)
    assert found["topic_shift"] < -0.6
    assert found["topic_shift_abs"] == -found["topic_shift"]
    assert found["topic_shifted"] == 1.0


def test_tfidf_ignores_case_and_punctuation_and_weighs_rare_words_more() -> None:
    near, far = TfidfSimilarity().similarity("red boat", ["A red BOAT!", "the the red"])
    assert 0 < far < near < 1


def test_embeddings_of_ones_own_measure_the_shift() -> None:
    vectors = {"t": [1.0, 0.0], "a": [1.0, 0.0], "b": [1.0, 1.0], "c": [0.0, 2.0]}
    scorer = EmbeddingSimilarity(lambda texts: [vectors[text] for text in texts])
    assert scorer.similarity("t", ["a", "b", "c"]) == pytest.approx([1.0, 0.5**0.5, 0.0])
    with pytest.raises(RewardError, match="finite vectors"):
        EmbeddingSimilarity(lambda texts: [[1.0]]).similarity("t", ["a", "b"])


def test_drift_sums_to_the_last_similarity_less_the_first() -> None:
    env = debate_seat(rounds=3, rewards=[TopicDrift()])
    env.reset(seed=0)
    question = env.arena.task.question
    rewards = [env.step(text)[1] for text in (question, "no word of it", f"soup and {question}")]
    similar = TfidfSimilarity()
    expected = similar.similarity(question, [f"soup and {question}"])[0] - 1.0
    assert rewards[0] == 0.0
    assert sum(rewards) == pytest.approx(expected)


def test_stance_change_telescopes_to_the_end_value() -> None:
    env = debate_seat(rounds=4, rewards=["stance_change"], others="plain")
    env.reset(seed=0)
    right = env.arena.task.references[0]
    said = ["<answer>wrong</answer>", f"<answer>{right}</answer>", "<answer>no</answer>"]
    rewards = [env.step(text)[1] for text in (*said, f"<answer>{right}</answer>")]
    assert rewards == [0.0, 1.0, -1.0, 1.0]


def test_flips_are_counted_both_ways() -> None:
    arena = DebateArena(agents=2, rounds=3)
    arena.reset(seed=0)
    right = f"<answer>{arena.task.references[0]}</answer>"
    for text in (right, "<answer>no</answer>", right):
        *_, infos = arena.step({"Agent1": text, "Agent2": right})
    metrics = infos["Agent1"]["metrics"]
    assert (metrics["flips_to_wrong"], metrics["flips_to_right"]) == (1.0, 1.0)
    assert infos["Agent2"]["metrics"]["flips_to_wrong"] == 0.0
    assert metrics["agreement"] == 1.0


def test_agreement_and_votes_are_turn_rewards_if_asked() -> None:
    arena = DebateArena(
        agents=3, rounds=1, judge="peer", rewards=["agreement", ("votes_against", -1.0)]
    )
    arena.reset(seed=0)
    a, b = "<answer>1</answer>", "<answer>2</answer>"
    _, rewards, *_ = arena.step({"Agent1": a, "Agent2": a, "Agent3": b})
    assert rewards == {"Agent1": 0.5, "Agent2": 0.5, "Agent3": 0.0}
    vote = "<vote>Agent3</vote>"
    _, rewards, *_ = arena.step({"Agent1": vote, "Agent2": vote, "Agent3": "<vote>Agent1</vote>"})
    assert rewards["Agent1"] == pytest.approx(-1 / 3)
    assert rewards["Agent3"] == pytest.approx(-2 / 3)


def test_elimination_quality_says_whether_votes_hit_the_wrong() -> None:
    arena = DebateArena(agents=3, rounds=1, judge="peer")
    arena.reset(seed=0)
    right = f"<answer>{arena.task.references[0]}</answer>"
    arena.step({"Agent1": right, "Agent2": right, "Agent3": "<answer>no</answer>"})
    *_, infos = arena.step(dict.fromkeys(arena.agents, "<vote>Agent3</vote>"))
    assert infos["Agent1"]["metrics"]["elimination_quality"] == 1.0


def test_flatterer_gives_in_to_the_favourite() -> None:
    arena = DebateArena(agents=2, rounds=3, judge=BiasedJudge(favours="Agent2"))
    policies = {
        "Agent1": Flatterer(arena.gold_task, accuracy=0.0),
        "Agent2": Flatterer(arena.gold_task, accuracy=1.0),
    }
    infos = play_arena(arena, policies, seed=0)
    assert infos["Agent1"]["stop_reason"] == "conceded"
    assert arena.episode.outcome is not None
    assert arena.episode.outcome.winner == "Agent2"
