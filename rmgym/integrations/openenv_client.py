"""An OpenEnv server as a conversation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn
from urllib.error import URLError
from urllib.request import urlopen

from rmgym.composition import RewardSpec
from rmgym.conversation import Opening, Reply
from rmgym.env import ChatEnv
from rmgym.errors import BackendError
from rmgym.integrations.episodes import trainer_module
from rmgym.messages import Message, Observation, message
from rmgym.parsing import ActionFormat
from rmgym.protocols import Call, Grant, Score, Tool
from rmgym.trajectory import Context

EXTRA = "openenv"
TOOL = "act"
KEPT_APART = ("done", "reward", "metadata", "type")
"""Fields of actions and observations that are OpenEnv's own."""


class RemoteEnvError(BackendError):
    """Raised when the server behind an environment is lost or answers with an error."""


class RemoteReward:
    """What the server paid for the turn; absent where it paid nothing.

    Reward terms that a server of rmgym sends are its metrics, as `remote/NAME`.
    """

    name = "remote"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[Score]:
        """Score the last turn of each context."""
        return [self._score(context.last.info["event"]) for context in contexts]

    def _score(self, event: Mapping[str, Any]) -> Score:
        reward = event.get("reward")
        terms = {f"remote/{name}": float(v) for name, v in event.get("reward_terms", {}).items()}
        return Score(None if reward is None else float(reward), terms)


class OpenEnvClient(ChatEnv[str]):
    """An OpenEnv environment, played over the WebSocket of its server.

    ## Description
    Each episode is an episode of the server. An observation is shown as its messages if it has any
    (as rmgym's servers send), as its text if it has one text field, else as JSON.

    ## Observation Space
    `chat_space()`: user messages, or what a server of rmgym sends.

    ## Action Space
    Where the server's action has one text field, that is the agent's whole turn. Else one call of
    `act` with the action's fields:
    `<tool_call>{"name": "act", "arguments": {"move": 3}}</tool_call>`.

    ## Rewards
    | term | granted | range | weight | meaning |
    |---|---|---|---|---|
    | `remote` | turn | the server's | 1 | what the server paid for the turn; absent if nothing |

    ## Starting State
    That of the server, reset with a seed drawn from this environment's own random stream.

    ## Episode End
    1. Termination: the server says that the episode is done (`done`, or its own reason).
    2. Truncation: a server of rmgym says so, or `max_turns` turns were played.

    ## Arguments
    | parameter | type | default | meaning |
    |---|---|---|---|
    | `base_url` | str | required | address of the server |
    | `instructions` | str | "" | said before the first observation |
    | `max_turns` | int | 64 | turns until truncation |
    | `timeout` | float | 60.0 | seconds until a server that does not answer is given up |
    | `rewards` | sequence | `RemoteReward()` | the reward terms |
    | `render_mode` | str or None | None | "human" or "ansi" |

    ## Version History
    - v0: the first version.

    ## References
    OpenEnv 0.10, `GenericEnvClient`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        instructions: str = "",
        max_turns: int = 64,
        timeout: float = 60.0,
        rewards: Sequence[RewardSpec] = (RemoteReward(),),
        render_mode: str | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.instructions = instructions
        self.timeout = timeout
        schema = self._schema()
        fields = {n: s for n, s in schema.get("properties", {}).items() if n not in KEPT_APART}
        texts = [name for name, field in fields.items() if field.get("type") == "string"]
        self._whole_turn = texts[0] if len(fields) == 1 and len(texts) == 1 else None
        tool = Tool(
            name=TOOL,
            description=schema.get("description") or "Act on the environment.",
            parameters=fields,
            required=tuple(name for name in schema.get("required", ()) if name in fields),
            text_argument=self._whole_turn,
        )
        self._client: Any = None
        action_format: ActionFormat = "tool_call"
        super().__init__(
            tools=(tool,),
            rewards=rewards,
            max_turns=max_turns,
            action_format=action_format,
            render_mode=render_mode,
        )

    def begin_episode(self, options: Mapping[str, Any]) -> Opening:
        """Reset the server."""
        seed = int(self.np_random.integers(2**31))
        seed = int(options.get("remote_seed", seed))
        result = self._ask("reset", seed=seed)
        seen = dict(result.observation)
        said = self._messages(seen)
        rules = self.instructions
        if self._whole_turn is None:
            rules = f"{rules}\n{self.grammar.describe()}".strip()
        if rules:
            said = (message("user", rules), *said)
        self.episode = str(seen.get("task_id") or f"{self.base_url}#{seed}")
        return Opening(task_id=self.episode, messages=said, task={"seed": seed})

    def parse_action(self, text: str) -> Call:
        """Return the call that a turn means; where the action is text, the turn as it stands."""
        if self._whole_turn is not None:
            return Call(TOOL, {self._whole_turn: text})
        return super().parse_action(text)

    def respond(self, call: Call) -> Reply:
        """Send the action to the server."""
        result = self._ask("step", dict(call.arguments))
        seen = dict(result.observation)
        event = {
            "kind": "act",
            "reward": result.reward,
            "reward_terms": dict(seen.get("reward_terms") or {}),
        }
        reason = str(seen.get("stop_reason") or "done")
        cut = bool(seen.get("truncated"))
        return Reply(
            messages=self._messages(seen),
            stop_reason=reason if result.done and not cut else None,
            cut_reason=reason if result.done and cut else None,
            event=event,
            metrics={k: float(v) for k, v in dict(seen.get("metrics") or {}).items()},
        )

    def get_state(self) -> NoReturn:
        """Raise TypeError: the episode lives on the server.

        Raises:
            TypeError: Always.
        """
        raise TypeError("expected an environment of this process, got an episode on a server")

    def close(self) -> None:
        """Leave the server."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _messages(self, seen: Mapping[str, Any]) -> Observation:
        if isinstance(seen.get("messages"), list):
            return tuple(_message(each) for each in seen["messages"])
        shown = {k: v for k, v in seen.items() if k not in KEPT_APART}
        texts = [value for value in shown.values() if isinstance(value, str)]
        if len(shown) == 1 and texts:
            return (message("user", texts[0]),)
        return (message("user", json.dumps(shown, ensure_ascii=False, sort_keys=True)),)

    def _schema(self) -> dict[str, Any]:
        try:
            with urlopen(f"{self.base_url}/schema", timeout=self.timeout) as answer:
                schema: dict[str, Any] = json.load(answer)["action"]
        except (URLError, OSError, KeyError, ValueError) as error:
            raise RemoteEnvError(
                f"expected an OpenEnv server with /schema at {self.base_url}, got: {error}"
            ) from error
        return schema

    def _ask(self, what: str, *args: Any, **kwargs: Any) -> Any:
        if self._client is None:
            core = trainer_module("openenv.core", "OpenEnvClient", EXTRA)
            made = core.GenericEnvClient(base_url=self.base_url, message_timeout_s=self.timeout)
            self._client = made.sync()
        try:
            return getattr(self._client, what)(*args, **kwargs)
        except (RuntimeError, OSError, TimeoutError) as error:
            self.close()
            raise RemoteEnvError(
                f"expected the server at {self.base_url} to {what}, got {type(error).__name__}: "
                f"{error}"
            ) from error


def _message(given: Mapping[str, Any]) -> Message:
    return message(given["role"], str(given["content"]))
