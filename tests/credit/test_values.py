from __future__ import annotations

import numpy as np
import pytest

from rmgym.credit.episodes import RecordedEpisode, record_episode
from rmgym.credit.values import check_outcome, make_outcome, replay_values
from rmgym.errors import PolicyError
from rmgym.protocols import Policy
from rmgym.trajectory import Completion
from tests.credit.climb import ClimbEnv, Script, Wavering


def recorded(*moves: str, seed: int = 0) -> RecordedEpisode:
    return record_episode(ClimbEnv(), Script(*moves), seed=seed)


@pytest.mark.parametrize(
    ("moves", "outcome", "expected"),
    [
        (("down", "up"), "success", [-1.0, 0.0]),
        (("up", "down"), "success", [0.0, -1.0]),
        (("up", "up"), "success", [0.0, 0.0]),
        (("down", "down"), "height", [-1.0, -1.0]),
        (("down", "up"), "return:gain", [-1.0, 0.0]),
        (("down", "up"), "return", [-2.0, 0.0]),
    ],
)
def test_values_are_exact_when_nothing_is_drawn(
    moves: tuple[str, str], outcome: str, expected: list[float]
) -> None:
    found = replay_values(
        recorded(*moves), lambda seed: Script("up", "up"), make_outcome(outcome), replays=3, seed=0
    )
    assert found.differences.tolist() == expected
    assert found.errors.tolist() == [0.0, 0.0]
    assert found.steps == 3 * (2 + 1)


@pytest.mark.parametrize(
    ("moves", "expected"),
    [(("up", "up"), [0.24, 0.4]), (("up", "down"), [0.24, -0.6]), (("down", "up"), [-0.36, 0.0])],
)
def test_values_of_a_policy_that_draws_are_right_within_four_errors(
    moves: tuple[str, str], expected: list[float]
) -> None:
    found = replay_values(recorded(*moves), Wavering, make_outcome("success"), replays=400, seed=3)
    assert (np.abs(found.differences - expected) <= 4 * found.errors + 1e-12).all()
    assert found.errors[0] < 0.03


def test_values_in_a_world_that_draws_are_right_within_four_errors() -> None:
    episode = recorded("leap", "leap", seed=1)
    gains = [turn.info["event"]["gain"] for turn in episode.trajectory.turns]
    values = [0.25, 0.5 * gains[0], float(sum(gains) == 2)]
    found = replay_values(
        episode, lambda seed: Script("leap", "leap"), make_outcome("success"), replays=400, seed=0
    )
    assert (np.abs(found.values - values) <= 4 * np.sqrt([0.25 / 400, 0.25 / 400, 0])).all()


def test_differences_telescope_to_the_outcome_minus_the_first_value() -> None:
    found = replay_values(
        recorded("up", "up"), Wavering, make_outcome("success"), replays=20, seed=0
    )
    assert found.differences.sum() == pytest.approx(1.0 - found.values[0], abs=1e-12)


def test_common_random_numbers_make_differences_surer() -> None:
    episode, outcome = recorded("up", "up"), make_outcome("success")
    runs = [replay_values(episode, Wavering, outcome, replays=8, seed=s) for s in range(120)]
    paired = np.array([run.differences[0] for run in runs])
    apart = [
        after.values[1] - before.values[0]
        for before, after in zip(runs[:60], runs[60:], strict=True)
    ]
    # By hand, per pair of replays: 0.1824 against 0.4704.
    assert paired.var() < 0.6 * np.var(apart)
    assert (8 * paired.var()) == pytest.approx(0.1824, rel=0.4)


def test_stated_errors_are_those_of_pairs() -> None:
    found = replay_values(
        recorded("up", "up"), Wavering, make_outcome("success"), replays=2000, seed=1
    )
    assert 2000 * found.errors[0] ** 2 == pytest.approx(0.1824, rel=0.1)
    assert 2000 * found.unpaired_errors[0] ** 2 == pytest.approx(0.4704, rel=0.1)


def test_replays_see_the_conversation_up_to_their_state() -> None:
    seen: list[tuple[int, str]] = []

    class Looking(Script):
        def act(self, contexts):  # type: ignore[no-untyped-def]
            seen.extend((len(c.turns), c.observation[-1]["content"]) for c in contexts)
            assert not any(turn.info for c in contexts for turn in c.turns)
            return super().act(contexts)

    replay_values(
        recorded("up", "down"),
        lambda seed: Looking("up", "up"),
        make_outcome("success"),
        replays=2,
        seed=0,
    )
    assert next(said for turns, said in seen if turns == 1) == "You are at 1."


def test_replaying_leaves_states_untouched() -> None:
    episode = recorded("leap", "leap")
    before = [state.unwrapped.get_state() for state in episode.states]  # type: ignore[attr-defined]
    replay_values(episode, Wavering, make_outcome("success"), replays=5, seed=0)
    after = [state.unwrapped.get_state() for state in episode.states]  # type: ignore[attr-defined]
    assert before == after


def test_recording_leaves_the_stream_that_the_task_came_from() -> None:
    env = ClimbEnv()
    env.reset(seed=5)
    expected = env.np_random.bit_generator.state
    record_episode(env, Script("leap", "leap"), seed=5, stream=9)
    assert env.np_random.bit_generator.state == expected


def test_attempts_at_one_task_differ_by_the_luck_of_the_world() -> None:
    env = ClimbEnv()
    attempts = [
        record_episode(env, Script("leap", "leap"), seed=5, stream=stream).trajectory
        for stream in range(12)
    ]
    assert len({attempt.task_id for attempt in attempts}) == 1
    assert len({attempt.metrics["height"] for attempt in attempts}) > 1


def test_another_seed_measures_independently_and_the_same_seed_alike() -> None:
    episode, outcome = recorded("up", "up"), make_outcome("success")
    one, same, other = (
        replay_values(episode, Wavering, outcome, replays=64, seed=s).replays for s in (0, 0, 1)
    )
    assert (one == same).all()
    assert (one[:-1] != other[:-1]).any()


def test_intervals_are_symmetric_about_the_difference() -> None:
    found = replay_values(
        recorded("up", "up"), Wavering, make_outcome("success"), replays=16, seed=0
    )
    low, high = found.intervals(width=2.0)[0]
    assert (low + high) / 2 == pytest.approx(found.differences[0])
    assert high - low == pytest.approx(4 * found.errors[0])


def test_one_replay_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 replays, got 1"):
        replay_values(recorded("up", "up"), Wavering, make_outcome("success"), replays=1, seed=0)


def test_an_outcome_that_is_never_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"metrics \['turns', .*'height', 'success'\]"):
        check_outcome(make_outcome("f1"), [recorded("up", "up")])


def test_a_broken_policy_is_not_a_failed_episode() -> None:
    class Broken:
        def act(self, contexts: object) -> list[Completion]:
            raise PolicyError("the engine is down")

    def make(seed: int) -> Policy:
        return Broken()

    with pytest.raises(PolicyError, match="engine is down"):
        replay_values(recorded("up", "up"), make, make_outcome("success"), replays=2, seed=0)
