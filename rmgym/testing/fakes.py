"""Stand-ins for a model that are exact and cost nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rmgym.errors import PolicyError
from rmgym.protocols import Target, TargetLogprobs
from rmgym.testing.bytes_tokenizer import END, ByteTokenizer
from rmgym.trajectory import Completion, Context


class ScriptedPolicy:
    """Plays a script: turn t of every episode is `actions[t]`.

    Args:
        actions: What is said, turn by turn.
    """

    def __init__(self, actions: Sequence[str]) -> None:
        self.actions = tuple(actions)

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return the script's turn for each context.

        Raises:
            PolicyError: If an episode lasts longer than the script.
        """
        return [Completion(text=self._line(len(context.turns))) for context in contexts]

    def _line(self, turn: int) -> str:
        if turn >= len(self.actions):
            raise PolicyError(
                f"expected an episode of at most {len(self.actions)} turns, got turn {turn + 1}; "
                "write a longer script"
            )
        return self.actions[turn]


class UniformEngine:
    """Samples every token id with the same probability, and keeps ids and log-probabilities.

    The prompt of a turn is the last turn's prompt, the ids sampled then, and the ids of the new
    messages: nothing is tokenised twice. The same context gives the same turn.

    Args:
        seed: Seeds the sampling.
        max_tokens: Most ids a turn; a turn that is cut there has finish reason "length".
    """

    def __init__(self, seed: int = 0, max_tokens: int = 32) -> None:
        if max_tokens < 1:
            raise ValueError(f"expected max_tokens of at least 1, got {max_tokens}")
        self.seed = seed
        self.max_tokens = max_tokens
        self.tokenizer = ByteTokenizer()

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return one sampled turn for each context."""
        return [self._sample(context) for context in contexts]

    def _sample(self, context: Context) -> Completion:
        prompt = self.tokenizer.prompt(context)
        rng = np.random.default_rng([self.seed, len(prompt), *prompt[-64:]])
        ids = rng.integers(END + 1, size=self.max_tokens).tolist()
        stopped = END in ids
        if stopped:
            ids = ids[: ids.index(END) + 1]
        return Completion(
            text=self.tokenizer.decode(ids[:-1] if stopped else ids),
            prompt_ids=prompt,
            completion_ids=tuple(ids),
            logprobs=(-math.log(END + 1),) * len(ids),
            finish_reason="stop" if stopped else "length",
        )


class UniformScorer:
    """Gives every byte of a target the probability 1/256."""

    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        """Return the log-probability of each byte; contexts change nothing."""
        encode = ByteTokenizer().encode
        scored = [tuple(encode(target.text)) for _, target in zip(contexts, targets, strict=True)]
        return [TargetLogprobs(ids, (-math.log(256),) * len(ids)) for ids in scored]
