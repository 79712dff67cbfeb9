"""Writing actions for any conversation: calls of its tools, plausible babble."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

import gymnasium as gym
import numpy as np

from rmgym.protocols import Tool
from rmgym.trajectory import Completion, Context

DEFAULT_TURN_LIMIT = 1_000
"""Turns after which an environment that names no budget is taken to go on for ever."""


def world_of(env: gym.Env[Any, Any]) -> Any:
    """Return what holds the rules of a conversation: the bare environment, or its arena."""
    bare: Any = env.unwrapped
    return getattr(bare, "arena", bare)


def turn_limit(env: gym.Env[Any, Any]) -> int:
    """Return the largest number of turns that an episode may take."""
    world = world_of(env)
    limits = [getattr(world, name, None) for name in ("max_turns", "max_steps")]
    if env.spec is not None:
        limits.append(env.spec.max_episode_steps)
    return min([limit for limit in limits if limit is not None], default=DEFAULT_TURN_LIMIT)


class ActionWriter:
    """Writes calls in the action format of an environment.

    Args:
        env: A conversation; one without `tool_list` has no calls to write.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        world = world_of(env)
        self.tools: tuple[Tool, ...] = tuple(getattr(world, "tool_list", ()))
        self._is_tool_call = getattr(world, "action_format", "tags") == "tool_call"
        self._tags: tuple[str, ...] = getattr(getattr(world, "grammar", None), "tags", ())

    def write(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        """Return the text of a call."""
        if self._is_tool_call and tool.name not in self._tags:
            call = {"name": tool.name, "arguments": dict(arguments)}
            return f"<tool_call>{json.dumps(call)}</tool_call>"
        if tool.text_argument is None:
            return f"<{tool.name}/>"
        value = arguments.get(tool.text_argument, "")
        content = value if isinstance(value, str) else json.dumps(value)
        return f"<{tool.name}>{content}</{tool.name}>"

    def write_text(self, tool: Tool, text: str) -> str:
        """Return a call whose text arguments are `text` and whose others are as small as legal."""
        names = tool.required or ((tool.text_argument,) if tool.text_argument else ())
        return self.write(tool, {name: _smallest(tool.parameters[name], text) for name in names})

    def draw(self, rng: np.random.Generator, words: Sequence[str]) -> str:
        """Return a random call that fits the schema; plain text if there is no tool."""
        if not self.tools:
            return _phrase(rng, words)
        tool = self.tools[int(rng.integers(len(self.tools)))]
        arguments = {name: _value(rng, words, kind) for name, kind in tool.parameters.items()}
        return self.write(tool, arguments)


def _smallest(schema: Mapping[str, Any], text: str) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    others: dict[str, Any] = {"string": text, "boolean": False, "array": [], "object": {}}
    return others.get(kind)


def _value(rng: np.random.Generator, words: Sequence[str], schema: Mapping[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][int(rng.integers(len(schema["enum"])))]
    kind = schema.get("type", "string")
    low = schema.get("minimum", 0)
    high = schema.get("maximum", low + 100)
    if kind == "integer":
        return int(rng.integers(int(low), int(high) + 1))
    if kind == "number":
        return float(rng.uniform(low, high))
    if kind == "array":
        items = schema.get("items", {})
        return [_value(rng, words, items) for _ in range(int(rng.integers(3)))]
    return _smallest(schema, _phrase(rng, words))


def _phrase(rng: np.random.Generator, words: Sequence[str]) -> str:
    number = int(rng.integers(1, 6))
    return " ".join(words[int(rng.integers(len(words)))] for _ in range(number))


class Babbler:
    """Plays any conversation at random: calls with words that it was shown, and plain text.

    The same context gives the same turn.

    Args:
        env: Whose tools to call.
        seed: Two babblers with different seeds play differently.
    """

    def __init__(self, env: gym.Env[Any, Any], seed: int = 0) -> None:
        self._writer = ActionWriter(env)
        self._seed = seed

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return one turn for each context."""
        return [Completion(text=self._turn(context)) for context in contexts]

    def _turn(self, context: Context) -> str:
        shown = "\n".join(said["content"] for said in context.observation)
        mark = crc32(shown.encode("utf-8", "surrogatepass"))
        rng = np.random.default_rng([self._seed, len(context.turns), mark])
        words = shown.split()[-40:] or ["yes"]
        if rng.random() < 0.2:
            return _phrase(rng, words)
        return f"{_phrase(rng, words)} {self._writer.draw(rng, words)}"
