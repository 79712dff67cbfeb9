"""Infos of several environments as one dictionary in Gymnasium's form, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_NUMBERS = (int, float, bool)


def merge_infos(infos: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Merge infos as Gymnasium's vector environments do.

    Each key holds an array over the environments, and `_key` the mask of those that have it.
    Plain dictionaries are merged key by key; anything but a number becomes an object array.
    """
    present = [info for info in infos if info]
    if not present:
        return {}
    first = present[0].keys()
    if len(present) == len(infos) and all(info.keys() == first for info in present):
        mask = np.ones(len(infos), dtype=np.bool_)
        return _pair({key: (_column([i[key] for i in present]), mask) for key in first})
    keys = dict.fromkeys(key for info in present for key in info)
    return _pair({key: _masked_column(infos, key) for key in keys})


def _pair(columns: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key, (column, mask) in columns.items():
        merged[key], merged[f"_{key}"] = column, mask
    return merged


def _masked_column(infos: Sequence[Mapping[str, Any] | None], key: str) -> tuple[Any, Any]:
    there = [info is not None and key in info for info in infos]
    values = [info[key] for info in infos if info is not None and key in info]
    mask = np.array(there, dtype=np.bool_)
    if type(values[0]) is dict:
        found = iter(values)
        return merge_infos([next(found) if has else None for has in there]), mask
    filled = _column(values)
    column = np.zeros(len(infos), dtype=filled.dtype)
    if filled.dtype == object:
        column[:] = None
    column[mask] = filled
    return column, mask


def _column(values: list[Any]) -> Any:
    kind = type(values[0])
    if kind is dict:
        return merge_infos(values)
    if kind in _NUMBERS or isinstance(values[0], np.number):
        kinds = set(map(type, values))
        if len(kinds) == 1:
            return np.array(values, dtype=kind)
        if all(other in _NUMBERS or issubclass(other, np.number) for other in kinds):
            return np.array(values)
    column = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        column[i] = value
    return column


def split_infos(infos: Mapping[str, Any], num_envs: int) -> list[dict[str, Any]]:
    """Return each environment's own info out of a merged one.

    The inverse of `merge_infos`, for any vector environment of Gymnasium: numbers come back as
    plain `float`, `int` or `bool`.
    """
    split: list[dict[str, Any]] = [{} for _ in range(num_envs)]
    for key, column in infos.items():
        mask = infos.get(f"_{key}")
        if mask is None or (key.startswith("_") and key[1:] in infos):
            continue
        if isinstance(column, Mapping):
            nested = split_infos(column, num_envs)
            for i in np.flatnonzero(mask):
                split[i][key] = nested[i]
        else:
            for i in np.flatnonzero(mask):
                value = column[i]
                split[i][key] = value.item() if isinstance(value, np.generic) else value
    return split
