"""Everything that an episode gave, in a form that two processes can compare.

Run as a module, this replays the episodes that it reads from standard input and prints what they
gave: `check_env` does so under other hash seeds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

import gymnasium as gym
import numpy as np

Part: TypeAlias = dict[str, str]
"""What one step gave: a digest of each part by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """An episode to be replayed."""

    seed: int
    actions: tuple[str, ...]


def plain(value: Any) -> Any:
    """Return `value` built of what JSON has, equal for equal values in any process."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(json.dumps(plain(item)) for item in value)
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return repr(value)


def digest(value: Any) -> str:
    """Return a short name of `value`: equal values have equal names, in any process."""
    text = json.dumps(plain(value), sort_keys=True)
    return blake2b(text.encode(), digest_size=8).hexdigest()


def part_of(step: tuple[Any, ...]) -> Part:
    """Return the digests of what `reset` or `step` returned."""
    names = ["observation", "reward", "terminated", "truncated", "info"]
    if len(step) == 2:
        names = ["observation", "info"]
    parts = {name: digest(value) for name, value in zip(names, step, strict=True)}
    info = step[-1]
    for key in ("reward_terms", "metrics", "task_id", "state_hash", "task", "event"):
        if isinstance(info, Mapping) and key in info:
            parts[f"info[{key!r}]"] = digest(info[key])
    parts["info"] = parts.pop("info")
    return parts


def replay(env: gym.Env[Any, Any], script: Script) -> list[Part]:
    """Play a script from `reset` to its end or the episode's, and return what each step gave."""
    trace = [part_of(env.reset(seed=script.seed))]
    return trace + play_on(env, script.actions)


def play_on(env: gym.Env[Any, Any], actions: Iterable[str]) -> list[Part]:
    """Play actions until the episode ends, and return what each step gave."""
    trace = []
    for action in actions:
        step = env.step(action)
        trace.append(part_of(step))
        if step[2] or step[3]:
            break
    return trace


def first_difference(expected: Sequence[Part], got: Sequence[Part]) -> str | None:
    """Return where two traces first part, in words, or None if they are equal."""
    for i, (ours, theirs) in enumerate(zip(expected, got, strict=False)):
        for name, value in ours.items():
            if theirs.get(name) != value:
                return f"{name} of {'reset' if i == 0 else f'step {i}'} differs"
    if len(expected) != len(got):
        return f"one took {len(expected) - 1} steps, the other {len(got) - 1}"
    return None


def replay_elsewhere(
    env: gym.Env[Any, Any], scripts: Sequence[Script], hash_seed: int
) -> list[list[Part]]:
    """Replay scripts in a new process with another `PYTHONHASHSEED`.

    Raises:
        RuntimeError: If the process fails; holds what it printed.
        Exception: If an environment without a spec cannot be pickled.
    """
    import cloudpickle  # type: ignore[import-untyped]  # it ships no types

    subject = ("spec", env.spec) if env.spec is not None else ("env", env)
    job = cloudpickle.dumps((subject, list(scripts)))
    with tempfile.TemporaryDirectory(prefix="rmgym-trace-") as folder:
        answer = Path(folder) / "traces.json"
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(answer)],
            input=job,
            capture_output=True,
            env={
                **os.environ,
                "PYTHONHASHSEED": str(hash_seed),
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            },
            check=False,
        )
        if done.returncode:
            tail = done.stderr.decode("utf-8", "replace")[-2_000:]
            raise RuntimeError(f"expected a replay, got exit code {done.returncode}:\n{tail}")
        traces: list[list[Part]] = json.loads(answer.read_text())
        return traces


_CHILD = "from rmgym.testing.traces import main; main()"


def main() -> None:
    """Replay what stands in standard input; write the traces to the file named."""
    import cloudpickle

    (kind, subject), scripts = cloudpickle.loads(sys.stdin.buffer.read())
    env = gym.make(subject) if kind == "spec" else subject
    traces = [replay(env, script) for script in scripts]
    Path(sys.argv[1]).write_text(json.dumps(traces))
