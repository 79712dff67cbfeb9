"""A conversation as small as can be, for tests and measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rmgym.composition import RewardSpec
from rmgym.conversation import Opening, Reply
from rmgym.env import ChatEnv
from rmgym.messages import message
from rmgym.parsing import ActionFormat
from rmgym.protocols import Call, Grant, Tool
from rmgym.testing.players import ActionWriter
from rmgym.trajectory import Completion, Context

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron", "islet", "jade")

TOOLS = (
    Tool(
        name="say",
        description="Say a word.",
        parameters={"word": {"type": "string"}},
        required=("word",),
        text_argument="word",
    ),
    Tool(name="leave", description="End the conversation."),
)


@dataclass(frozen=True, slots=True)
class EchoEpisode:
    """Which word is asked for, and how many were said back."""

    word: str
    echoed: int = 0


class Echoed:
    """One word's share of the whole for each word that was said back; absent at other turns."""

    name = "echoed"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Score the last turn of each context."""
        return [context.last.info["event"].get("share") for context in contexts]


class Finished:
    """1 for an episode in which every word was said back, else 0."""

    name = "finished"
    grant: Grant = "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Score the last turn of each context."""
        return [float(context.last.info["stop_reason"] == "finished") for context in contexts]


class EchoEnv(ChatEnv[EchoEpisode]):
    """Say each word back.

    ## Description
    The world names a word, the agent says it, and the world names the next.

    ## Observation Space
    `chat_space()`: the first observation is one user message with the rules and the first word,
    the next ones are one user message each.

    ## Action Space
    Text with one call: `<say>amber</say>` or `<leave/>`; under `action_format="tool_call"`
    `<tool_call>{"name": "say", "arguments": {"word": "amber"}}</tool_call>`.

    ## Rewards
    | term | granted | range | weight | meaning |
    |---|---|---|---|---|
    | `echoed` | turn | 1 / words | 1 | this turn said the word back; else absent |
    | `finished` | outcome | 0 or 1 | 1 | every word was said back |

    ## Starting State
    The first word is drawn uniformly; each next one when the last was said back.

    ## Episode End
    1. Termination: every word was said back (`finished`).
    2. Termination: the agent left (`left`).
    3. Truncation: `max_turns` turns were played.

    ## Arguments
    | parameter | type | default | meaning |
    |---|---|---|---|
    | `words` | int | 3 | how many words are to be said back |
    | `max_turns` | int | 8 | turns until truncation |
    | `max_characters` | int or None | None | budget on the whole conversation, in characters |
    | `rewards` | sequence | the terms above | the reward terms |
    | `action_format` | str | "tags" | "tags" or "tool_call" |
    | `render_mode` | str or None | None | "human" or "ansi" |

    >>> import gymnasium as gym
    >>> from rmgym.testing import register_test_envs
    >>> register_test_envs()
    >>> env = gym.make("rmgym-testing/Echo-v0", words=1)
    >>> observation, info = env.reset(seed=0)
    >>> env.unwrapped.episode.word
    'islet'
    >>> env.step("<say>islet</say>")[1:4]
    (2.0, True, False)

    ## Version History
    - v0: the first version.

    ## References
    None: it stands for nothing.
    """

    def __init__(
        self,
        *,
        words: int = 3,
        max_turns: int = 8,
        max_characters: int | None = None,
        rewards: Sequence[RewardSpec] = (Echoed(), Finished()),
        action_format: ActionFormat = "tags",
        render_mode: str | None = None,
    ) -> None:
        if words < 1:
            raise ValueError(f"expected at least 1 word, got {words}")
        self.words = words
        super().__init__(
            tools=TOOLS,
            rewards=rewards,
            max_turns=max_turns,
            max_characters=max_characters,
            action_format=action_format,
            render_mode=render_mode,
        )

    def begin_episode(self, options: Mapping[str, Any]) -> Opening:
        """Draw the first word."""
        word = self._draw()
        self.episode = EchoEpisode(word)
        rules = f"Say {self.words} words back, one a turn.\n{self.grammar.describe()}\n"
        return Opening(
            task_id=f"echo-{word}",
            messages=(message("user", f"{rules}The word is: {word}"),),
            task={"first_word": word},
            metrics={"echoed": 0.0},
        )

    def respond(self, call: Call) -> Reply:
        """Compare what was said with the word."""
        if call.name == "leave":
            return self._reply("Goodbye.", stop_reason="left", event={"kind": "leave"})
        if call.text != self.episode.word:
            return self._reply(f"No, the word is: {self.episode.word}", event={"kind": "miss"})
        echoed = self.episode.echoed + 1
        event = {"kind": "echo", "share": 1 / self.words}
        if echoed == self.words:
            self.episode = replace(self.episode, echoed=echoed)
            return self._reply("That was all.", stop_reason="finished", event=event)
        self.episode = EchoEpisode(self._draw(), echoed)
        return self._reply(f"The word is: {self.episode.word}", event=event)

    def _reply(self, text: str, event: Mapping[str, Any], stop_reason: str | None = None) -> Reply:
        return Reply(
            messages=(message("user", text),),
            stop_reason=stop_reason,
            event=event,
            metrics={"echoed": float(self.episode.echoed)},
        )

    def _draw(self) -> str:
        return WORDS[int(self.np_random.integers(len(WORDS)))]


class EchoGold:
    """Says back the word that the environment has in mind."""

    def __init__(self, env: Any) -> None:
        self.env: EchoEnv = env.unwrapped

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return the right action for the running episode."""
        say = ActionWriter(self.env).write(TOOLS[0], {"word": self.env.episode.word})
        return [Completion(text=say) for _ in contexts]
