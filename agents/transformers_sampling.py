"""The sampling loop of `TransformersEngine`: one model call a token for a whole batch.

Each completion has a random stream of its own, one number in [0, 1) a token, which picks the token
by inverting the cumulative distribution. So the rest of the batch has no say in what is sampled,
beyond the last digits of the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rmgym.agents.batching import left_padded
from rmgym.agents.engine import EngineError, EngineOutput, Ids, Sampling
from rmgym.trajectory import FinishReason

if TYPE_CHECKING:
    import torch

Decode = Callable[[Sequence[int]], str]


class _Row:
    """A completion that is being sampled."""

    def __init__(self, sampling: Sampling, limit: int, decode: Decode) -> None:
        self.sampling = sampling
        self.limit = limit
        self.ids: list[int] = []
        self.logprobs: list[float] = []
        self.finish: FinishReason | None = None
        self._decode = decode
        self._stream = np.random.default_rng(sampling.seed)
        # A token is at least one byte of text, so that many tokens hold any stop text.
        self._window = max((len(text.encode()) for text in sampling.stop), default=0) + 1

    def draw(self) -> float:
        """Return the next number of the stream, in [0, 1)."""
        return float(self._stream.random())

    def add(self, token: int, logprob: float) -> None:
        """Enter a sampled token."""
        if self.finish is not None:
            return
        self.ids.append(token)
        self.logprobs.append(logprob)
        if token in self.sampling.stop_ids or self._ends_with_stop():
            self.finish = "stop"
        elif len(self.ids) >= self.limit:
            self.finish = "length"

    def output(self) -> EngineOutput:
        """Return the completion."""
        return EngineOutput(
            ids=tuple(self.ids),
            logprobs=tuple(self.logprobs),
            finish_reason=self.finish or "abort",
        )

    def _ends_with_stop(self) -> bool:
        if not self.sampling.stop:
            return False
        tail = self._decode(self.ids[-self._window :])
        return any(text in tail for text in self.sampling.stop)


def sample(
    model: Any,
    prompts: Sequence[Ids],
    samplings: Sequence[Sampling],
    limits: Sequence[int],
    decode: Decode,
) -> list[EngineOutput]:
    """Return one completion per prompt; all go through the model together.

    Args:
        model: A causal language model of transformers, in evaluation mode.
        prompts: The prompts.
        samplings: How to sample each.
        limits: Most tokens of each completion.
        decode: Turns ids into text, for stop texts.

    Raises:
        EngineError: If the model's logits are NaN.
    """
    import torch
    from transformers import DynamicCache

    rows = [_Row(s, limit, decode) for s, limit in zip(samplings, limits, strict=True)]
    padded, attended = left_padded(prompts)
    ids = torch.from_numpy(padded).to(model.device)
    mask = torch.from_numpy(attended).to(model.device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    cache, live = DynamicCache(config=model.config), rows
    while True:
        logits = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        tokens, logprobs = _choose(logits.float(), live)
        for row, token, logprob in zip(live, tokens.tolist(), logprobs.tolist(), strict=True):
            row.add(token, logprob)
        going = [i for i, row in enumerate(live) if row.finish is None]
        if not going:
            return [row.output() for row in rows]
        if 2 * len(going) <= len(live):
            kept = torch.tensor(going, device=model.device)
            cache.batch_select_indices(kept)
            live = [live[i] for i in going]
            tokens, mask, positions = tokens[kept], mask[kept], positions[kept]
        ids = tokens[:, None]
        mask = torch.cat([mask, torch.ones_like(ids)], dim=1)
        positions = positions[:, -1:] + 1


def _choose(logits: torch.Tensor, rows: Sequence[_Row]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a token and its log-probability at temperature 1 for each row of logits."""
    import torch

    if bool(torch.isnan(logits).any()):
        raise EngineError("expected logits, got NaN from the model; check its weights and dtype")
    tokens = logits.argmax(-1)
    warm = [row.sampling.temperature > 0 for row in rows]
    if any(warm):
        drawn = _invert(_probabilities(logits, rows), [row.draw() for row in rows])
        tokens = torch.where(torch.tensor(warm, device=logits.device), drawn, tokens)
    picked = logits.gather(-1, tokens[:, None])[:, 0]
    return tokens, picked - logits.logsumexp(-1)


def _probabilities(logits: torch.Tensor, rows: Sequence[_Row]) -> torch.Tensor:
    """Return what is drawn from: tempered, cut at top_p, not normalised."""
    import torch

    temperatures = _column([row.sampling.temperature or 1.0 for row in rows], logits)
    probabilities = (logits.double() / temperatures).softmax(-1)
    if all(row.sampling.top_p == 1.0 for row in rows):
        return probabilities
    top_p = _column([row.sampling.top_p for row in rows], logits)
    ordered, order = probabilities.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered
    ordered = ordered.masked_fill((before >= top_p) & (top_p < 1.0), 0.0)
    return torch.zeros_like(probabilities).scatter(-1, order, ordered)


def _invert(probabilities: torch.Tensor, draws: Sequence[float]) -> torch.Tensor:
    """Return the first token of each row whose cumulative probability exceeds its draw."""
    import torch

    cumulative = probabilities.cumsum(-1)
    # Kept below 1, so that rounding never reaches past the last possible token.
    shares = _column([min(draw, 1.0 - 2.0**-32) for draw in draws], probabilities)
    return torch.searchsorted(cumulative, shares * cumulative[:, -1:], right=True)[:, 0]


def _column(values: Sequence[float], like: torch.Tensor) -> torch.Tensor:
    """Return one value a row in float64, shape (rows, 1)."""
    import torch

    return torch.tensor(values, dtype=torch.float64, device=like.device)[:, None]
