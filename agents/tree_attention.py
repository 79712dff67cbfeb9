"""Many continuations of one sequence, scored in one pass over its tokens.

A trunk (a finished conversation) and all its branches (the answer, hung on every turn boundary)
form one row: `trunk + branch 1 + branch 2 + ...`. A token of the trunk attends to the trunk up to
itself; a token of a branch to the trunk up to the branch's start, and to its own branch up to
itself. The positions of a branch start over at its start. So every token costs one forward pass,
where scoring each prefix apart costs the trunk again for every branch.

The mask is additive and of the model's dtype: eager attention *adds* what it is given, and takes a
boolean mask for ones and zeros without a word. A mask is as large as the row squared. Where that
is too much, the trunk goes first, causal and without a mask, and the branches follow on its
key-value cache, as many at once as the mask's budget allows: the same tokens, each still read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rmgym.agents.batching import batches
from rmgym.agents.engine import Branch, EngineError, Ids
from rmgym.agents.token_logprobs import picked_logprobs

if TYPE_CHECKING:
    import torch

PADDING = -1
"""Segment of a column that holds nothing; the trunk is 0, branches count from 1."""
IMPLEMENTATIONS = ("eager", "sdpa")
"""The attention implementations of transformers that take a mask of ours."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Trunks with their branches, one row each; arrays of shape (rows, columns)."""

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    segments: NDArray[np.int64]
    starts: NDArray[np.int64]
    """For a token of a branch, how many tokens of the trunk it sees."""
    trunk_columns: int
    """Columns of the trunks; those of the branches follow."""
    readers: list[tuple[int, int]]
    """Row and column that predict each scored token, by row, branch and token."""
    targets: list[int]
    """The scored tokens in the same order."""


def sees_everything(config: Any) -> bool:
    """Return whether a model's layers all attend to all earlier tokens, by a mask of ours."""
    if config._attn_implementation not in IMPLEMENTATIONS:
        return False
    text = config.get_text_config()
    layers = getattr(text, "layer_types", None)
    if layers is not None:
        return all(layer == "full_attention" for layer in layers)
    return getattr(text, "sliding_window", None) is None


def check_mask(implementation: str, mask: torch.Tensor) -> None:
    """Check that attention reads a mask as it is meant.

    Raises:
        EngineError: If it is a boolean mask under eager attention, which adds it to the scores.
    """
    import torch

    if implementation == "eager" and mask.dtype == torch.bool:
        raise EngineError(
            "expected an additive mask under eager attention, got a boolean one, which it would "
            "add to the scores as ones and zeros; pass 0 and the dtype's minimum"
        )


def lay_out(trunks: Sequence[Ids], branches: Sequence[Sequence[Branch]]) -> Layout:
    """Return the row of each trunk with its branches; what nothing depends on is left out.

    The last token of a branch predicts nothing that is asked for, nor does the trunk behind the
    last branch.
    """
    cut = [t[: _trunk_length(own)] for t, own in zip(trunks, branches, strict=True)]
    width = max(map(len, cut))
    total = width + max(sum(_read(b) for b in own) for own in branches)
    ids = np.zeros((len(trunks), total), dtype=np.int64)
    positions, starts = np.zeros_like(ids), np.zeros_like(ids)
    segments = np.full_like(ids, PADDING)
    readers: list[tuple[int, int]] = []
    for row, (trunk, own) in enumerate(zip(cut, branches, strict=True)):
        ids[row, : len(trunk)] = trunk
        segments[row, :width] = 0
        positions[row, :width] = np.arange(width)
        column = width
        for number, branch in enumerate(own, start=1):
            here = slice(column, column + _read(branch))
            ids[row, here] = branch.ids[: _read(branch)]
            positions[row, here] = branch.at + np.arange(_read(branch))
            starts[row, here], segments[row, here] = branch.at, number
            at = [branch.at - 1, *range(here.start, here.stop)]
            readers += [(row, at[j]) for j in range(branch.first_scored, len(branch.ids))]
            column = here.stop
    targets = [i for own in branches for b in own for i in b.ids[b.first_scored :]]
    return Layout(ids, positions, segments, starts, width, readers, targets)


