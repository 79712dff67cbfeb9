from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from rmgym.conversation import Facts
from rmgym.errors import DataError, TrajectoryStoreError
from rmgym.rollout import (
    EpisodeKey,
    TrajectoryStore,
    codec,
    read_trajectories,
    rollout,
)
from rmgym.trajectory import Completion, Context, Trajectory, Turn
from tests.rollout.guessing import ENV_ID, Bisect, GuessEnv

ROOT = Path(__file__).resolve().parents[2]


def bare(played: Sequence[Trajectory]) -> list[str]:
    records = [codec.encode_trajectory(trajectory) for trajectory in played]
    for record in records:
        del record["metadata"]["seconds"]
    return [codec.dumps(record) for record in records]


def fill(path: Path, episodes: int = 3) -> list[Trajectory]:
    with TrajectoryStore(path) as store:
        return list(rollout(ENV_ID, Bisect(), episodes, store=store))


class Counting(Bisect):
    """Counts the turns that it was asked for."""

    turns = 0

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        self.turns += len(contexts)
        return super().act(contexts)


def test_what_was_stored_is_read_as_it_was_played(tmp_path: Path) -> None:
    played = fill(tmp_path / "s.jsonl")
    assert read_trajectories(tmp_path / "s.jsonl") == played
    with TrajectoryStore(tmp_path / "s.jsonl") as store:
        assert store.trajectories() == played
        assert len(store) == 3
        assert store.done_keys() == {EpisodeKey(ENV_ID, "Bisect", i, i) for i in range(3)}
        assert store.read(EpisodeKey(ENV_ID, "Bisect", 1, 1)) == played[1]


