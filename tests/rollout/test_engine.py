from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from rmgym.errors import PolicyError, RewardError, TrajectoryStoreError
from rmgym.protocols import Grant, TermScore
from rmgym.rollout import EpisodeFailure, TrajectoryStore, arollout, codec, rollout
from rmgym.trajectory import Completion, Context, Trajectory
from rmgym.wrappers import RecordTrajectory, TurnReward
from tests.rollout.guessing import ENV_ID, Bisect, Fussy, GuessEnv, Hits, Nearness

# Seeds 0 to 5 hide the numbers 8, 4, 8, 8, 7 and 6; bisecting takes 3, 1, 3, 3, 2 and 4 turns.


def lines(played: Sequence[Trajectory]) -> list[str]:
    records = [codec.encode_trajectory(trajectory) for trajectory in played]
    for record in records:
        del record["metadata"]["seconds"]
    return [codec.dumps(record) for record in records]


class AsyncBisect:
    """Bisects, each conversation after a wait of its own."""

    def __init__(self, broken: int | None = None, seconds: float = 0.002) -> None:
        self._inner = Bisect(broken)
        self.seconds = seconds
        self.sizes: list[int] = []

    async def aact(self, contexts: Sequence[Context]) -> list[Completion]:
        self.sizes.append(len(contexts))
        await asyncio.sleep(self.seconds * (len(contexts[0].turns) % 3))
        return self._inner.act(contexts)


@pytest.mark.parametrize("concurrency", [1, 4, 256])
@pytest.mark.parametrize("make_policy", [Bisect, AsyncBisect])
def test_the_same_seeds_give_the_same_trajectories_as_the_synchronous_loop(
    concurrency: int, make_policy: Any
) -> None:
    expected = rollout(ENV_ID, Bisect(), 40, num_envs=8, seed=5, policy_name="p")
    played = rollout(
        ENV_ID,
        make_policy(),
        40,
        seed=5,
        policy_name="p",
        engine="async",
        concurrency=concurrency,
        max_batch=8,
    )
    assert lines(played) == lines(expected)


def make_rewarded() -> gym.Env[Any, Any]:
    return TurnReward(gym.make(ENV_ID), [Nearness()])


def test_a_function_makes_the_environments_of_every_engine() -> None:
    expected = lines(rollout(make_rewarded(), Bisect(), 6))
    assert lines(rollout(make_rewarded, Bisect(), 6)) == expected
    assert lines(rollout(make_rewarded, Bisect(), 6, num_envs=3, mode="thread")) == expected
    assert lines(rollout(make_rewarded, Bisect(), 6, engine="async")) == expected


def test_wrappers_that_want_completions_get_them() -> None:
    kept: list[RecordTrajectory] = []

    def make() -> gym.Env[Any, Any]:
        kept.append(RecordTrajectory(GuessEnv()))
        return kept[-1]

    rollout(make, Bisect(), 3, engine="async", concurrency=1)
    [recorder] = kept
    assert [t.turns[0].completion.completion_ids for t in recorder.trajectories] == [(14, 99)] * 3


def test_an_awaited_rollout_is_the_same() -> None:
    async def play() -> list[str]:
        return lines(await arollout(ENV_ID, Bisect(), 6, concurrency=3))

    assert asyncio.run(play()) == lines(rollout(ENV_ID, Bisect(), 6))


def test_a_notebook_whose_loop_runs_already_can_call_it() -> None:
    async def cell() -> list[str]:
        return lines(rollout(ENV_ID, Bisect(), 6, engine="async"))

    assert asyncio.run(cell()) == lines(rollout(ENV_ID, Bisect(), 6))


def test_an_error_comes_through_a_running_loop() -> None:
    async def cell() -> None:
        rollout(ENV_ID, Texts(), 1, engine="async")

    with pytest.raises(TypeError, match="wrap text as Completion"):
        asyncio.run(cell())


