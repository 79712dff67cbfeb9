"""Rewards and logits of tokens: endogenous, CDR, T-REG, AlignDistil, VAS, Q-values."""

from __future__ import annotations

import math

import pytest

from rmgym.errors import RewardError, ScorerError
from rmgym.protocols import TargetLogprobs
from rmgym.rewards.aligndistil import adaptive_teacher
from rmgym.rewards.cdr import DensityRatio, density_ratio
from rmgym.rewards.endogenous import EndogenousReward, endogenous_rewards, sequence_logprob
from rmgym.rewards.qvalue import implicit_q, pick
from rmgym.rewards.scored_turns import under
from rmgym.rewards.treg import ContrastivePrompts, token_rewards
from rmgym.rewards.vas import value_augmented_logits
from tests.rewards.episodes import QUESTION, WordScorer, answer, context, per_turn, said, search


def test_endogenous_rewards_by_hand() -> None:
    found = endogenous_rewards([[1.0, 0.0], [0.5, 2.0]], [0, 1])
    second = math.log(math.exp(0.5) + math.exp(2.0))
    assert found.rewards == pytest.approx((1.0 - second, 2.0))
    assert found.values == pytest.approx((math.log(math.e + 1), second, 0.0))


def test_large_logits_do_not_overflow() -> None:
    assert endogenous_rewards([[1e5, 0.0]], [0]).values[0] == pytest.approx(1e5)


def test_an_action_off_the_vocabulary_is_an_error() -> None:
    with pytest.raises(RewardError, match="actions"):
        endogenous_rewards([[0.0, 1.0]], [2])


def test_endogenous_reward_of_turns() -> None:
    turns = [said("x", logits=[[0.0, 0.0]], actions=[1]), said("y", logits=[], actions=[])]
    assert per_turn(EndogenousReward(), turns) == pytest.approx([0.0, 0.0])


def test_sequence_logprob_of_a_uniform_model() -> None:
    assert sequence_logprob([[0.0] * 4] * 3, [0, 1, 2]) == pytest.approx(-3 * math.log(4))


def test_density_ratio_sums_over_tokens() -> None:
    assert density_ratio([-1.0, -0.5, -0.2], [-1.5, -0.4, -0.9]) == pytest.approx(1.1)


def test_density_ratio_of_a_turn_by_two_scorers() -> None:
    strong, weak = WordScorer(known=-0.5), WordScorer(known=-1.5)
    turns = [search("d"), said("answer", "Einstein born", answer="x")]
    assert DensityRatio(strong, weak)([context(turns)]) == pytest.approx([2.0])


def test_a_criterion_stands_in_front_for_both_models() -> None:
    term = DensityRatio(WordScorer(), WordScorer(strange=-3.0), criterion="be polite")
    assert term([context([said("answer", "polite")])]) == [0.0]
    assert term([context([said("answer", "rude")])]) == pytest.approx([1.0])


def test_an_instruction_opens_the_conversation() -> None:
    seen = under("be good", context([search("d", shown="w"), answer("Ulm")]))
    said_so_far = [(m["role"], m["content"]) for m in seen.messages]
    assert said_so_far == [
        ("system", "be good"),
        ("user", QUESTION),
        ("assistant", "<search>q</search>"),
        ("user", "w"),
    ]


def test_token_rewards_of_two_prompts() -> None:
    assert token_rewards([-0.5, -1.0], [-1.0, -0.5]) == pytest.approx([0.12245933, -0.12245933])


def test_contrastive_prompts_average_over_the_turn() -> None:
    term = ContrastivePrompts(WordScorer(), better="kind", worse="rude")
    gain = 1 / (1 + math.exp(-1.5)) - 0.5
    assert per_turn(term, [said("answer", "kind word")]) == pytest.approx([gain / 2])


def test_a_scorer_that_leaves_a_turn_out_is_an_error() -> None:
    class Silent(WordScorer):
        def logprobs(self, contexts: object, targets: object) -> list[TargetLogprobs]:
            return []

    with pytest.raises(ScorerError, match="results"):
        DensityRatio(Silent(), WordScorer())([context([answer("Ulm")])])


def test_aligndistil_by_hand() -> None:
    found = adaptive_teacher(
        [0.7, 0.2, 0.1], [0.4, 0.4, 0.2], [2.0, 0.7, 0.0], [1.0, 1.0, 0.3], beta=0.1, beta2=10
    )
    assert found.weight == pytest.approx(6.001)
    assert found.teacher_logits == pytest.approx((8.001, -1.1003, -1.8003))
    assert found.loss_scale == pytest.approx(0.1 / 6.001)


def test_vas_leaves_unlikely_tokens_alone() -> None:
    found = value_augmented_logits([2.0, 1.0, 0.0, -1.0], [0.5, 1.0, 0.2, 9.0], top_k=3)
    assert found == pytest.approx([1.9333333, 1.4333333, -0.3666667, -1.0])


def test_vas_over_more_tokens_than_there_are() -> None:
    assert value_augmented_logits([0.0, 1.0], [1.0, 3.0]) == [-1.0, 2.0]


def test_implicit_values_pick_the_first_best() -> None:
    q = implicit_q([-1.0, -0.5, -2.0], [-1.2, -1.0, -1.0])
    assert q == pytest.approx([0.02, 0.05, -0.1])
    assert pick([0.1, 0.2, 0.2]) == 1
