"""The base of scripted policies, and what they read out of a conversation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from rmgym.trajectory import Completion, Context


class TextPolicy:
    """A policy that answers each context on its own, with text."""

    @abstractmethod
    def say(self, context: Context) -> str:
        """Return the turn."""

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return one completion per context."""
        return [Completion(text=self.say(context)) for context in contexts]


def context_rng(context: Context, seed: int = 0) -> np.random.Generator:
    """Return a random stream that depends on the conversation and the seed alone.

    So a policy that draws from it keeps no state, and plays the same in any order and any batch.
    """
    digest = blake2b(digest_size=16)
    for message in context.messages:
        digest.update(f"{message['role']}\n{message['content']}\n".encode("utf-8", "surrogatepass"))
    return np.random.default_rng([seed, int.from_bytes(digest.digest(), "big")])
