"""One seat's record of an episode: what it saw, said and earned.

The part that environments with one speaker and with several share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, NamedTuple

from rmgym.composition import Granted
from rmgym.messages import Observation
from rmgym.trajectory import Completion, Context, Turn


class Facts(Mapping[str, Any]):
    """An immutable mapping that vector environments keep whole.

    Vectors of environments merge plain dictionaries of `info` key by key, and would tear the
    facts of a task apart; this mapping travels as one object.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any] | None = None, **more: Any) -> None:
        self._items = {**(items or {}), **more}

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of `key`, or `default`."""
        return self._items.get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Facts({self._items!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and dict(self) == dict(other)

    __hash__ = None  # type: ignore[assignment]  # values may be lists


NO_FACTS = Facts()
NO_TERMS: Mapping[str, float] = {}
"""What a turn has earned before it is scored; never changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How an episode begins."""

    task_id: str
    messages: Observation
    task: Mapping[str, Any] = field(default_factory=dict)
    """Hidden facts for reward terms: references, gold passages. Never shown to a policy."""
    metrics: Mapping[str, float] = field(default_factory=dict)


class Reply(NamedTuple):
    """What the world answers to one action."""

    messages: Observation = ()
    stop_reason: str | None = None
    """Set when the task is over: an answer, a payment, the last round (`terminated`)."""
    cut_reason: str | None = None
    """Set when a budget of the setting ran out (`truncated`)."""
    event: Mapping[str, Any] = NO_FACTS
    """Hidden facts of this turn for reward terms; `kind` says what the agent did."""
    metrics: Mapping[str, float] = NO_TERMS


class Pending(NamedTuple):
    """A turn that has been played and not yet been scored."""

    context: Context
    info: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationState:
    """A snapshot of a record; safe to keep, since all in it is immutable."""

    task_id: str
    task: Facts
    turns: tuple[Turn, ...]
    observation: Observation
    digest: bytes
    invalid_turns: int
    characters: int


class Conversation:
    """The record of one seat.

    Args:
        opening: The episode's beginning, as this seat sees it.
    """

    __slots__ = ("characters", "digest", "invalid_turns", "observation", "task", "task_id", "turns")

    def __init__(self, opening: Opening) -> None:
        self.task_id = opening.task_id
        self.task = Facts(opening.task)
        self.turns: list[Turn] = []
        self.observation: Observation = ()
        self.digest = blake2b(opening.task_id.encode("utf-8", "surrogatepass")).digest()
        self.invalid_turns = 0
        self.characters = 0
        self.hear(opening.messages)

    def hear(self, messages: Observation) -> None:
        """Add new messages to what the seat sees before it speaks next."""
        self.observation = (*self.observation, *messages) if self.observation else messages
        self._note(messages)

    def _note(self, messages: Observation, text: str = "") -> None:
        for said in messages:
            content = said["content"]
            self.characters += len(content)
            # With its length, so that no content can pass for the messages that follow it.
            text += f"{said['role']}\n{len(content)}\n{content}"
        data = self.digest + text.encode("utf-8", "surrogatepass")
        self.digest = blake2b(data, digest_size=8).digest()

    @property
    def context(self) -> Context:
        """What a policy may see."""
        return Context(tuple(turn.public() for turn in self.turns), self.observation)

    @property
    def ended(self) -> bool:
        """Whether the last turn ended the episode."""
        return bool(self.turns) and self.turns[-1].ended

    def opening_info(self, metrics: Mapping[str, float], state_hash: str | None) -> dict[str, Any]:
        """Return the info of a moment without a turn, with the same keys as that of `step`."""
        return self._info(metrics, NO_FACTS, state_hash, turns=len(self.turns))

    def _info(
        self, metrics: Mapping[str, float], event: Facts, state_hash: str | None, turns: int
    ) -> dict[str, Any]:
        return {
            "reward_terms": {},
            "metrics": {
                "turns": float(turns),
                "invalid_turns": float(self.invalid_turns),
                **metrics,
            },
            "task_id": self.task_id,
            "state_hash": state_hash or self.digest.hex(),
            "task": self.task,
            "event": event,
        }

    def play(
        self,
        action: str,
        reply: Reply,
        *,
        stop: str | None,
        cut: str | None,
        state_hash: str | None,
        observation: Observation | None = None,
    ) -> Pending:
        """Record a turn and the world's answer; the reward follows with `settle`.

        Args:
            action: What the seat said.
            reply: What the world answered.
            stop: Why the episode is over, or None.
            cut: Which budget ran out, or None; not together with `stop`.
            state_hash: A name of the new state, or None for the digest of the conversation.
            observation: What the seat sees next, if more than the reply's messages.
        """
        if stop and cut:
            raise ValueError(f"expected one end, got stop reason {stop!r} and cut reason {cut!r}")
        seen = self.observation
        said = reply.messages if observation is None else observation
        self.observation = said
        self.characters += len(action)
        self._note(said, f"assistant\n{len(action)}\n{action}")
        event = reply.event if isinstance(reply.event, Facts) else Facts(reply.event)
        if event.get("kind") == "invalid":
            self.invalid_turns += 1
        info = self._info(reply.metrics, event, state_hash, turns=len(self.turns) + 1)
        if stop or cut:
            info["stop_reason"] = stop or cut
        turn = Turn(
            observation=seen,
            completion=Completion(text=action),
            reward_terms=NO_TERMS,
            terminated=stop is not None,
            truncated=cut is not None,
            info=info,
        )
        self.turns.append(turn)
        return Pending(Context(self.turns, self.observation), info)

    def close(
        self, reply: Reply, *, stop: str | None, cut: str | None, state_hash: str | None
    ) -> Pending:
        """End the episode of a seat that did not speak last.

        Its last turn is marked as ended and can then be scored by outcome terms. A seat that never
        spoke gets one silent turn.
        """
        if not self.turns:
            return self.play("", reply, stop=stop, cut=cut, state_hash=state_hash)
        self.hear(reply.messages)
        last = self.turns[-1]
        event = Facts({**last.info["event"], **reply.event})
        info = self._info(reply.metrics, event, state_hash, turns=len(self.turns))
        info["metrics"] = {**last.info["metrics"], **info["metrics"]}
        info["reward_terms"] = last.reward_terms
        info["stop_reason"] = stop or cut
        self.turns[-1] = replace(
            last, info=info, terminated=stop is not None, truncated=cut is not None
        )
        return Pending(Context(self.turns, self.observation), info)

    def settle(self, granted: Granted) -> tuple[float, dict[str, Any]]:
        """Enter what the last turn earned; return reward and info.

        What the turn has already earned stays: a seat that others end earns in two parts.
        """
        turn = self.turns[-1]
        terms, reward = granted.terms, granted.reward
        if turn.reward_terms:
            terms = {**turn.reward_terms}
            for name, value in granted.terms.items():
                terms[name] = terms.get(name, 0.0) + value
            reward = sum(terms.values(), 0.0)
        # In place: `play` or `close` made this turn, and nobody else has seen it settled. What
        # leaves is a copy: a wrapper may change it, and the record must not change with it.
        info: dict[str, Any] = turn.info  # type: ignore[assignment]
        info["reward_terms"] = terms
        info["metrics"].update(granted.metrics)
        object.__setattr__(turn, "reward", reward)
        object.__setattr__(turn, "reward_terms", terms)
        out = {**info, "reward_terms": {**granted.terms}, "metrics": {**info["metrics"]}}
        return granted.reward, out

    def snapshot(self) -> ConversationState:
        """Return the record as it stands."""
        return ConversationState(
            task_id=self.task_id,
            task=self.task,
            turns=tuple(self.turns),
            observation=self.observation,
            digest=self.digest,
            invalid_turns=self.invalid_turns,
            characters=self.characters,
        )

    @classmethod
    def restore(cls, state: ConversationState) -> Conversation:
        """Return a record that goes on from a snapshot."""
        record = cls.__new__(cls)
        record.task_id = state.task_id
        record.task = state.task
        record.turns = list(state.turns)
        record.observation = state.observation
        record.digest = state.digest
        record.invalid_turns = state.invalid_turns
        record.characters = state.characters
        return record


def transcript(context: Context) -> str:
    """Return a conversation as readable text, one block a message."""
    return "\n\n".join(f"[{said['role']}]\n{said['content']}" for said in context.messages)


def merge_observations(parts: Sequence[Observation]) -> Observation:
    """Return the messages of several observations as one."""
    return tuple(said for part in parts for said in part)