def branch_logprobs(
    model: Any,
    trunks: Sequence[Ids],
    branches: Sequence[Sequence[Branch]],
    *,
    max_batch_tokens: int,
    max_mask_bytes: int,
    max_logits: int,
    small: int,
) -> list[list[tuple[float, ...]]]:
    """Return the log-probability of each scored token of each branch of each trunk.

    Args:
        model: A causal language model of transformers, in evaluation mode.
        trunks: The sequences.
        branches: What follows them, and from where.
        max_batch_tokens: Most tokens of trunks that go through the model together.
        max_mask_bytes: Most memory of a mask; a longer trunk goes without one.
        max_logits: Most logits that trunks which go together may give.
        small: Tokens up to which padding costs less than another pass.

    Raises:
        EngineError: If the model does not attend to everything, or answers NaN.
    """
    if not sees_everything(model.config):
        raise EngineError(
            f"expected full attention in every layer under {' or '.join(IMPLEMENTATIONS)}, got "
            f"{type(model).__name__} under {model.config._attn_implementation}; score each prefix "
            "with logprobs instead"
        )
    asked = [i for i, own in enumerate(branches) if any(b.ids for b in own)]
    sizes = [_trunk_length(branches[i]) + sum(map(_read, branches[i])) for i in asked]
    scored = max((sum(len(b.ids) - b.first_scored for b in branches[i]) for i in asked), default=0)
    vocabulary = int(model.config.get_text_config().vocab_size)
    found: dict[int, list[float]] = {}
    for batch in batches(
        sizes,
        lambda count, tokens: (
            count * tokens <= max_batch_tokens
            and count * tokens * tokens * model.dtype.itemsize <= max_mask_bytes
            and count * count * scored * vocabulary <= max_logits
        ),
        small=small,
    ):
        chosen = [asked[i] for i in batch]
        layout = lay_out([trunks[i] for i in chosen], [branches[i] for i in chosen])
        values = iter(_run(model, layout, max_mask_bytes))
        for i in chosen:
            count = sum(len(b.ids) - b.first_scored for b in branches[i])
            found[i] = [next(values) for _ in range(count)]
    return [_split(found.get(i, []), own) for i, own in enumerate(branches)]


def _run(model: Any, layout: Layout, max_mask_bytes: int) -> list[float]:
    """Return the log-probability of each target of a layout."""
    import torch
    from transformers import DynamicCache

    rows, columns = layout.ids.shape
    step = max_mask_bytes // (rows * columns * model.dtype.itemsize)
    if step >= columns:
        cuts, cache = [0, columns], None
    else:
        cuts = [0, *range(layout.trunk_columns, columns, max(step, 1)), columns]
        cache = DynamicCache(config=model.config)
    found = np.zeros(len(layout.targets))
    for start, stop in pairwise(cuts):
        read = [i for i, (_, at) in enumerate(layout.readers) if start <= at < stop]
        kept = sorted({layout.readers[i][1] for i in read})
        mask = None
        if cache is None or start > 0:
            mask = _mask(layout, start, stop, model)
            check_mask(model.config._attn_implementation, mask)
        logits = model(
            input_ids=_tensor(layout.ids[:, start:stop], model),
            attention_mask=mask,
            position_ids=_tensor(layout.positions[:, start:stop], model),
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=torch.tensor([k - start for k in kept], device=model.device).long(),
        ).logits
        place = {column: i for i, column in enumerate(kept)}
        found[read] = picked_logprobs(
            logits,
            [(layout.readers[i][0], place[layout.readers[i][1]]) for i in read],
            [layout.targets[i] for i in read],
        )
    values: list[float] = found.tolist()
    return values


def _mask(layout: Layout, start: int, stop: int, model: Any) -> torch.Tensor:
    """Return the additive mask of the columns `start` to `stop - 1`, over all columns so far."""
    import torch

    segments, starts = _tensor(layout.segments, model), _tensor(layout.starts, model)
    column = torch.arange(stop, device=model.device)
    causal = column <= column[start:, None]
    same = segments[:, None, :stop] == segments[:, start:stop, None]
    allowed = (same & causal) | (column < starts[:, start:stop, None])
    mask = torch.zeros(allowed.shape, dtype=model.dtype, device=model.device)
    return mask.masked_fill_(~allowed, torch.finfo(model.dtype).min)[:, None]


def _tensor(values: NDArray[np.int64], model: Any) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(values)).to(model.device)


def _trunk_length(branches: Sequence[Branch]) -> int:
    return max(branch.at for branch in branches)


def _read(branch: Branch) -> int:
    """Return how many tokens of a branch the model has to read."""
    return max(len(branch.ids) - 1, 0)


def _split(values: Sequence[float], branches: Sequence[Branch]) -> list[tuple[float, ...]]:
    left = iter(values)
    return [tuple(next(left) for _ in range(b.first_scored, len(b.ids))) for b in branches]
