"""Log-probabilities of chosen tokens out of a model's logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rmgym.agents.engine import EngineError

if TYPE_CHECKING:
    import torch


def picked_logprobs(
    logits: torch.Tensor, rows: Sequence[tuple[int, int]], token_ids: Sequence[int]
) -> list[float]:
    """Return the log-probability of one token at each chosen row.

    Args:
        logits: Shape (batch, rows, vocabulary), of any floating dtype; summed up in float32.
        rows: Which row of which member of the batch predicts each token.
        token_ids: The tokens.

    Raises:
        EngineError: If one is NaN.
    """
    import torch

    if not rows:
        return []
    members, columns = torch.tensor(rows, device=logits.device).unbind(-1)
    chosen = logits[members, columns].float()
    tokens = torch.tensor(token_ids, device=logits.device)[:, None]
    found = chosen.gather(-1, tokens)[:, 0] - chosen.logsumexp(-1)
    if bool(torch.isnan(found).any()):
        raise EngineError("expected logits, got NaN from the model; check its weights and dtype")
    values: list[float] = found.tolist()
    return values
