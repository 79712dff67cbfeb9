"""The skeleton of a conversation with several speakers, on PettingZoo's parallel API."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding

from rmgym.composition import Granted, RewardComposition, RewardSpec
from rmgym.conversation import Conversation, Opening, Pending, Reply, transcript
from rmgym.errors import ParseError
from rmgym.messages import Observation
from rmgym.parsing import ActionFormat, Grammar, make_grammar
from rmgym.protocols import Call, Tool
from rmgym.spaces import MAX_CHARACTERS, UnicodeText, chat_space
from rmgym.state import Forkable
from rmgym.trajectory import Context

try:
    from pettingzoo import ParallelEnv
except ImportError:

    class ParallelEnv:  # type: ignore[no-redef]  # PettingZoo's own class where it is installed
        """Stands in for PettingZoo's base class, which holds no state."""


EpisodeT = TypeVar("EpisodeT")

SILENCE = Call("silence")
"""What an empty turn is parsed to."""

ArenaStep = tuple[
    dict[str, Observation],
    dict[str, float],
    dict[str, bool],
    dict[str, bool],
    dict[str, dict[str, Any]],
]


class ChatArena(Forkable, ParallelEnv, Generic[EpisodeT]):
    """A conversation in which several seats speak, each with its own record and reward terms.

    All seats act in every step, and no action can see another of the same step. `speakers` says
    who may speak; what the others say is not heard. An empty turn is silence, and legal. A setting
    writes `begin_episode`, `respond` and, if not all speak at once, `speakers`.

    Args:
        seats: The names of the seats, in a fixed order.
        tools: What a seat can call.
        rewards: The reward terms of every seat, or those of each by name.
        max_steps: After this many steps the episode is truncated for all.
        action_format: "tags" or "tool_call".
        answer_tags: Tools that stay text tags under "tool_call".
        max_action_characters: A longer action is a malformed one.
        render_mode: "ansi" or None.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  # as upstream
        "name": "chat_arena",
        "render_modes": ["ansi"],
        "render_fps": 4,
        "is_parallelizable": True,
    }
    episode: EpisodeT
    """The setting's own state of the running episode; copied by `get_state` and `fork`."""

    def __init__(
        self,
        *,
        seats: Sequence[str],
        tools: Sequence[Tool],
        rewards: Sequence[RewardSpec] | Mapping[str, Sequence[RewardSpec]],
        max_steps: int,
        action_format: ActionFormat = "tags",
        answer_tags: tuple[str, ...] = (),
        max_action_characters: int = MAX_CHARACTERS,
        render_mode: str | None = None,
    ) -> None:
        if len(set(seats)) != len(seats) or not seats:
            raise ValueError(f"expected distinct names of seats, got {list(seats)}")
        self.possible_agents = list(seats)
        self.agents: list[str] = []
        self.tool_list = tuple(tools)
        self.grammar: Grammar = make_grammar(action_format, self.tool_list, answer_tags)
        self.action_format = action_format
        per_seat = rewards if isinstance(rewards, Mapping) else dict.fromkeys(seats, rewards)
        self.compositions = {seat: RewardComposition(per_seat[seat]) for seat in seats}
        self.max_steps = max_steps
        self.max_action_characters = max_action_characters
        self.render_mode = render_mode
        self.observation_spaces: dict[str, spaces.Space[Any]] = {s: chat_space() for s in seats}
        self.action_spaces: dict[str, spaces.Space[Any]] = {
            seat: UnicodeText(MAX_CHARACTERS) for seat in seats
        }
        self.records = {}
        self.said: dict[str, str] = {}
        self.steps = 0
        self.np_random, _ = seeding.np_random()

    @abstractmethod
    def begin_episode(self, options: Mapping[str, Any]) -> Mapping[str, Opening]:
        """Set `self.episode` and return how the conversation opens for each seat."""

    @abstractmethod
    def respond(self, calls: Mapping[str, Call | ParseError]) -> Mapping[str, Reply]:
        """Return what the world answers to each seat, after one step.

        Args:
            calls: What each seat that could speak did: a parsed action, silence, or the error that
                says why its turn could not be read (`explain` gives the usual answer to it). The
                text itself stands in `self.said`.

        Returns:
            A reply to any seat that hears something; one with a `stop_reason` ends that seat.
        """

    def speakers(self) -> Collection[str]:
        """Return the seats that may speak now; by default all that are still in."""
        return self.agents

    def explain(self, error: ParseError) -> Reply:
        """Return the answer to a malformed action: what was expected."""
        text = f"That action could not be read: {error}."
        return Reply(messages=({"role": "user", "content": text},), event={"kind": "invalid"})

    def state_key(self, seat: str) -> str | None:
        """Name the state for step grouping; None names it by what the seat saw and said."""
        return None

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools as JSON schemas, as chat templates take them."""
        return [tool.json_schema() for tool in self.tool_list]

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Return the space of a seat's observations."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Return the space of a seat's actions."""
        return self.action_spaces[agent]

    def context(self, seat: str) -> Context:
        """Return what the policy of a seat may see now."""
        return self.records[seat].context

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Begin an episode."""
        if seed is not None:
            self.np_random, _ = seeding.np_random(seed)
        self._forks = 0
        self.steps = 0
        self.records = {}
        self.agents = list(self.possible_agents)
        openings = self.begin_episode(options or {})
        self.records = {seat: Conversation(openings[seat]) for seat in self.agents}
        may_speak = self.speakers()
        infos = {}
        for seat, record in self.records.items():
            info = record.opening_info(openings[seat].metrics, self.state_key(seat))
            infos[seat] = {**info, "may_speak": seat in may_speak}
        return {seat: self.records[seat].observation for seat in self.agents}, infos

    def step(self, actions: Mapping[str, str]) -> ArenaStep:
        """Play one step: every seat's action at once.

        Args:
            actions: What each live seat says; a missing one is silent.

        Raises:
            BackendError: If a part outside the conversation broke.
            RewardError: If a reward term failed.
            ValueError: If an action is for a seat that the arena does not have.
        """
        if not self.agents:
            raise ResetNeeded("expected reset(): no seat is left in the episode")
        strangers = [seat for seat in actions if seat not in self.possible_agents]
        if strangers:
            raise ValueError(f"expected actions of {self.possible_agents}, got {strangers}")
        playing = list(self.agents)
        may_speak = [seat for seat in playing if seat in self.speakers()]
        self.said = {seat: actions.get(seat, "") for seat in may_speak}
        calls = {seat: self._parse(text) for seat, text in self.said.items()}
        replies = self.respond(calls)
        self.steps += 1
        spent = "max_turns" if self.steps >= self.max_steps else None
        pendings = {}
        for seat in playing:
            said = actions.get(seat, "") if seat in calls else None
            pendings[seat] = self._record(seat, said, replies.get(seat, Reply()), spent)
        return self._settle(playing, calls, pendings)

    def _parse(self, action: str) -> Call | ParseError:
        if not isinstance(action, str):
            raise TypeError(f"expected a seat's whole turn as a str, got {type(action).__name__}")
        if not action.strip():
            return SILENCE
        if len(action) > self.max_action_characters:
            return ParseError(
                f"expected at most {self.max_action_characters} characters, got {len(action)}"
            )
        try:
            return self.grammar.parse(action)
        except ParseError as error:
            return error

    def _record(
        self, seat: str, said: str | None, reply: Reply, spent: str | None
    ) -> Pending | None:
        record = self.records[seat]
        stop, cut = reply.stop_reason, reply.cut_reason
        if stop is None and cut is None:
            cut = spent
        key = self.state_key(seat)
        if said is not None:
            return record.play(said, reply, stop=stop, cut=cut, state_hash=key)
        if stop or cut:
            return record.close(reply, stop=stop, cut=cut, state_hash=key)
        record.hear(reply.messages)
        return None

    def _capture(self) -> Any:
        return self.episode, self.steps, self.agents

    def _restore(self, captured: Any) -> None:
        self.episode, self.steps, self.agents = captured

    def _settle(
        self,
        playing: Sequence[str],
        spoke: Collection[str],
        pendings: Mapping[str, Pending | None],
    ) -> ArenaStep:
        ended = {seat: self.records[seat].ended for seat in playing}
        self.agents = [seat for seat in playing if not ended[seat]]
        may_speak = self.speakers() if self.agents else ()
        rewards, infos = {}, {}
        for seat in playing:
            rewards[seat], info = self._earn(seat, pendings[seat], seat in spoke)
            infos[seat] = {**info, "may_speak": seat in self.agents and seat in may_speak}
        last = {seat: self.records[seat].turns[-1] for seat in playing if ended[seat]}
        return (
            {seat: self.records[seat].observation for seat in playing},
            rewards,
            {seat: ended[seat] and last[seat].terminated for seat in playing},
            {seat: ended[seat] and last[seat].truncated for seat in playing},
            infos,
        )

    def _earn(
        self, seat: str, pending: Pending | None, spoke: bool
    ) -> tuple[float, dict[str, Any]]:
        record = self.records[seat]
        if pending is None:
            return 0.0, record.opening_info({}, self.state_key(seat))
        granted: Granted = self.compositions[seat].score(
            (pending.context,), outcome_only=not spoke
        )[0]
        return record.settle(granted)

    def render(self) -> str | None:
        """Return the transcript of every seat ("ansi")."""
        if self.render_mode != "ansi":
            return None
        parts = [f"== {seat} ==\n\n{transcript(self.context(seat))}" for seat in self.records]
        return "\n\n".join(parts)

    def close(self) -> None:
        """Release nothing: an arena holds no outside resources."""

    def state(self) -> np.ndarray[Any, Any]:
        """Arenas have no array form of their state; `get_state` gives the real one."""
        raise AttributeError("expected get_state(), got state(): a conversation is not an array")
