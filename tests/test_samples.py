"""Trajectories as token sequences."""

from __future__ import annotations

import math

import pytest

from rmgym.samples import to_samples
from rmgym.trajectory import Completion, FinishReason, Trajectory, Turn


def turn(
    prompt: tuple[int, ...],
    sampled: tuple[int, ...],
    logprobs: tuple[float, ...] | None = None,
    finish: FinishReason = "stop",
) -> Turn:
    completion = Completion(
        text="",
        prompt_ids=prompt,
        completion_ids=sampled,
        logprobs=logprobs,
        finish_reason=finish,
    )
    return Turn(observation=(), completion=completion)


def episode(*turns: Turn) -> Trajectory:
    return Trajectory(env_id="Search-v0", task_id="q1", turns=turns)


TWO_TURNS = episode(turn((1, 2), (3, 4), (-0.1, -0.2)), turn((1, 2, 3, 4, 5), (6,), (-0.3,)))


def test_a_prompt_that_extends_the_sequence_continues_it() -> None:
    (sample,) = to_samples(TWO_TURNS)
    assert sample.token_ids.tolist() == [1, 2, 3, 4, 5, 6]
    assert sample.loss_mask.tolist() == [0, 0, 1, 1, 0, 1]
    assert sample.turn_index.tolist() == [-1, -1, 0, 0, -1, 1]
    assert sample.logprobs is not None
    assert sample.logprobs.tolist() == [0.0, 0.0, -0.1, -0.2, 0.0, -0.3]
    assert sample.advantages is None
    assert len(sample) == 6


def test_a_turn_advantage_lands_on_the_tokens_of_its_turn() -> None:
    (sample,) = to_samples(TWO_TURNS, [0.5, -2.0])
    assert sample.advantages is not None
    assert sample.advantages.tolist() == [0.0, 0.0, 0.5, 0.5, 0.0, -2.0]


def test_a_rewritten_history_opens_a_new_sample() -> None:
    rewritten = episode(*TWO_TURNS.turns, turn((1, 2, 4, 5, 6, 7), (8,)))
    first, second = to_samples(rewritten, [1.0, 2.0, 3.0])
    assert first.token_ids.tolist() == [1, 2, 3, 4, 5, 6]
    assert second.token_ids.tolist() == [1, 2, 4, 5, 6, 7, 8]
    assert second.turn_index.tolist() == [-1] * 6 + [2]
    assert second.advantages is not None
    assert second.advantages.tolist() == [0.0] * 6 + [3.0]


def test_a_prompt_that_only_repeats_the_sequence_continues_it() -> None:
    (sample,) = to_samples(episode(turn((1,), (2,)), turn((1, 2), (3,))))
    assert sample.turn_index.tolist() == [-1, 0, 1]


def test_a_shorter_prompt_opens_a_new_sample() -> None:
    assert len(to_samples(episode(turn((1,), (2, 3)), turn((1, 2), (3,))))) == 2


def test_the_closing_tokens_after_a_cut_turn_are_given() -> None:
    cut = episode(turn((1,), (2, 3), finish="length"), turn((1, 2, 3, 99, 5), (6, 99)))
    (sample,) = to_samples(cut)
    assert sample.loss_mask.tolist() == [0, 1, 1, 0, 0, 1, 1]


def test_the_sampled_stop_token_belongs_to_its_turn_and_stands_once() -> None:
    (sample,) = to_samples(episode(turn((1,), (2, 99)), turn((1, 2, 99, 5), (6, 99))))
    assert sample.token_ids.tolist() == [1, 2, 99, 5, 6, 99]
    assert sample.turn_index.tolist() == [-1, 0, 0, -1, 1, 1]


def test_every_sampled_token_is_trained_exactly_once() -> None:
    rewritten = episode(*TWO_TURNS.turns, turn((1, 9), (8, 7)), turn((1, 9, 8, 7, 3), (2,)))
    samples = to_samples(rewritten)
    assert sum(int(sample.loss_mask.sum()) for sample in samples) == 6
    assert sorted({int(i) for s in samples for i in s.turn_index if i >= 0}) == [0, 1, 2, 3]


def test_missing_logprobs_of_one_turn_are_none_not_zero() -> None:
    mixed = episode(turn((1,), (2,), (-0.5,)), turn((1, 2, 3), (4,)))
    assert to_samples(mixed)[0].logprobs is None


def test_a_new_sample_keeps_its_own_logprobs() -> None:
    first, second = to_samples(episode(turn((1,), (2,)), turn((7,), (4,), (-0.5,))))
    assert first.logprobs is None
    assert second.logprobs is not None
    assert second.logprobs.tolist() == [0.0, -0.5]


def test_a_turn_without_token_ids_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"task 'q1', turn 1: .* got 0 and 0"):
        to_samples(episode(turn((1,), (2,)), turn((), ())))


def test_an_episode_without_turns_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected at least one turn, got none"):
        to_samples(episode())


def test_advantages_of_another_number_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"one advantage for each of 2 turns, got shape \(1,\)"):
        to_samples(TWO_TURNS, [1.0])


def test_an_advantage_that_is_not_finite_is_named() -> None:
    with pytest.raises(ValueError, match="got nan at turn 1"):
        to_samples(TWO_TURNS, [1.0, math.nan])
