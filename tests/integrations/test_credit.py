"""Rows of tokens with the credit of their turns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rmgym.integrations.credit import Credit, whole_rows
from rmgym.integrations.token_rewards import NONE, ZERO
from rmgym.trajectory import Completion, Trajectory, TrajectoryGroup, Turn

IGPO = Credit(estimator="igpo", outcome="em")


def turn(prompt: list[int], ids: list[int], terms: dict[str, float], *, last: bool) -> Turn:
    return Turn(
        observation=({"role": "user", "content": "?"},),
        completion=Completion(
            text="said",
            prompt_ids=tuple(prompt),
            completion_ids=tuple(ids),
            logprobs=(-0.5,) * len(ids),
        ),
        reward=sum(terms.values()),
        reward_terms=terms,
        terminated=last,
    )


def episode(gain: float, outcome: float) -> Trajectory:
    first = turn([1, 2], [3, 4], {"gain": gain}, last=False)
    second = turn([1, 2, 3, 4, 9, 9], [5], {"em": outcome}, last=True)
    return Trajectory(env_id="e", seed=0, task_id="t", turns=(first, second))


PAIR = TrajectoryGroup(task_id="t", trajectories=(episode(0.0, 0.5), episode(0.5, 0.0)))


def test_a_row_begins_at_the_first_sampled_token() -> None:
    row = IGPO.rows([PAIR])[0]
    assert row.prompt_ids == (1, 2)
    assert row.completion_ids == (3, 4, 9, 9, 5)
    assert row.loss_mask == (1, 1, 0, 0, 1)
    assert row.turn_index == (0, 0, -1, -1, 1)
    assert row.logprobs == (-0.5, -0.5, 0.0, 0.0, -0.5)
    assert row.turn_spans == ((0, 2), (4, 5))


def test_equal_returns_with_different_gains_get_different_token_advantages() -> None:
    one, other = IGPO.rows([PAIR])
    # Pool 0, 0.5, 0.5, 0: mean 0.25, deviation 0.25, so z is -1 or 1 (up to the epsilons).
    assert one.advantages == pytest.approx((0.0, 0.0, 0.0, 0.0, 1.0), abs=1e-4)
    assert other.advantages == pytest.approx((0.0, 0.0, 0.0, 0.0, -1.0), abs=1e-4)


def test_one_scalar_an_episode_would_be_zero_here() -> None:
    assert {a for row in Credit(estimator="grpo").rows([PAIR]) for a in row.advantages} == {0.0}


def test_rewards_stand_on_the_last_token_of_their_turn() -> None:
    one, other = IGPO.rows([PAIR])
    assert one.rewards == (0.0, ZERO, 0.0, 0.0, 0.5)
    assert other.rewards == (0.0, 0.5, 0.0, 0.0, ZERO)


def test_a_turn_without_a_reward_is_marked_as_such() -> None:
    bare = episode(0.0, 1.0)
    bare = replace(bare, turns=(replace(bare.turns[0], reward_terms={}), bare.turns[1]))
    row = Credit(outcome="em", terms=("gain",)).token_rows(bare)[0]
    assert row.rewards[1] == NONE


def test_clip_scales_come_with_a2tgpo_alone() -> None:
    assert IGPO.rows([PAIR])[0].clip_scales is None
    one, other = Credit(estimator="a2tgpo", outcome="em").rows([PAIR])
    assert one.clip_scales is not None
    assert other.clip_scales is not None
    # The gains' z-scores are -1 and 1: 1 + 0.3 tanh(z / 2).
    assert one.clip_scales == pytest.approx((0.861365, 0.861365, 1.0, 1.0, 1.0), abs=1e-4)
    assert other.clip_scales == pytest.approx((1.138635, 1.138635, 1.0, 1.0, 1.0), abs=1e-4)


def test_a_prompt_that_rewrites_history_gives_two_pieces_and_is_refused_where_one_is_needed() -> (
    None
):
    first = turn([1, 2], [3, 4], {"gain": 0.0}, last=False)
    second = turn([1, 2, 4, 9], [5], {"em": 1.0}, last=True)
    split = Trajectory(env_id="e", task_id="t", turns=(first, second))
    rows = IGPO.rows([TrajectoryGroup(task_id="t", trajectories=(split, episode(0.5, 0.0)))])
    assert [(row.attempt, row.piece) for row in rows] == [(0, 0), (0, 1), (1, 0)]
    with pytest.raises(ValueError, match="one token sequence an episode for TRL, got several"):
        whole_rows(rows, "TRL")


def test_a_turn_advantage_is_the_same_on_every_token_of_the_turn(
    groups: list[TrajectoryGroup],
) -> None:
    for row in IGPO.rows(groups):
        for first, end in row.turn_spans:
            assert len(set(row.advantages[first:end])) == 1
        given = [a for a, m in zip(row.advantages, row.loss_mask, strict=True) if not m]
        assert set(given) <= {0.0}


def test_reward_terms_kept_apart_cannot_ride_on_tokens() -> None:
    with pytest.raises(ValueError, match=r"expected no columns, got \('gain',\)"):
        _ = Credit(estimator="gdpo", columns=("gain",)).over_tokens