class Gate(Bisect):
    """Lets the first batch wait until as many more conversations are ready as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.most_threads = 0
        self._working = 0

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        self._working += 1
        self.most_threads = max(self.most_threads, self._working)
        try:
            time.sleep(0.005)
            return super().act(contexts)
        finally:
            self._working -= 1


def test_conversations_are_batched_while_the_policy_works_one_batch_at_a_time() -> None:
    policy = Gate()
    rollout(ENV_ID, policy, 40, engine="async", concurrency=20, max_batch=16)
    assert policy.most_threads == 1
    assert max(policy.batches) == 16
    assert sum(policy.batches) == sum(len(t.turns) for t in rollout(ENV_ID, Bisect(), 40))
    assert len(policy.batches) < sum(policy.batches) / 4


def test_a_full_house_does_not_wait_for_a_batch_to_fill() -> None:
    policy = Bisect()
    start = time.perf_counter()
    rollout(ENV_ID, policy, 6, engine="async", concurrency=6, max_wait_ms=600_000)
    assert time.perf_counter() - start < 60
    assert policy.batches[0] == 6


def test_an_asynchronous_policy_gets_each_conversation_alone() -> None:
    policy = AsyncBisect()
    rollout(ENV_ID, policy, 6, engine="async")
    assert set(policy.sizes) == {1}


def test_policies_do_not_see_hidden_facts() -> None:
    policy = Bisect()
    rollout(ENV_ID, policy, 6, engine="async")
    assert not policy.saw_info


def test_each_environment_stays_in_one_thread_and_is_closed() -> None:
    threads: dict[int, set[int]] = {}
    closed: list[int] = []

    class Sensitive(GuessEnv):
        def reset(self, **kwargs: Any) -> Any:
            threads.setdefault(id(self), set()).add(threading.get_ident())
            return super().reset(**kwargs)

        def step(self, action: str) -> Any:
            threads[id(self)].add(threading.get_ident())
            return super().step(action)

        def close(self) -> None:
            threads[id(self)].add(threading.get_ident())
            closed.append(id(self))

    rollout(Sensitive, Bisect(), 12, engine="async", concurrency=4)
    assert len(threads) == 4
    assert all(len(used) == 1 for used in threads.values())
    assert threading.get_ident() not in set().union(*threads.values())
    assert sorted(closed) == sorted(threads)


def test_blocked_environments_do_not_hold_up_one_another() -> None:
    together = threading.Barrier(8, timeout=30)

    class Meeting(GuessEnv):
        def step(self, action: str) -> Any:
            if not self.episode.draws:
                together.wait()
            return super().step(action)

    assert len(rollout(Meeting, Bisect(), 8, engine="async", concurrency=8)) == 8


@pytest.mark.parametrize("make_policy", [Bisect, AsyncBisect])
def test_a_policy_that_breaks_on_one_conversation_fails_that_episode_alone(
    make_policy: Any,
) -> None:
    played = rollout(ENV_ID, make_policy(broken=5), 6, engine="async", policy_name="p")
    assert [t.seed for t in played] == [0, 1, 2, 3, 4]
    assert played.failures == (
        EpisodeFailure(
            env_id=ENV_ID,
            policy="p",
            seed=5,
            episode=5,
            error="PolicyError",
            message="no 5",
            turns_played=2,
        ),
    )


def test_an_environment_and_a_judge_that_break_fail_their_episode_alone() -> None:
    make = lambda: TurnReward(GuessEnv(broken=7, broken_opening=4), [Fussy("6")])  # noqa: E731
    played = rollout(make, Bisect(), 6, engine="async", concurrency=2)
    assert [t.seed for t in played] == [0, 2, 3]
    assert [(f.seed, f.error, f.message, f.turns_played) for f in played.failures] == [
        (1, "RetrieverError", "no opening for 4", 0),
        (4, "RetrieverError", "down", 1),
        (5, "JudgeError", "read '6'\nraised by the reward term 'fussy'", 3),
    ]


class Texts:
    def act(self, contexts: Sequence[Context]) -> list[Any]:
        return ["<guess>1</guess>" for _ in contexts]


class Short:
    async def aact(self, contexts: Sequence[Context]) -> list[Completion]:
        return []


class Broken:
    name = "broken"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        return [float("nan") for _ in contexts]


def test_what_is_no_backends_fault_is_raised() -> None:
    with pytest.raises(TypeError, match="wrap text as Completion"):
        rollout(ENV_ID, Texts(), 3, engine="async")
    with pytest.raises(ValueError, match=r"Short.aact, got 0 for 1 contexts"):
        rollout(ENV_ID, Short(), 3, engine="async")
    with pytest.raises(RewardError, match="finite"):
        rollout(lambda: TurnReward(GuessEnv(), [Broken()]), Bisect(), 3, engine="async")


def test_an_environment_that_raises_what_no_future_takes_does_not_hang() -> None:
    class Ended(GuessEnv):
        def step(self, action: str) -> Any:
            return next(iter(()))

    with pytest.raises(RuntimeError, match="a call raised StopIteration"):
        rollout(Ended, Bisect(), 3, engine="async")


def test_a_store_that_refuses_ends_the_rollout(tmp_path: Path) -> None:
    store = TrajectoryStore(tmp_path / "s.jsonl")
    store.close()
    with pytest.raises(TrajectoryStoreError, match="expected an open store"):
        rollout(ENV_ID, Bisect(), 3, store=store, engine="async")


def test_what_ended_before_an_error_is_stored_and_the_rest_resumed(tmp_path: Path) -> None:
    class Untidy(Bisect):
        def _guess(self, context: Context) -> Completion:
            if len(context.turns) == 3:
                raise ZeroDivisionError
            return super()._guess(context)

    with TrajectoryStore(tmp_path / "s.jsonl") as store:
        with pytest.raises(ZeroDivisionError):
            rollout(
                ENV_ID,
                Untidy(),
                6,
                store=store,
                policy_name="p",
                engine="async",
                concurrency=2,
            )
        assert {t.seed for t in store.trajectories()} >= {0, 1, 2}
    with TrajectoryStore(tmp_path / "s.jsonl") as store:
        played = rollout(ENV_ID, Bisect(), 6, store=store, policy_name="p", engine="async")
        again = rollout(ENV_ID, Texts(), 6, store=store, policy_name="p", engine="async")
    expected = lines(rollout(ENV_ID, Bisect(), 6, policy_name="p"))
    assert lines(played) == lines(again) == expected


def test_progress_is_told_of_each_end_once_and_after_it_is_stored(tmp_path: Path) -> None:
    ended: list[Trajectory | EpisodeFailure] = []
    with TrajectoryStore(tmp_path / "s.jsonl") as store:

        def note(end: Trajectory | EpisodeFailure) -> None:
            ended.append(end)
            assert len(store) + len(store.failures()) >= len(ended)

        rollout(ENV_ID, Bisect(broken=5), 6, store=store, progress=note, engine="async")
    assert sorted(end.seed or 0 for end in ended) == [0, 1, 2, 3, 4, 5]


class Waits(AsyncBisect):
    """Never answers in the conversations of some seeds, at one turn."""

    def __init__(self, number: int, turn: int) -> None:
        super().__init__()
        self.number = number
        self.turn = turn

    async def aact(self, contexts: Sequence[Context]) -> list[Completion]:
        [said] = await super().aact(contexts)
        turns = contexts[0].turns
        last = contexts[0].observation[-1]["content"]
        if len(turns) == self.turn and (not turns or "larger" in last):
            await asyncio.sleep(600)
        return [said]


def test_an_episode_that_outlives_its_time_is_truncated_and_its_outcome_granted() -> None:
    # Turn 3 comes for seed 5 alone, which hides 6: it is 4 (too small), 7 (too big), 5 (too small).
    played = rollout(ENV_ID, Waits(6, turn=3), 6, engine="async", max_seconds=1.0)
    assert [t.seed for t in played] == [0, 1, 2, 3, 4, 5]
    assert [t.stop_reason for t in played] == ["hit"] * 5 + ["max_seconds"]
    assert not played.failures
    last = played[5].turns[-1]
    assert (len(played[5].turns), last.truncated, last.terminated) == (3, True, False)
    assert last.reward_terms == {"nearness": 0.1 * (1 / 2), "hits": 0.0}
    assert last.info["reward_terms"] == last.reward_terms
    assert last.reward == sum(last.reward_terms.values())
    assert played[5].turns[1].info.get("stop_reason") is None
    assert played[5].metrics == played[5].turns[-1].info["metrics"]
    whole = rollout(ENV_ID, Bisect(), 6)[5]
    assert played[5].turns[:2] == whole.turns[:2]
    assert played[5].final_observation == whole.turns[3].observation


def test_an_episode_whose_time_ends_before_its_first_turn_is_a_named_failure() -> None:
    played = rollout(ENV_ID, Waits(6, turn=0), 2, engine="async", max_seconds=0.2)
    assert not len(played)
    assert [f.error for f in played.failures] == ["EpisodeTimeoutError"] * 2
    assert "first turn within max_seconds=0.2" in played.failures[0].message


def test_an_environment_that_hangs_costs_its_episode_alone() -> None:
    release = threading.Event()
    made: list[GuessEnv] = []

    class Hanging(GuessEnv):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

        def step(self, action: str) -> Any:
            if self.episode.number == 7 and self.episode.draws == 1:
                release.wait(60)
            return super().step(action)

    played = rollout(Hanging, Bisect(), 6, engine="async", concurrency=1, max_seconds=1.0)
    release.set()
    assert [t.stop_reason for t in played] == ["hit"] * 4 + ["max_seconds", "hit"]
    assert len(played[4].turns) == 1
    assert len(made) == 2


def test_a_policy_that_hangs_in_its_thread_does_not_keep_the_rollout() -> None:
    release = threading.Event()

    class Stuck(Bisect):
        def act(self, contexts: Sequence[Context]) -> list[Completion]:
            release.wait(60)
            return super().act(contexts)

    played = rollout(ENV_ID, Stuck(), 3, engine="async", max_seconds=0.2)
    release.set()
    assert [f.error for f in played.failures] == ["EpisodeTimeoutError"] * 3


def test_an_episode_that_spends_its_tokens_is_truncated() -> None:
    # Two ids a turn: the third turn reaches five. Seed 5 alone needs four turns.
    played = rollout(ENV_ID, Bisect(), 6, engine="async", max_tokens=5)
    assert [t.stop_reason for t in played] == ["hit"] * 5 + ["max_tokens"]
    assert len(played[5].turns) == 3
    assert played[5].turns[-1].reward_terms == {"nearness": 0.1 * (1 / 2), "hits": 0.0}


class Wordy(Bisect):
    def _guess(self, context: Context) -> Completion:
        return Completion(text=super()._guess(context).text)


def test_tokens_that_are_not_given_cannot_be_counted() -> None:
    with pytest.raises(ValueError, match="expected completion ids to count for max_tokens"):
        rollout(ENV_ID, Wordy(), 1, engine="async", max_tokens=5)


@pytest.mark.parametrize(
    ("add", "terms"),
    [
        (False, {"nearness": 0.5}),
        (True, {"hits": 0.0, "nearness": 0.1 * 0.5, "right": 0.0}),
    ],
)
def test_outcome_terms_of_wrappers_are_granted_at_a_cut(add: bool, terms: dict[str, float]) -> None:
    class Right(Hits):
        name = "right"

    own = [Right()] if add else [Nearness()]
    make = lambda: TurnReward(GuessEnv(), own, add=add)  # noqa: E731
    [cut] = rollout(make, Bisect(), 1, seed=5, engine="async", max_tokens=5)
    assert cut.turns[-1].reward_terms == pytest.approx(terms)
    assert cut.turns[-1].reward == pytest.approx(sum(terms.values()))


def test_a_judge_that_breaks_at_a_cut_makes_it_a_failure() -> None:
    class Moody(Hits):
        def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
            raise PolicyError("moody")

    make = lambda: TurnReward(GuessEnv(), [Moody()])  # noqa: E731
    played = rollout(make, Bisect(), 1, seed=5, engine="async", max_tokens=5)
    assert [(f.error, f.turns_played) for f in played.failures] == [("PolicyError", 3)]


@pytest.mark.parametrize(
    "bad",
    [
        {"concurrency": 0},
        {"max_batch": 0},
        {"max_wait_ms": -1.0},
        {"max_wait_ms": float("nan")},
        {"max_seconds": 0.0},
        {"max_tokens": 0},
    ],
)
def test_bounds_that_do_not_fit_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"expected .*{next(iter(bad))}"):
        rollout(ENV_ID, Bisect(), 1, engine="async", **bad)


def test_arguments_of_another_engine_are_refused() -> None:
    with pytest.raises(ValueError, match="num_envs and mode with engine='sync' alone"):
        rollout(ENV_ID, Bisect(), 1, num_envs=2, engine="async")
    with pytest.raises(ValueError, match="max_seconds and max_tokens with engine='async'"):
        rollout(ENV_ID, Bisect(), 1, max_seconds=1.0)
    with pytest.raises(TypeError, match="each episode in flight needs its own, got GuessEnv"):
        rollout(GuessEnv(), Bisect(), 1, engine="async")
    with pytest.raises(TypeError, match="engine='async' takes aact"):
        rollout(ENV_ID, AsyncBisect(), 1)
    with pytest.raises(ValueError, match=r'"sync", "async" or "ray", got \'fast\''):
        rollout(ENV_ID, Bisect(), 1, engine="fast")  # type: ignore[arg-type]  # what is tested


def test_no_episodes_is_an_empty_rollout_and_leaves_no_thread() -> None:
    assert list(rollout(ENV_ID, Bisect(), 0, engine="async")) == []
    rollout(ENV_ID, Bisect(), 4, engine="async")
    deadline = time.monotonic() + 30
    while any(t.name.startswith("rmgym") for t in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_interrupt_ends_the_rollout_and_keeps_what_ended(tmp_path: Path) -> None:
    ended = 0

    def interrupt(_: Trajectory | EpisodeFailure) -> None:
        nonlocal ended
        ended += 1
        if ended == 3:
            os.kill(os.getpid(), 2)

    with TrajectoryStore(tmp_path / "s.jsonl") as store:
        with pytest.raises(KeyboardInterrupt):
            rollout(ENV_ID, AsyncBisect(), 400, store=store, progress=interrupt, engine="async")
        assert 3 <= len(store) < 400
