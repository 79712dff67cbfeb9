"""Conversations as OpenAI-compatible servers take them, and their answers as turns."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from rmgym.agents.openai_transport import shown
from rmgym.messages import Message
from rmgym.trajectory import Completion, FinishReason

Json = Mapping[str, Any]
KindT = TypeVar("KindT")

_SURROGATE = re.compile("[\ud800-\udfff]")
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


def sendable(text: str) -> str:
    """Return text as a server can take it: what UTF-8 cannot hold becomes U+FFFD."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def plain_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the messages as they are: role and content."""
    return [{"role": said["role"], "content": sendable(said["content"])} for said in messages]


def tool_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the messages with tool calls as objects, as a server with tools wants them.

    A turn whose `<tool_call>` was answered under role "tool" becomes a call with a number, and the
    answer refers to it. Any other turn stays text.
    """
    sent: list[dict[str, Any]] = []
    for i, said in enumerate(plain_messages(messages)):
        is_answered = i + 1 < len(messages) and messages[i + 1]["role"] == "tool"
        if said["role"] == "assistant" and is_answered:
            sent.append(_with_call(said["content"], f"call_{i}"))
        elif said["role"] == "tool":
            sent.append({**said, "tool_call_id": f"call_{_turn_before(messages, i)}"})
        else:
            sent.append(said)
    return sent


def _turn_before(messages: Sequence[Message], number: int) -> int:
    return max((i for i in range(number) if messages[i]["role"] == "assistant"), default=0)


def _with_call(text: str, name: str) -> dict[str, Any]:
    found = _CALL.search(text)
    if found is None:
        return {"role": "assistant", "content": text}
    try:
        call = json.loads(found.group(1))
        function = {"name": call["name"], "arguments": json.dumps(call.get("arguments", {}))}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {"role": "assistant", "content": text}
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
    choice = first_choice(answer)
    reason = read_finish_reason(choice)
    given, sampled, logprobs = _ids(answer, choice) if wants_ids else ((), (), None)
    return Completion(
        text=_text(need(choice, "message", dict)),
        prompt_ids=given,
        completion_ids=sampled,
        logprobs=logprobs,
        finish_reason=reason,
        policy_version=policy_version,
    )


def _text(message: Json) -> str:
    calls = typed(message.get("tool_calls") or [], list, "tool_calls")
    if "content" not in message and not calls:
        raise UnreadableError(f"expected content in the message, got {shown(message)}")
    content = message.get("content")
    if content is None:
        content = message.get("refusal") or ""
    written = [_call_text(typed(call, dict, "tool_calls[...]")) for call in calls]
    said = typed(content, str, "content")
    return "\n".join([said, *written] if said else written)


def _call_text(call: Json) -> str:
    function = need(call, "function", dict)
    name = json.dumps(need(function, "name", str))
    # As the model wrote them: what is no JSON is the environment's to answer.
    arguments = need(function, "arguments", str).strip() or "{}"
    return f'<tool_call>{{"name": {name}, "arguments": {arguments}}}</tool_call>'


def _ids(
    answer: Json, choice: Json
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...] | None]:
    if choice.get("token_ids") is None:
        raise UnreadableError(
            "expected token_ids, since they were asked for, got none: this server does not give "
            "them; take vLLM, or token_ids=False"
        )
    sampled = integers(choice["token_ids"], "token_ids")
    prompt = integers(need(answer, "prompt_token_ids", list), "prompt_token_ids")
    said = typed(choice.get("logprobs") or {}, dict, "logprobs").get("content")
    if said is None:
        return prompt, sampled, None
    entries = [typed(entry, dict, "logprobs") for entry in typed(said, list, "logprobs.content")]
    logprobs = tuple(number(entry.get("logprob"), "logprob") for entry in entries)
    if len(logprobs) != len(sampled):
        raise UnreadableError(
            f"expected one logprob per token id, got {len(logprobs)} for {len(sampled)} ids"
        )
    return prompt, sampled, logprobs


def prompt_request(model: str, ids: Sequence[int]) -> dict[str, Any]:
    """Return a request of `/v1/completions` for the log-probabilities of its own prompt (vLLM)."""
    fields = {"max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 1}
    return {"model": model, "prompt": list(ids), **fields}


def read_prompt_logprobs(answer: Json, ids: Sequence[int], start: int) -> tuple[float, ...]:
    """Return the log-probability of each of a prompt's ids from `start` on.

    Raises:
        UnreadableError: If something is missing or of another type.
    """
    choice = first_choice(answer)
    if choice.get("prompt_logprobs") is None:
        raise UnreadableError(
            "expected prompt_logprobs in the choice, got none: this server does not score "
            "prompts; take vLLM, or a scorer in this process"
        )
    rows = need(choice, "prompt_logprobs", list)
    if len(rows) != len(ids):
        raise UnreadableError(f"expected {len(ids)} prompt_logprobs, got {len(rows)}")
    return tuple(_own(row, i) for row, i in zip(rows[start:], ids[start:], strict=True))


def _own(row: object, token_id: int) -> float:
    """Return the log-probability of a prompt's own token, which stands among the likeliest."""
    entries = typed(row, dict, "prompt_logprobs[...]")
    entry = entries.get(str(token_id))
    if not isinstance(entry, dict):
        raise UnreadableError(f"expected the logprob of token {token_id}, got {shown(entries)}")
    return number(entry.get("logprob"), "logprob")


def first_choice(answer: Json) -> dict[str, Any]:
    """Return the only choice of an answer."""
    choices = need(answer, "choices", list)
    if not choices:
        raise UnreadableError(f"expected a choice, got none: {shown(answer)}")
    return typed(choices[0], dict, "choices[0]")


def read_finish_reason(choice: Json) -> FinishReason:
    """Return why a turn ended."""
    reason = choice.get("finish_reason")
    if not isinstance(reason, str) or reason not in _FINISH:
        raise UnreadableError(f"expected a finish_reason in {sorted(_FINISH)}, got {shown(reason)}")
    return _FINISH[reason]


def need(mapping: Json, name: str, kind: type[KindT]) -> KindT:
    """Return a field of an answer that must be there."""
    return typed(mapping.get(name), kind, name)


def typed(value: object, kind: type[KindT], name: str) -> KindT:
    """Return a part of an answer if it is of the expected type."""
    if not isinstance(value, kind):
        raise UnreadableError(f"expected {name} as {kind.__name__}, got {shown(value)}")
    return value


def integers(values: object, name: str) -> tuple[int, ...]:
    """Return a list of token ids."""
    found = typed(values, list, name)
    if not all(type(value) is int for value in found):
        raise UnreadableError(f"expected {name} as whole numbers, got {shown(found)}")
    return tuple(found)


def number(value: object, name: str) -> float:
    """Return a number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UnreadableError(f"expected {name} as a number, got {shown(value)}")
    return float(value)
