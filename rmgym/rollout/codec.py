"""Trajectories as JSON and back, without loss.

Plain data stays plain JSON. What JSON has no word for is an object with one key that starts with
`$`: `{"$tuple": [...]}`, `{"$facts": {...}}`, `{"$float": "nan"}`, `{"$text": [...]}` (a string in
which two surrogates would merge into one character), `{"$record": [class, fields]}` (a type of
`rmgym.protocols`) and `{"$dict": [[key, value], ...]}` (keys that are not plain strings). numpy
scalars become numbers and arrays become lists. Keys are sorted, so equal episodes give equal lines.

A turn's `info["task"]` is the same at every turn and stands once, beside the turns; `info["error"]`
is left out; `info["task"]` and `info["event"]` come back as `Facts`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from rmgym import protocols
from rmgym.conversation import Facts
from rmgym.errors import DataError
from rmgym.messages import Observation
from rmgym.rollout.episodes import EpisodeFailure, EpisodeKey, key_of
from rmgym.trajectory import Completion, Trajectory, Turn

_MERGING = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_APART = ("error", "task", "event")
"""Keys of `info` that are left out or written in a way of their own."""

Record = dict[str, Any]


def dumps(record: Any) -> str:
    """Return a record, or a part of one, as one line of ASCII, without a line break."""
    return json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def loads(line: str | bytes) -> Record:
    """Return the record of a line.

    Raises:
        ValueError: If it is not one JSON object.
    """
    record = json.loads(line, object_hook=_untag)
    if not isinstance(record, dict):
        raise ValueError(f"expected a JSON object, got {type(record).__name__}")
    return record


def encode(value: Any, where: str) -> Any:
    """Return a value as JSON data.

    Args:
        value: Anything that `info` may hold.
        where: The name of the value in error messages.

    Raises:
        DataError: If the value is no plain data.
    """
    if value is None or value is True or value is False or type(value) is int:
        return value
    if isinstance(value, str):
        return _encode_text(str(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": str(float(value))}
    if isinstance(value, (int, np.generic, np.ndarray)):
        return encode(int(value) if isinstance(value, int) else value.tolist(), where)
    if isinstance(value, list):
        return [encode(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, tuple):
        return {"$tuple": [encode(item, f"{where}[{i}]") for i, item in enumerate(value)]}
    if isinstance(value, Facts):
        return {"$facts": _encode_mapping(value, where)}
    if isinstance(value, Mapping):
        return _encode_mapping(value, where)
    kind = type(value)
    if is_dataclass(value) and kind.__module__ == protocols.__name__:
        content = {f.name: getattr(value, f.name) for f in fields(value)}
        return {"$record": [kind.__name__, _encode_mapping(content, where)]}
    raise DataError(
        f"expected plain data (text, numbers, lists, tuples, dictionaries) in {where}, got "
        f"{kind.__name__}; keep it out of info, or put its plain content there"
    )


def _encode_text(text: str) -> Any:
    if text.isascii() or not _MERGING.search(text):
        return text
    return {"$text": [ord(character) for character in text]}


def _encode_mapping(value: Mapping[Any, Any], where: str) -> Any:
    if all(type(key) is str and key[:1] != "$" and _is_plain(key) for key in value):
        return {key: encode(value[key], f"{where}[{key!r}]") for key in sorted(value)}
    pairs = [
        [encode(k, f"a key of {where}"), encode(v, f"{where}[{k!r}]")] for k, v in value.items()
    ]
    return {"$dict": sorted(pairs, key=lambda pair: json.dumps(pair[0]))}


def _is_plain(key: str) -> bool:
    return key.isascii() or not _MERGING.search(key)


def _record_of_contract(content: list[Any]) -> Any:
    name, values = content
    kind = getattr(protocols, str(name), None)
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise ValueError(f"expected a type of {protocols.__name__}, got {name!r}")
    return kind(**values)


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "$tuple": tuple,
    "$facts": Facts,
    "$float": float,
    "$text": lambda points: "".join(map(chr, points)),
    "$record": _record_of_contract,
    "$dict": dict,
}


def _untag(found: dict[str, Any]) -> Any:
    if len(found) == 1:
        tag = next(iter(found))
        if tag in _DECODERS:
            return _DECODERS[tag](found[tag])
    return found


def encode_trajectory(trajectory: Trajectory) -> Record:
    """Return an episode as a record.

    Raises:
        DataError: If an info or the metadata holds something that is no plain data.
    """
    key = key_of(trajectory)
    task = next((turn.info["task"] for turn in trajectory.turns if "task" in turn.info), None)
    shared = None if task is None else _encode_facts(task, "info['task']")
    metadata = {k: v for k, v in trajectory.metadata.items() if k not in ("policy", "episode")}
    return {
        "kind": "episode",
        **_encode_key(key),
        "agent": trajectory.agent,
        "task_id": trajectory.task_id,
        "task": shared,
        "turns": [_encode_turn(turn, task, shared) for turn in trajectory.turns],
        "final_observation": _encode_messages(trajectory.final_observation),
        "metadata": encode(metadata, "metadata"),
    }


def decode_trajectory(record: Record) -> Trajectory:
    """Return the episode of a record.

    Raises:
        KeyError, TypeError, ValueError: If it is not a record of an episode.
    """
    task = _as_facts(record["task"])
    metadata = dict(record["metadata"])
    for name in ("policy", "episode"):
        if record[name] is not None:
            metadata[name] = record[name]
    return Trajectory(
        env_id=record["env_id"],
        seed=record["seed"],
        task_id=record["task_id"],
        agent=record["agent"],
        turns=tuple(_decode_turn(turn, task) for turn in record["turns"]),
        final_observation=tuple(record["final_observation"]),
        metadata=metadata,
    )


def encode_failure(failure: EpisodeFailure) -> Record:
    """Return a failure as a record."""
    return {
        "kind": "failure",
        **_encode_key(failure.key),
        "error": failure.error,
        "message": _encode_text(failure.message),
        "turns_played": failure.turns_played,
    }


def decode_failure(record: Record) -> EpisodeFailure:
    """Return the failure of a record."""
    return EpisodeFailure(**{name: value for name, value in record.items() if name != "kind"})


def decode_key(record: Record) -> EpisodeKey:
    """Return which episode a record is of."""
    return EpisodeKey(*(record[name] for name in EpisodeKey._fields))


def _encode_key(key: EpisodeKey) -> Record:
    return {name: encode(value, name) for name, value in key._asdict().items()}


def _encode_messages(messages: Observation) -> list[Any]:
    return [encode(said, "a message") for said in messages]


def _encode_turn(turn: Turn, task: Any, shared: Any) -> Record:
    kept = {name: value for name, value in turn.info.items() if name not in _APART}
    info: Record = _encode_mapping(kept, "info")
    if "event" in turn.info:
        info["event"] = _encode_facts(turn.info["event"], "info['event']")
    record = {
        "observation": _encode_messages(turn.observation),
        "completion": _encode_completion(turn.completion),
        "reward": encode(turn.reward, "reward"),
        "reward_terms": encode(turn.reward_terms, "reward_terms"),
        "terminated": bool(turn.terminated),
        "truncated": bool(turn.truncated),
        "info": info,
    }
    own = turn.info.get("task")
    if own is not task and (own is None or _encode_facts(own, "info['task']") != shared):
        record["own_task"] = [] if own is None else [_encode_facts(own, "info['task']")]
    return record


def _encode_completion(said: Completion) -> Record:
    logprobs = said.logprobs
    return {
        "text": _encode_text(said.text),
        "prompt_ids": [int(i) for i in said.prompt_ids],
        "completion_ids": [int(i) for i in said.completion_ids],
        "logprobs": None if logprobs is None else [encode(p, "logprobs") for p in logprobs],
        "finish_reason": said.finish_reason,
        "policy_version": encode(said.policy_version, "policy_version"),
    }


def _decode_turn(record: Record, task: Any) -> Turn:
    said = record["completion"]
    info = dict(record["info"])
    if "event" in info:
        info["event"] = _as_facts(info["event"])
    own = [_as_facts(facts) for facts in record.get("own_task", [task])]
    if own and own[0] is not None:
        info["task"] = own[0]
    logprobs = said["logprobs"]
    return Turn(
        observation=tuple(record["observation"]),
        completion=Completion(
            text=said["text"],
            prompt_ids=tuple(said["prompt_ids"]),
            completion_ids=tuple(said["completion_ids"]),
            logprobs=None if logprobs is None else tuple(logprobs),
            finish_reason=said["finish_reason"],
            policy_version=said["policy_version"],
        ),
        reward=record["reward"],
        reward_terms=record["reward_terms"],
        terminated=record["terminated"],
        truncated=record["truncated"],
        info=info,
    )


def _encode_facts(value: Any, where: str) -> Any:
    return _encode_mapping(value, where) if isinstance(value, Mapping) else encode(value, where)


def _as_facts(value: Any) -> Any:
    return Facts(value) if isinstance(value, dict) else value
