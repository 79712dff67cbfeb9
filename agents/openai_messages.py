"""Conversations as OpenAI-compatible servers take them, and their answers as turns."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rmgym.agents.openai_transport import shown
from rmgym.messages import Message
from rmgym.trajectory import Completion, FinishReason

Json = Mapping[str, Any]
KindT = TypeVar("KindT")

_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "tool_calls": "stop",
    "function_call": "stop",
    "length": "length",
    "content_filter": "abort",
    "abort": "abort",
}


class UnreadableError(ValueError):
    """Raised when an answer does not have the form that the protocol prescribes; says where."""


def plain_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the messages as they are: role and content."""
    return [dict(said) for said in messages]


def tool_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the messages with tool calls as objects, as a server with tools wants them.

    A turn whose `<tool_call>` was answered under role "tool" becomes a call with a number, and the
    answer refers to it. Any other turn stays text.
    """
    sent: list[dict[str, Any]] = []
    for i, said in enumerate(messages):
        is_answered = i + 1 < len(messages) and messages[i + 1]["role"] == "tool"
        if said["role"] == "assistant" and is_answered:
            sent.append(_with_call(said["content"], f"call_{i}"))
        elif said["role"] == "tool":
            sent.append({**said, "tool_call_id": f"call_{_turn_before(messages, i)}"})
        else:
            sent.append(dict(said))
    return sent


def _turn_before(messages: Sequence[Message], number: int) -> int:
    return max((i for i in range(number) if messages[i]["role"] == "assistant"), default=0)


def _with_call(text: str, name: str) -> dict[str, Any]:
    found = _CALL.search(text)
    if found is None:
        return {"role": "assistant", "content": text}
    call = json.loads(found.group(1))
    function = {"name": call["name"], "arguments": json.dumps(call.get("arguments", {}))}
    return {
        "role": "assistant",
        "content": (text[: found.start()] + text[found.end() :]).strip(),
        "tool_calls": [{"id": name, "type": "function", "function": function}],
    }


def read_completion(
    answer: Json, *, wants_ids: bool, policy_version: int | None = None
) -> Completion:
    """Return the turn that a server's answer to a chat holds.

    Tool calls that the server took out of the text are written back into it, as
    `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`.

    Args:
        answer: The JSON object that came.
        wants_ids: Whether token ids and log-probabilities were asked for.
        policy_version: Kept in the completion.

    Raises:
        UnreadableError: If something is missing or of another type.
    """
    choices = field(answer, "choices", list)
    if not choices:
        raise UnreadableError(f"expected a choice in it, got none: {shown(answer)}")
    choice = typed(choices[0], dict, "choices[0]")
    reason = choice.get("finish_reason")
    if reason not in _FINISH:
        raise UnreadableError(
            f"expected a finish_reason in {sorted(_FINISH)}, got {shown(reason)}"
        )
    given, sampled, logprobs = _ids(answer, choice) if wants_ids else ((), (), None)
    return Completion(
        text=_text(field(choice, "message", dict)),
        prompt_ids=given,
        completion_ids=sampled,
        logprobs=logprobs,
        finish_reason=_FINISH[reason],
        policy_version=policy_version,
    )


def _text(message: Json) -> str:
    calls = typed(message.get("tool_calls") or [], list, "message.tool_calls")
    refusal = typed(message.get("refusal") or "", str, "message.refusal")
    if "content" not in message and not calls:
        raise UnreadableError(f"expected content in the message, got {shown(message)}")
    content = typed(message.get("content") or refusal, str, "message.content")
    written = [_call_text(typed(call, dict, "a tool call")) for call in calls]
    return "\n".join([*([content] if content else []), *written])


def _call_text(call: Json) -> str:
    function = field(call, "function", dict)
    name = json.dumps(field(function, "name", str))
    # As the model wrote them: what is no JSON is the environment's to answer.
    arguments = field(function, "arguments", str).strip() or "{}"
    return f'<tool_call>{{"name": {name}, "arguments": {arguments}}}</tool_call>'


def _ids(
    answer: Json, choice: Json
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...] | None]:
    if choice.get("token_ids") is None:
        raise UnreadableError(
            "expected token_ids, since they were asked for, got none: this server does not give "
            "them; use vLLM, or token_ids=False"
        )
    prompt = answer.get("prompt_token_ids") or choice.get("prompt_token_ids") or []
    sampled = numbers(choice["token_ids"], int, "token_ids")
    content = (choice.get("logprobs") or {}).get("content")
    if content is None:
        return numbers(prompt, int, "prompt_token_ids"), sampled, None
    entries = typed(content, list, "logprobs.content")
    logprobs = tuple(float(field(typed(e, dict, "a logprob"), "logprob", (int, float))) for e in entries)
    if len(logprobs) != len(sampled):
        raise UnreadableError(
            f"expected one logprob per token id, got {len(logprobs)} for {len(sampled)} ids"
        )
    return numbers(prompt, int, "prompt_token_ids"), sampled, logprobs
