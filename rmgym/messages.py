"""What is said: roles, messages and observations."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


class Message(TypedDict):
    """One message of a conversation, in the form that chat templates take."""

    role: Role
    content: str


Observation: TypeAlias = tuple[Message, ...]
"""The *new* messages since the agent last spoke; the first one opens the conversation."""


def message(role: Role, content: str) -> Message:
    """Return a message.

    >>> message("user", "Who wrote it?")
    {'role': 'user', 'content': 'Who wrote it?'}
    """
    return {"role": role, "content": content}
