"""Turn rewards on tokens, and advantages made of them."""

from __future__ import annotations

import numpy as np
import pytest

from rmgym.integrations.credit import Credit
from rmgym.integrations.token_rewards import (
    NONE,
    ZERO,
    TokenEstimator,
    TurnRewards,
    place,
    read,
    turn_numbers,
    turn_numbers_by_marks,
)
from rmgym.trajectory import TrajectoryGroup

CREDITS = [
    Credit(),
    Credit(estimator="igpo", outcome="em"),
    Credit(estimator="igpo", outcome="em", params={"norm": "separate", "gamma": 0.9}),
    Credit(estimator="a2tgpo", outcome="em"),
    Credit(estimator="turn_centred"),
    Credit(estimator="grpo"),
]
INDEX = np.array([0, 0, -1, 1, 1, -1, 2, 2])


@pytest.mark.parametrize(
    "rewards",
    [
        TurnRewards((0.5, None, 0.25), None),
        TurnRewards((0.0, -0.5, None), 1.0),
        TurnRewards((None, 0.0, 0.25), 0.0),
        TurnRewards((None, None, None), None),
    ],
)
def test_what_is_placed_is_read_again(rewards: TurnRewards) -> None:
    placed = place(rewards, INDEX)
    assert read(placed, INDEX, rewards.outcome is not None) == rewards
    assert placed.sum() == pytest.approx(rewards.total, abs=1e-25)


def test_marks_survive_float32() -> None:
    placed = place(TurnRewards((0.0, None, 0.0), 0.0), INDEX).astype(np.float32)
    assert read(placed.astype(np.float64), INDEX, True) == TurnRewards((0.0, None, 0.0), 0.0)


def test_the_last_turns_own_reward_stands_before_the_outcome() -> None:
    placed = place(TurnRewards((0.5, None, 0.25), 1.0), INDEX)
    assert placed.tolist() == [0.0, 0.5, 0.0, 0.0, NONE, 0.0, 0.25, 1.0]


def test_one_token_cannot_hold_a_reward_and_the_outcome() -> None:
    with pytest.raises(ValueError, match="expected two tokens at least"):
        place(TurnRewards((0.5,), 1.0), np.array([0]))


def test_turns_that_touch_are_refused() -> None:
    with pytest.raises(ValueError, match="expected given tokens between two turns"):
        place(TurnRewards((0.5, 0.5), None), np.array([0, 1]))


def test_turns_are_found_by_marks_where_the_mask_covers_given_tokens() -> None:
    placed = place(TurnRewards((None, 0.0, 0.25), 0.0), INDEX)
    mask = np.array([[1] * 8 + [0]])
    found = turn_numbers_by_marks(np.append(placed, 0.0)[None], mask, True)
    assert found.tolist() == [[0, 0, 1, 1, 1, 2, 2, 2, -1]]


def test_a_penalty_on_every_token_is_refused_where_marks_are_needed() -> None:
    with pytest.raises(ValueError, match="got some on neighbouring tokens"):
        turn_numbers_by_marks(np.full((1, 4), -0.1), np.ones((1, 4)), False)


@pytest.mark.parametrize("credit", CREDITS)
@pytest.mark.parametrize("by_marks", [False, True])
def test_advantages_over_tokens_are_those_over_turns(
    credit: Credit, by_marks: bool, groups: list[TrajectoryGroup]
) -> None:
    rows = credit.rows(groups)
    width = max(map(len, rows)) + 3
    rewards, mask = np.zeros((len(rows), width)), np.zeros((len(rows), width), dtype=np.int64)
    response = np.zeros_like(mask)
    for i, row in enumerate(rows):
        rewards[i, : len(row)], mask[i, : len(row)] = row.rewards, row.loss_mask
        response[i, : len(row)] = 1
    turns = turn_numbers(mask)
    if by_marks:
        turns = turn_numbers_by_marks(rewards, response, credit.outcome is not None)
    found = credit.over_tokens(rewards, turns, [row.group for row in rows])
    for i, row in enumerate(rows):
        sampled = mask[i] == 1
        expected = np.array(row.advantages)[np.array(row.loss_mask) == 1]
        np.testing.assert_array_equal(found.advantages[i][sampled], expected)
        if row.clip_scales is not None:
            assert found.clip_scales is not None
            scales = np.array(row.clip_scales)[np.array(row.loss_mask) == 1]
            np.testing.assert_array_equal(found.clip_scales[i][sampled], scales)


def test_returns_are_rewards_to_go_by_turn() -> None:
    rewards = [[0.5, 0.0, 0.0, 1.0], [ZERO, 0.0, 0.0, 0.25]]
    found = TokenEstimator()(rewards, turn_numbers([[1, 0, 1, 1], [1, 0, 1, 1]]), ["a", "a"])
    assert found.returns.tolist() == [[1.5, 0.0, 1.0, 1.0], [0.25, 0.0, 0.25, 0.25]]


def test_a_row_without_a_sampled_token_is_no_part_of_its_group() -> None:
    estimator = TokenEstimator(estimator="dr_grpo")
    rewards = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    rewards[1, 0] = ZERO
    found = estimator(rewards, turn_numbers([[1, 0], [1, 0], [0, 0]]), ["a", "a", "a"])
    assert found.advantages.tolist() == [[0.5, 0.0], [-0.5, 0.0], [0.0, 0.0]]


def test_an_estimator_that_needs_more_says_so() -> None:
    with pytest.raises(ValueError, match="expected states, got a batch without"):
        TokenEstimator(estimator="gigpo", has_outcome=True)([[1.0]], [[0]], ["a"])


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="of one shape"):
        TokenEstimator()([[1.0, 0.0]], [[0]], ["a"])
