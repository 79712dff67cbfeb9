"""The transformer as a policy and a scorer of `rmgym`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rmgym import Completion, Context, Trajectory
from rmgym.protocols import Target, TargetLogprobs
from tiny.model import Cache, TinyTransformer, before, next_logprobs, padded
from tiny.tokenizer import END, PAD, Ids, TinyRenderer

MAX_NEW_TOKENS = 10


class TinyPolicy:
    """Samples turns at temperature 1 and tells log-probabilities; keeps no episode state.

    Args:
        model: The transformer.
        renderer: Its tokenizer and conversation format.
        seed: Of the sampling.
    """

    def __init__(self, model: TinyTransformer, renderer: TinyRenderer, seed: int = 0) -> None:
        self.model = model
        self.renderer = renderer
        self.version = 0
        self._chance = torch.Generator().manual_seed(seed)

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return one sampled turn per context."""
        prompts = [self.renderer.prompt(context) for context in contexts]
        with torch.inference_mode():
            sampled, logprobs = self._sample(padded(prompts, left=True))
        return [
            self._completion(prompt, ids, scores)
            for prompt, ids, scores in zip(
                prompts, sampled.tolist(), logprobs.tolist(), strict=True
            )
        ]

    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        """Return the log-probability of each token of each target after its context."""
        prompts = [self.renderer.prompt(context) for context in contexts]
        return self._scored(prompts, targets)

    def potentials(
        self, trajectories: Sequence[Trajectory], targets: Sequence[Target]
    ) -> list[list[TargetLogprobs]]:
        """Return the target's log-probabilities before each turn, all in one batch."""
        prompts = [turn.completion.prompt_ids for each in trajectories for turn in each.turns]
        repeated = [
            target for each, target in zip(trajectories, targets, strict=True) for _ in each.turns
        ]
        scored = iter(self._scored(prompts, repeated))
        return [[next(scored) for _ in each.turns] for each in trajectories]

    def _scored(self, prompts: Sequence[Ids], targets: Sequence[Target]) -> list[TargetLogprobs]:
        encode = self.renderer.tokenizer.encode
        answers = [encode(target.text) for target in targets]
        rows = [
            (*prompt, *encode(target.lead), *answer)
            for prompt, target, answer in zip(prompts, targets, answers, strict=True)
        ]
        with torch.inference_mode():
            table = next_logprobs(self.model, padded(rows)).tolist()
        return [
            TargetLogprobs(answer, tuple(scores[len(row) - 1 - len(answer) : len(row) - 1]))
            for row, answer, scores in zip(rows, answers, table, strict=True)
        ]

    def _sample(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return sampled ids and log-probabilities, shape (B, N); PAD after the end."""
        known = ids != PAD
        places = (known.long().cumsum(1) - 1).clamp(min=0)
        causal = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).tril()
        mask = (known[:, None, None, :] & causal) | torch.eye(len(causal), dtype=torch.bool)
        cache: Cache = []
        logits = self.model(ids, before(ids), places, mask, cache)[:, -1]
        last, place = ids[:, -1], places[:, -1]
        chosen: list[Tensor] = []
        scores: list[Tensor] = []
        ended = torch.zeros(len(ids), dtype=torch.bool)
        while True:
            logprobs = torch.log_softmax(logits, dim=-1)
            drawn = torch.multinomial(logprobs.exp(), 1, generator=self._chance)
            chosen.append(drawn.squeeze(1).masked_fill(ended, PAD))
            scores.append(logprobs.gather(1, drawn).squeeze(1))
            ended = ended | (chosen[-1] == END)
            if len(chosen) == MAX_NEW_TOKENS or bool(ended.all()):
                return torch.stack(chosen, 1), torch.stack(scores, 1)
            known = torch.cat([known, torch.ones(len(ids), 1, dtype=torch.bool)], dim=1)
            place = place + 1
            step = chosen[-1][:, None], last[:, None], place[:, None]
            logits = self.model(*step, known[:, None, None, :], cache)[:, -1]
            last = chosen[-1]

    def _completion(self, prompt: Ids, ids: list[int], scores: list[float]) -> Completion:
        end = ids.index(END) + 1 if END in ids else len(ids)
        return Completion(
            text=self.renderer.text(ids[:end]),
            prompt_ids=prompt,
            completion_ids=tuple(ids[:end]),
            logprobs=tuple(scores[:end]),
            finish_reason="stop" if END in ids else "length",
            policy_version=self.version,
        )
