"""Episodes as tables: Parquet files and Hugging Face datasets, one row an episode.

Columns: `env_id`, `policy`, `seed`, `episode`, `agent`, `task_id`, `return`, `turns` (how many),
`stop_reason`; `term.NAME`, the episode's sum of each reward term, and `metric.NAME`, each metric at
its end, null where the episode has none; `messages`, the whole conversation as chat templates take
it; and as JSON in the form of `rmgym.rollout.codec`, which loses nothing, `task_json`, `turns_json`
and `metadata_json`. Elsewhere a lone surrogate becomes U+FFFD, since a table holds UTF-8.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rmgym.errors import MissingExtraError, TrajectoryStoreError
from rmgym.rollout import codec
from rmgym.trajectory import Trajectory

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

_SURROGATE = re.compile("[\ud800-\udfff]")


def make_table(trajectories: Sequence[Trajectory]) -> pa.Table:
    """Return the episodes as an Arrow table.

    Raises:
        MissingExtraError: If pyarrow is missing.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError("a table of trajectories", "data") from error
    text, whole, real = pa.string(), pa.int64(), pa.float64()
    message = pa.struct([("role", text), ("content", text)])
    kinds: dict[str, pa.DataType] = {
        **dict.fromkeys(("env_id", "policy"), text),
        **dict.fromkeys(("seed", "episode"), whole),
        **dict.fromkeys(("agent", "task_id"), text),
        "return": real,
        "turns": whole,
        "stop_reason": text,
        **dict.fromkeys(_names("term", [t.term_sums for t in trajectories]), real),
        **dict.fromkeys(_names("metric", [t.metrics for t in trajectories]), real),
        "messages": pa.list_(message),
        **dict.fromkeys(("task_json", "turns_json", "metadata_json"), text),
    }
    rows = [_row(trajectory) for trajectory in trajectories]
    columns = [pa.array([row.get(name) for row in rows], kind) for name, kind in kinds.items()]
    return pa.table(columns, names=list(kinds))


def write_parquet(trajectories: Sequence[Trajectory], path: str | os.PathLike[str]) -> None:
    """Write the episodes as a Parquet file.

    Raises:
        MissingExtraError: If pyarrow is missing.
        TrajectoryStoreError: If the file cannot be written.
    """
    table = make_table(trajectories)
    from pyarrow import parquet

    try:
        parquet.write_table(table, os.fspath(path))
    except OSError as error:
        raise TrajectoryStoreError(
            f"could not write {os.fspath(path)}: {error}; check the folder and free space"
        ) from error


def make_dataset(trajectories: Sequence[Trajectory]) -> Dataset:
    """Return the episodes as a Hugging Face dataset, held in memory.

    Raises:
        MissingExtraError: If datasets is missing.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError("a dataset of trajectories", "data") from error
    return datasets.Dataset(datasets.table.InMemoryTable(make_table(trajectories)))


def _names(prefix: str, found: Sequence[Mapping[str, float]]) -> list[str]:
    return [f"{prefix}.{_clean(name)}" for name in sorted({name for one in found for name in one})]


def _row(trajectory: Trajectory) -> dict[str, Any]:
    record = codec.encode_trajectory(trajectory)
    said = trajectory.messages
    return {
        "env_id": _clean(trajectory.env_id),
        "policy": _text(trajectory.metadata.get("policy")),
        "seed": record["seed"],
        "episode": record["episode"],
        "agent": _clean(trajectory.agent),
        "task_id": _clean(trajectory.task_id),
        "return": float(trajectory.episode_return),
        "turns": len(trajectory.turns),
        "stop_reason": _text(trajectory.stop_reason),
        **{f"term.{_clean(name)}": float(v) for name, v in trajectory.term_sums.items()},
        **{f"metric.{_clean(name)}": float(v) for name, v in trajectory.metrics.items()},
        "messages": [{"role": m["role"], "content": _clean(m["content"])} for m in said],
        **{f"{name}_json": codec.dumps(record[name]) for name in ("task", "turns", "metadata")},
    }


def _text(value: str | None) -> str | None:
    return None if value is None else _clean(value)


def _clean(text: str) -> str:
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
