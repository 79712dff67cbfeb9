"""One episode over a trainer's own inference engine: ids in, ids out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from rmgym.errors import PolicyError
from rmgym.integrations.episodes import MakeEnv
from rmgym.rollout.engine import env_maker
from rmgym.rollout.episodes import EpisodeKey
from rmgym.rollout.ledger import Running
from rmgym.rollout.seats import ThreadSeat
from rmgym.trajectory import Completion, Context, FinishReason, Trajectory
from rmgym.wrappers.record_trajectory import task_id_of

if TYPE_CHECKING:
    from rmgym.agents.renderer import Renderer


class Sampled(NamedTuple):
    """What an engine answers."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...] | None
    finish_reason: FinishReason = "stop"


Generate: TypeAlias = Callable[[tuple[int, ...], int | None], Awaitable[Sampled]]
"""From a prompt, and the most tokens that may follow, to what was sampled."""


class TokenBudget(NamedTuple):
    """How long an episode may get; None for no bound."""

    sequence: int | None = None
    """Tokens of the whole sequence."""
    response: int | None = None
    """Tokens after the first prompt, given ones included."""

    def room(self, first: int, prompt: int) -> int | None:
        """Return how many tokens may follow a prompt, given the length of the first one."""
        limits = []
        if self.sequence is not None:
            limits.append(self.sequence - prompt)
        if self.response is not None:
            limits.append(self.response - (prompt - first))
        return min(limits) if limits else None


async def play_episode(
    env: MakeEnv,
    seed: int,
    generate: Generate,
    renderer: Renderer,
    *,
    budget: TokenBudget = TokenBudget(),  # noqa: B008  # immutable
) -> Trajectory:
    """Play one episode; prompts grow by appending, and sampled ids are kept as they are.

    An episode that has no room for another turn is truncated with `stop_reason` "max_tokens", and
    its outcome granted.

    Raises:
        BackendError: If a part outside the conversation broke: leave the episode out.
        PolicyError: If the first prompt leaves no room.
    """
    seat = ThreadSeat(env_maker(env))
    try:
        key = EpisodeKey(await seat.env_id(), None, seed, None)
        observation, info = await seat.begin(seed)
        running = Running(0, task_id_of(info), observation)
        first = 0
        while not (running.turns and running.turns[-1].ended):
            prompt = renderer.prompt(running.context)
            first = first or len(prompt)
            room = budget.room(first, len(prompt))
            if room is not None and room < 1:
                await _cut(seat, running, len(prompt))
                break
            said = _completion(prompt, await generate(prompt, room), renderer)
            running.add(said, await seat.play(said))
        return running.trajectory(key)
    finally:
        await seat.close()


async def _cut(seat: ThreadSeat, running: Running, tokens: int) -> None:
    if not running.turns:
        raise PolicyError(
            f"expected a first prompt that leaves room for a turn, got {tokens} tokens; raise the "
            "trainer's limits on prompt and response"
        )
    context = Context(running.turns, running.observation)
    running.replace_last(await seat.cut(context, "max_tokens"))


def _completion(prompt: tuple[int, ...], sampled: Sampled, renderer: Renderer) -> Completion:
    if not sampled.ids:
        raise PolicyError("expected at least one sampled token, got none")
    return Completion(
        text=renderer.text(sampled.ids),
        prompt_ids=prompt,
        completion_ids=sampled.ids,
        logprobs=sampled.logprobs,
        finish_reason=sampled.finish_reason,
    )
