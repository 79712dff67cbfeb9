"""The skeleton of a conversation with one speaker, as a Gymnasium environment."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import gymnasium as gym
from gymnasium.error import ResetNeeded

from rmgym.composition import Granted, RewardComposition, RewardSpec
from rmgym.conversation import (
    Conversation,
    Opening,
    Pending,
    Reply,
    transcript,
)
from rmgym.errors import ParseError
from rmgym.messages import Message, Observation
from rmgym.parsing import ActionFormat, Grammar, make_grammar
from rmgym.protocols import Call, Tool
from rmgym.spaces import MAX_CHARACTERS, UnicodeText, chat_space
from rmgym.state import Forkable
from rmgym.trajectory import Context

EpisodeT = TypeVar("EpisodeT")


class ChatEnv(Forkable, gym.Env[Observation, str], Generic[EpisodeT]):
    """A turn-based conversation with a world.

    A setting writes only its world: `begin_episode` (opening messages), `respond` (what the world
    answers to a parsed action), its `tools` and its reward terms. Turns, budgets, ends, info,
    rendering, seeding, forking and grammars are here.

    Args:
        tools: What the agent can call; also shown to chat templates as JSON schemas.
        rewards: The reward terms, with weights.
        max_turns: After this many turns the episode is truncated.
        max_characters: Budget on the whole conversation, in characters; None for no bound.
        max_action_characters: A longer action is a malformed one.
        action_format: "tags" (`<search>...</search>`) or "tool_call" (Hermes JSON).
        answer_tags: Tools that stay text tags under "tool_call".
        render_mode: "human" prints the conversation as it goes, "ansi" returns it as text.
    """

    metadata: dict[str, Any] = {"render_modes": ["human", "ansi"], "render_fps": 4}  # noqa: RUF012  # as upstream

    episode: EpisodeT
    """The setting's own state of the running episode; copied by `get_state` and `fork`."""

    def __init__(
        self,
        *,
        tools: Sequence[Tool],
        rewards: Sequence[RewardSpec],
        max_turns: int,
        max_characters: int | None = None,
        max_action_characters: int = MAX_CHARACTERS,
        action_format: ActionFormat = "tags",
        answer_tags: tuple[str, ...] = (),
        render_mode: str | None = None,
    ) -> None:
        if max_turns < 1:
            raise ValueError(f"expected max_turns of at least 1, got {max_turns}")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(
                f"expected render_mode in {self.metadata['render_modes']}, got {render_mode!r}"
            )
        self.tool_list = tuple(tools)
        self.grammar: Grammar = make_grammar(action_format, self.tool_list, answer_tags)
        self.action_format = action_format
        self.composition = RewardComposition(rewards)
        self.max_turns = max_turns
        self.max_characters = max_characters
        self.max_action_characters = max_action_characters
        self.render_mode = render_mode
        self.observation_space = chat_space()
        self.action_space = UnicodeText(MAX_CHARACTERS)
        self.records: dict[str, Conversation] = {}

    @abstractmethod
    def begin_episode(self, options: Mapping[str, Any]) -> Opening:
        """Set `self.episode` and return how the conversation opens.

        Draws from `self.np_random` alone. `options` is what the user gave to `reset`.
        """

    @abstractmethod
    def respond(self, call: Call) -> Reply:
        """Return what the world answers to a parsed action."""

    def parse_action(self, text: str) -> Call:
        """Return the action that a turn's text means, or raise `ParseError`."""
        return self.grammar.parse(text)

    def explain(self, error: ParseError) -> Reply:
        """Return the answer to a malformed action: what was expected."""
        text = f"That action could not be read: {error}."
        return Reply(messages=({"role": "user", "content": text},), event={"kind": "invalid"})

    def state_key(self) -> str | None:
        """Name the state for step grouping; None names it by the whole conversation."""
        return None

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The tools as JSON schemas, as chat templates take them."""
        return [tool.json_schema() for tool in self.tool_list]

    @property
    def state_hash(self) -> str:
        """A short name of the current state: equal names, equal states."""
        return self.state_key() or self._record().digest.hex()

    @property
    def context(self) -> Context:
        """What a policy may see now."""
        return self._record().context

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        self._forks = 0
        self.records = {}
        opening = self.begin_episode(options or {})
        record = Conversation(opening)
        self.records = {"agent": record}
        if self.render_mode == "human":
            _show(record.observation)
        return record.observation, record.opening_info(opening.metrics, self.state_key())

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play one turn.

        Raises:
            BackendError: If a part outside the conversation broke.
            RewardError: If a reward term failed.

        After either error the episode is not usable: go on with `reset`, or with `set_state`.
        """
        pending = self.advance(action)
        return self.settle(self.composition.score((pending.context,))[0])

    def advance(self, action: str) -> Pending:
        """Play one turn up to its reward; `settle` must follow.

        A vector of environments advances all of them, scores the turns as one batch, then settles.
        """
        record = self._record()
        if record.ended:
            raise ResetNeeded("expected reset(), got a step after the end of the episode")
        reply = self._answer(action)
        stop, cut = reply.stop_reason, reply.cut_reason
        if stop is None and cut is None:
            cut = self._spent_budget(record, action, reply)
        pending = record.play(action, reply, stop=stop, cut=cut, state_hash=self.state_key())
        if self.render_mode == "human":
            _show(({"role": "assistant", "content": action}, *reply.messages))
        return pending

    def _spent_budget(self, record: Conversation, action: str, reply: Reply) -> str | None:
        if len(record.turns) + 1 >= self.max_turns:
            return "max_turns"
        if self.max_characters is None:
            return None
        added = len(action) + sum(len(said["content"]) for said in reply.messages)
        return "max_characters" if record.characters + added > self.max_characters else None

    def settle(self, granted: Granted) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Enter what the last turn earned and return the step."""
        record = self._record()
        reward, info = record.settle(granted)
        last = record.turns[-1]
        return record.observation, reward, last.terminated, last.truncated, info

    def _answer(self, action: str) -> Reply:
        if not isinstance(action, str):
            raise TypeError(
                f"expected the agent's whole turn as a str, got {type(action).__name__}"
            )
        try:
            if len(action) > self.max_action_characters:
                raise ParseError(
                    f"expected at most {self.max_action_characters} characters, got {len(action)}"
                )
            call = self.parse_action(action)
        except ParseError as error:
            return self.explain(error)
        return self.respond(call)

    def _record(self) -> Conversation:
        try:
            return self.records["agent"]
        except KeyError:
            raise ResetNeeded("expected reset() before the first step") from None

    def render(self) -> str | None:
        """Return the transcript ("ansi"); in "human" mode it was printed as it went."""
        return transcript(self.context) if self.render_mode == "ansi" else None


def _show(messages: Sequence[Message]) -> None:
    text = "".join(f"[{said['role']}]\n{said['content']}\n\n" for said in messages)
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()
