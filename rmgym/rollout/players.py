"""Many episodes in flight: players that take them from one queue, within budgets."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite

from rmgym.errors import BackendError
from rmgym.rollout.asking import Asker
from rmgym.rollout.episodes import EpisodeFailure, Progress
from rmgym.rollout.ledger import Ledger, Running
from rmgym.rollout.seats import Seat, SeatLostError
from rmgym.rollout.store import TrajectoryStore
from rmgym.rollout.threads import WorkerThread
from rmgym.trajectory import Completion, Context, Trajectory
from rmgym.wrappers.record_trajectory import task_id_of

MAX_BEGINNINGS = 3
"""How often an episode is begun before it counts as failed because its seats died."""


class EpisodeTimeoutError(BackendError):
    """Raised when an episode's time was over before its first turn was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to play and within which bounds.

    Raises:
        ValueError: If a bound does not fit.
    """

    episodes: int
    seed: int = 0
    concurrency: int = 256
    max_batch: int = 64
    max_wait_ms: float = 5.0
    max_seconds: float | None = None
    max_tokens: int | None = None
    store: TrajectoryStore | None = None
    progress: Progress | None = None
    policy_name: str | None = None

    def __post_init__(self) -> None:
        """Check the bounds."""
        least = {"episodes": 0, "concurrency": 1, "max_batch": 1, "max_tokens": 1}
        for name, bound in least.items():
            value = getattr(self, name)
            if value is not None and value < bound:
                raise ValueError(f"expected {name} of at least {bound}, got {value}")
        if not (isfinite(self.max_wait_ms) and self.max_wait_ms >= 0):
            raise ValueError(f"expected a finite max_wait_ms of at least 0, got {self.max_wait_ms}")
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise ValueError(f"expected max_seconds above 0, got {self.max_seconds}")


class _Attempt:
    """One episode as far as it was played."""

    def __init__(self, episode: int) -> None:
        self.episode = episode
        self.running: Running | None = None

    @property
    def turns_played(self) -> int:
        return len(self.running.turns) if self.running is not None else 0


class _Player:
    """Plays one episode after another in a seat of its own."""

    def __init__(self, seat: Seat, crew: Players) -> None:
        self._seat = seat
        self._crew = crew
        self._plan = crew.plan

    async def play_all(self, waiting: deque[int]) -> None:
        """Play episodes until none waits."""
        try:
            while waiting:
                episode = waiting.popleft()
                await self._crew.record(episode, await self._play(episode))
        finally:
            self._crew.asker.leave()
        await self.close()

    async def close(self) -> None:
        """Close the seat."""
        await self._seat.close()

    async def _play(self, episode: int) -> Trajectory | EpisodeFailure:
        attempt = _Attempt(episode)
        try:
            running, reason = await self._within_time(attempt)
            if reason is not None:
                await self._cut(running, reason)
        except BackendError as error:
            played = attempt.turns_played
            return self._crew.ledger.failed(episode, error, turns_played=played)
        return self._crew.ledger.finished(running)

    async def _within_time(self, attempt: _Attempt) -> tuple[Running, str | None]:
        """Return the episode, and which budget ended it or None."""
        try:
            async with asyncio.timeout(self._plan.max_seconds) as clock:
                return await self._through_losses(attempt)
        except TimeoutError:
            if not clock.expired():
                raise
        if attempt.running is None or not attempt.running.turns:
            raise EpisodeTimeoutError(
                f"expected a first turn within max_seconds={self._plan.max_seconds}, got none; "
                "look for a policy or an environment that hangs, or allow more time"
            )
        return attempt.running, "max_seconds"

    async def _through_losses(self, attempt: _Attempt) -> tuple[Running, str | None]:
        for _ in range(MAX_BEGINNINGS - 1):
            try:
                return await self._turns(attempt)
            except SeatLostError:
                await self._renew_seat()
        return await self._turns(attempt)

    async def _turns(self, attempt: _Attempt) -> tuple[Running, str | None]:
        """Play an episode from its beginning."""
        attempt.running = None
        if not self._seat.is_usable:
            await self._renew_seat()
        observation, info = await self._seat.begin(self._plan.seed + attempt.episode)
        running = attempt.running = Running(attempt.episode, task_id_of(info), observation)
        spent = 0
        while True:
            said = await self._crew.asker.complete(running.context)
            spent += self._tokens(said)
            if running.add(said, await self._seat.play(said)).ended:
                return running, None
            if self._plan.max_tokens is not None and spent >= self._plan.max_tokens:
                return running, "max_tokens"

    def _tokens(self, said: Completion) -> int:
        if self._plan.max_tokens is not None and said.text and not said.completion_ids:
            raise ValueError(
                "expected completion ids to count for max_tokens, got a turn without any; take a "
                "policy that gives them, or leave max_tokens out"
            )
        return len(said.completion_ids)

    async def _cut(self, running: Running, reason: str) -> None:
        if not self._seat.is_usable:
            await self._renew_seat()
        context = Context(running.turns, running.observation)
        running.replace_last(await self._seat.cut(context, reason))

    async def _renew_seat(self) -> None:
        await self._seat.close()
        self._seat = self._crew.make_seat()


class Players:
    """Plays the episodes that a ledger lacks.

    Args:
        make_seat: Makes a place to play in.
        asker: Gets a conversation its next turn.
        ledger: Takes what ended.
        plan: The budgets.
    """

    def __init__(
        self, make_seat: Callable[[], Seat], asker: Asker, ledger: Ledger, plan: Plan
    ) -> None:
        self.make_seat = make_seat
        self.asker = asker
        self.ledger = ledger
        self.plan = plan
        self._recorder = WorkerThread("rmgym store") if ledger.store is not None else None

    async def run(self, waiting: deque[int], seats: Sequence[Seat]) -> None:
        """Play the waiting episodes, in as many seats at once; close the seats.

        An error that is no backend's is raised, and what was in flight is left.
        """
        players = [_Player(seat, self) for seat in seats]
        tasks: list[asyncio.Task[None]] = []
        try:
            for player in players:
                tasks.append(asyncio.create_task(player.play_all(waiting)))
                await asyncio.sleep(0)  # the first ask the policy while the others are set up
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._recorder is not None:
                # What is being written must be on the disk before the caller closes the store.
                await self._recorder.call(int)
                self._recorder.close()
            await asyncio.gather(*(player.close() for player in players))

    async def record(self, episode: int, ended: Trajectory | EpisodeFailure) -> None:
        """Store an end, then tell of it."""
        if self._recorder is not None:
            await self._recorder.call(self.ledger.write, ended)
        self.ledger.enter(episode, ended)
