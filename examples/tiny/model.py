"""A small causal transformer in plain torch, with a cache for generation.

Each token's input also carries the embedding of the token before it, so that "find what followed
this word before" needs one attention layer and is learned in minutes on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from tiny.tokenizer import PAD

Cache: TypeAlias = list[tuple[Tensor, Tensor]]


class TinyTransformer(nn.Module):
    """Ids in, logits out.

    Args:
        vocabulary: Number of tokens.
        width: Of the residual stream.
        layers: Attention and feed-forward blocks.
        heads: Attention heads of a block.
    """

    def __init__(self, vocabulary: int, width: int = 96, layers: int = 3, heads: int = 4) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=PAD)
        self.from_previous = nn.Linear(width, width, bias=False)
        self.head_width = width // heads
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        nn.init.normal_(self.embedding.weight, std=0.1)

    def forward(
        self,
        ids: Tensor,
        previous: Tensor,
        positions: Tensor,
        mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Return logits of the next token, shape (B, T, V); PAD is never said.

        Args:
            ids: Shape (B, T).
            previous: The id before each id, PAD before the first; shape (B, T).
            positions: From 0, shape (B, T).
            mask: True where a query may look, shape (B, 1, T, S); causal when None.
            cache: Keys and values so far; extended in place.
        """
        states = self.embedding(ids) + self.from_previous(self.embedding(previous))
        turn = _rotation(positions, self.head_width)
        for index, block in enumerate(self.blocks):
            states = block(states, turn, mask, cache, index)
        logits = functional.linear(self.norm(states), self.embedding.weight, self.bias)
        return logits.index_fill(-1, torch.tensor([PAD]), -torch.inf)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(
        self,
        states: Tensor,
        turn: tuple[Tensor, Tensor],
        mask: Tensor | None,
        cache: Cache | None,
        index: int,
    ) -> Tensor:
        batch, length, width = states.shape
        qkv = self.qkv(self.norms[0](states)).view(batch, length, 3, self.heads, self.head_width)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        query, key = _rotated(query, turn), _rotated(key, turn)
        if cache is not None:
            if index < len(cache):
                key = torch.cat([cache[index][0], key], dim=2)
                value = torch.cat([cache[index][1], value], dim=2)
                cache[index] = (key, value)
            else:
                cache.append((key, value))
        seen = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=mask is None
        )
        states = states + self.out(seen.transpose(1, 2).reshape(batch, length, width))
        fed: Tensor = states + self.feed(self.norms[1](states))
        return fed


def _rotation(positions: Tensor, head_width: int) -> tuple[Tensor, Tensor]:
    half = head_width // 2
    speeds = 1000.0 ** (-torch.arange(half) / half)
    angles = positions[:, None, :, None] * speeds
    return angles.cos(), angles.sin()


def _rotated(vectors: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = turn
    one, two = vectors.chunk(2, dim=-1)
    return torch.cat([one * cos - two * sin, one * sin + two * cos], dim=-1)


def padded(rows: Sequence[Sequence[int]], *, left: bool = False) -> Tensor:
    """Return rows of ids as one tensor, filled up with PAD."""
    longest = max(map(len, rows))
    fill = [[PAD] * (longest - len(row)) for row in rows]
    whole = zip(rows, fill, strict=True)
    return torch.tensor([[*gap, *row] if left else [*row, *gap] for row, gap in whole])


def before(ids: Tensor) -> Tensor:
    """Return the id before each id, PAD before the first."""
    return functional.pad(ids[:, :-1], (1, 0), value=PAD)


def next_logprobs(model: TinyTransformer, ids: Tensor) -> Tensor:
    """Return the log-probability of each id after the first, shape (B, T - 1); padding right."""
    given = ids[:, :-1]
    positions = torch.arange(given.shape[1]).expand_as(given)
    logits = model(given, before(given), positions)
    logprobs = torch.log_softmax(logits, dim=-1)
    return logprobs.gather(-1, ids[:, 1:, None]).squeeze(-1)