def test_an_episode_is_one_line_of_ascii(tmp_path: Path) -> None:
    fill(tmp_path / "s.jsonl")
    lines = (tmp_path / "s.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["episode"] for line in lines] == [0, 1, 2]
    assert all(line.isascii() for line in lines)


def test_a_resumed_rollout_plays_only_what_is_missing(tmp_path: Path) -> None:
    whole = rollout(ENV_ID, Bisect(), 6)
    policy = Counting()
    with TrajectoryStore(tmp_path / "s.jsonl") as store:
        rollout(ENV_ID, policy, 2, store=store, policy_name="Bisect")
        rollout(ENV_ID, policy, 6, store=store, policy_name="Bisect")
        assert policy.turns == sum(len(t.turns) for t in whole)
        played = rollout(ENV_ID, policy, 6, store=store, policy_name="Bisect")
    assert policy.turns == sum(len(t.turns) for t in whole)
    assert bare(played) == bare(whole)


def test_another_policy_or_seed_is_another_episode(tmp_path: Path) -> None:
    with TrajectoryStore(tmp_path / "s.jsonl") as store:
        rollout(ENV_ID, Bisect(), 2, store=store)
        rollout(ENV_ID, Bisect(), 2, store=store, policy_name="other")
        rollout(ENV_ID, Bisect(), 2, seed=10, store=store)
        assert len(store) == 6


def test_fewer_episodes_than_stored_gives_the_first_ones(tmp_path: Path) -> None:
    played = fill(tmp_path / "s.jsonl")
    with TrajectoryStore(tmp_path / "s.jsonl") as store:
        assert list(rollout(ENV_ID, Bisect(), 2, store=store)) == played[:2]


def test_a_failure_is_kept_and_its_episode_played_again(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    with TrajectoryStore(path) as store:
        first = rollout(GuessEnv(broken=7), Bisect(), 6, store=store)
    with TrajectoryStore(path) as store:
        assert store.failures() == list(first.failures)
        assert [f.seed for f in store.failures()] == [4]
        second = rollout(GuessEnv(), Bisect(), 6, store=store)
        assert store.failures() == []
    assert bare(second) == bare(rollout(GuessEnv(), Bisect(), 6))
    assert [t.seed for t in read_trajectories(path)] == [0, 1, 2, 3, 5, 4]


def test_an_episode_is_not_stored_twice(tmp_path: Path) -> None:
    [trajectory, *_] = fill(tmp_path / "s.jsonl")
    with TrajectoryStore(tmp_path / "s.jsonl") as store:
        with pytest.raises(ValueError, match="expected a new episode"):
            store.append(trajectory)
        store.append(replace(trajectory, agent="other seat"))
        assert len(store) == 4


def test_episodes_without_a_number_are_stored_as_they_come(tmp_path: Path) -> None:
    turn = Turn(observation=(), completion=Completion(text="a"), info={"event": Facts()})
    trajectory = Trajectory(env_id="e", task_id="t", turns=(turn,))
    with TrajectoryStore(tmp_path / "s.jsonl") as store:
        store.append(trajectory)
        store.append(trajectory)
        assert store.trajectories() == [trajectory, trajectory]


@pytest.mark.parametrize("kept", ["{", '{"kind":"', "\0\0\0", "half", "all but the end"])
def test_a_line_torn_by_a_kill_is_cut_off(tmp_path: Path, kept: str) -> None:
    path = tmp_path / "s.jsonl"
    played = fill(path)
    *whole, last = path.read_bytes().splitlines(keepends=True)
    tail = {"half": last[: len(last) // 2], "all but the end": last[:-2]}.get(kept, kept.encode())
    path.write_bytes(b"".join(whole) + tail)
    assert read_trajectories(path) == played[:2]
    with TrajectoryStore(path) as store:
        assert store.trajectories() == played[:2]
        assert path.read_bytes() == b"".join(whole)
        again = rollout(ENV_ID, Bisect(), 3, store=store)
    assert bare(again) == bare(played)
    assert bare(read_trajectories(path)) == bare(played)


def test_a_last_line_that_lacks_its_line_break_alone_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    played = fill(path)
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert read_trajectories(path) == played
    with TrajectoryStore(path) as store:
        assert store.trajectories() == played
    assert path.read_bytes() == content


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    fill(path)
    first, second, third = path.read_bytes().splitlines(keepends=True)
    for broken in (second[:40] + b"\n", b"[1]\n", b'{"kind":"poem"}\n', b"\xff\n", b"1\n"):
        path.write_bytes(first + broken + third)
        for read in (TrajectoryStore, read_trajectories):
            with pytest.raises(DataError, match=r"s\.jsonl, line 2: expected an episode"):
                read(path)


def test_a_line_without_a_field_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    fill(path)
    record = json.loads(path.read_bytes().splitlines()[1])
    del record["task_id"]
    path.write_bytes(path.read_bytes() + json.dumps(record).encode() + b"\n")
    with pytest.raises(DataError, match=r"line 4: .*'task_id'"):
        read_trajectories(path)


@pytest.mark.parametrize("content", ["dear diary", "a,b\n1,2\n", '{"a": 1}', "{}\n{"])
def test_a_file_that_is_no_store_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "diary.txt"
    path.write_text(content)
    with pytest.raises(DataError, match="line 1"):
        TrajectoryStore(path)
    assert path.read_text() == content


def test_blank_lines_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    played = fill(path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n\n"))
    with TrajectoryStore(path) as store:
        assert store.trajectories() == played


def test_two_stores_cannot_have_one_file_open(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    first = TrajectoryStore(path)
    with pytest.raises(TrajectoryStoreError, match="expected to be the only writer"):
        TrajectoryStore(path)
    code = f"from rmgym.rollout import TrajectoryStore; TrajectoryStore({str(path)!r})"
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "TrajectoryStoreError: expected to be the only writer" in other.stderr
    first.close()
    TrajectoryStore(path).close()


def test_a_child_that_outlives_a_killed_writer_does_not_hold_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    code = (
        "import os, signal\n"
        "from rmgym.rollout import TrajectoryStore\n"
        f"store = TrajectoryStore({str(path)!r})\n"
        "if os.fork() == 0: print(os.getpid(), flush=True)\n"
        "signal.pause()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    child = int(writer.stdout.readline())
    try:
        with pytest.raises(TrajectoryStoreError, match="only writer"):
            TrajectoryStore(path)
        writer.kill()
        writer.wait()
        TrajectoryStore(path).close()
    finally:
        os.kill(child, signal.SIGKILL)
        writer.stdout.close()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    played = fill(tmp_path / "s.jsonl")
    store = TrajectoryStore(tmp_path / "s.jsonl")
    store.close()
    with pytest.raises(TrajectoryStoreError, match="expected an open store"):
        store.trajectories()
    with pytest.raises(TrajectoryStoreError, match="expected an open store"):
        store.append(replace(played[0], seed=9))


def test_a_place_that_cannot_be_opened_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrajectoryStoreError, match=r"could not open .*: Is a directory"):
        TrajectoryStore(tmp_path)
    with pytest.raises(TrajectoryStoreError, match="could not open"):
        TrajectoryStore(tmp_path / "file" / "s.jsonl")
    with pytest.raises(TrajectoryStoreError, match="could not read"):
        read_trajectories(tmp_path / "missing.jsonl")


def test_folders_are_made(tmp_path: Path) -> None:
    fill(tmp_path / "a" / "b" / "s.jsonl", episodes=1)
    assert len(read_trajectories(tmp_path / "a" / "b" / "s.jsonl")) == 1


FULL_DISK = """
import resource, sys
from pathlib import Path
from rmgym.errors import TrajectoryStoreError
from rmgym.rollout import TrajectoryStore, rollout
from tests.rollout.guessing import ENV_ID, Bisect
path = Path(sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
store = TrajectoryStore(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
try:
    rollout(ENV_ID, Bisect(), 6, store=store)
except TrajectoryStoreError as error:
    print(error)
print(len(store), path.stat().st_size)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(len(rollout(ENV_ID, Bisect(), 4, store=store)))
"""


def test_a_full_disk_keeps_every_earlier_episode_whole(tmp_path: Path) -> None:
    """A file size limit makes the kernel write a part of a line, then refuse (EFBIG)."""
    whole = fill(tmp_path / "whole.jsonl", episodes=6)
    sizes = [len(line) for line in (tmp_path / "whole.jsonl").read_bytes().splitlines(True)]
    limit = sum(sizes[:2]) + sizes[2] // 2
    path = tmp_path / "s.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), str(limit)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    message, state, resumed = done.stdout.splitlines()
    assert message.startswith(f"could not store episode 2 in {path}, which keeps the 2 before it")
    assert "File too large; check free space" in message
    number, size = map(int, state.split())
    assert number == 2
    assert size < limit
    assert resumed == "4"
    with TrajectoryStore(path) as store:
        assert bare(rollout(ENV_ID, Bisect(), 6, store=store)) == bare(whole)


def test_an_interrupt_in_the_middle_of_a_write_leaves_no_torn_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.jsonl"
    played = fill(path)
    before = path.read_bytes()
    write = os.write

    def interrupted(file: int, content: bytes) -> int:
        write(file, content[:20])
        raise KeyboardInterrupt

    with TrajectoryStore(path) as store:
        monkeypatch.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rollout(ENV_ID, Bisect(), 4, store=store)
        monkeypatch.setattr(os, "write", write)
        assert path.read_bytes() == before
        assert bare(rollout(ENV_ID, Bisect(), 3, store=store)) == bare(played)


PLAY = """
import sys
from rmgym.rollout import EpisodeFailure, TrajectoryStore, rollout
from tests.rollout.guessing import ENV_ID, Bisect
store = TrajectoryStore(sys.argv[1])
print("open", flush=True)
rollout(ENV_ID, Bisect(), int(sys.argv[2]), num_envs=4, mode=sys.argv[3], store=store,
        progress=lambda ended: print(ended.seed, flush=True))
"""


@pytest.mark.parametrize("mode", ["sync", "thread"])
def test_a_rollout_killed_again_and_again_loses_and_doubles_nothing(
    tmp_path: Path, mode: str
) -> None:
    path, episodes, chance = tmp_path / "s.jsonl", 60, random.Random(7)
    for _ in range(4):
        command = [sys.executable, "-c", PLAY, str(path), str(episodes), mode]
        player = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert player.stdout is not None
        for _ in range(chance.randrange(1, 10)):
            player.stdout.readline()
        player.kill()
        player.wait()
        player.stdout.close()
    complete = path.read_bytes().splitlines(keepends=True)
    with TrajectoryStore(path) as store:
        assert len(store) in (len(complete), len(complete) - 1)
        played = rollout(ENV_ID, Bisect(), episodes, num_envs=4, store=store)
    kept = read_trajectories(path)
    assert sorted(t.metadata["episode"] for t in kept) == list(range(episodes))
    assert bare(played) == bare(rollout(ENV_ID, Bisect(), episodes, num_envs=4))
    assert played.failures == ()
