"""What an engine is: token ids in, token ids and log-probabilities out.

An engine knows nothing of messages; `rmgym.agents.renderer` turns those into ids, and
`rmgym.agents.language_model` joins both into a policy and a scorer. Log-probabilities are always
those of the model itself, at temperature 1 over the whole vocabulary, whatever the sampling: they
are what importance ratios and beliefs need, and what a second pass over the ids gives again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from rmgym.errors import BackendError
from rmgym.trajectory import FinishReason

Ids: TypeAlias = tuple[int, ...]


class EngineError(BackendError):
    """Raised when an engine cannot sample or score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How one completion is sampled.

    Raises:
        ValueError: If a value is out of its range.
    """

    temperature: float = 1.0
    """0.0 takes the most probable token."""
    top_p: float = 1.0
    """Share of the probability that may be drawn from, the most probable tokens first."""
    max_new_tokens: int = 256
    stop: tuple[str, ...] = ()
    """Texts that end the completion; the one that did stays in it."""
    stop_ids: tuple[int, ...] = ()
    """Tokens that end the completion; the one that did stays in it."""
    seed: int | None = None
    """Seeds this completion alone; None draws fresh entropy."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not self.temperature >= 0.0:
            raise ValueError(f"expected a temperature of at least 0, got {self.temperature}")
        if not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"expected top_p above 0 and at most 1, got {self.top_p}")
        if self.max_new_tokens < 1:
            raise ValueError(f"expected max_new_tokens of at least 1, got {self.max_new_tokens}")
        if "" in self.stop:
            raise ValueError("expected stop texts that are not empty, got ''")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOutput:
    """A sampled completion."""

    ids: Ids
    """Exactly what was sampled, a stop token included."""
    logprobs: tuple[float, ...]
    """Log-probability of each id under the model at temperature 1."""
    finish_reason: FinishReason


class Span(NamedTuple):
    """The tokens `start` to `end - 1` of a sequence."""

    start: int
    end: int


class Branch(NamedTuple):
    """Tokens that follow the first `at` tokens of a trunk."""

    at: int
    ids: Ids
    first_scored: int = 0
    """The tokens before it are conditioned on, not scored."""


@runtime_checkable
class Engine(Protocol):
    """Samples and scores token ids."""

    @property
    def policy_version(self) -> int | None:
        """Which weights it holds; a trainer that changes them counts it up."""
        ...

    def generate(self, prompts: Sequence[Ids], samplings: Sequence[Sampling]) -> list[EngineOutput]:
        """Return one completion per prompt, in order.

        A seeded completion depends on its prompt and sampling, not on the rest of the batch, as far
        as floating point permits.

        Raises:
            EngineError: If the model cannot answer.
        """
        ...

    def logprobs(self, sequences: Sequence[Ids], spans: Sequence[Span]) -> list[tuple[float, ...]]:
        """Return the log-probability of each token of each span, given all tokens before it.

        Raises:
            EngineError: If the model cannot answer.
        """
        ...


@runtime_checkable
class BranchEngine(Engine, Protocol):
    """An engine that scores many continuations of one sequence in one pass."""

    @property
    def can_branch(self) -> bool:
        """Whether the model at hand allows it."""
        ...

    def branch_logprobs(
        self, trunks: Sequence[Ids], branches: Sequence[Sequence[Branch]]
    ) -> list[list[tuple[float, ...]]]:
        """Return the log-probability of each scored token of each branch of each trunk.

        Raises:
            EngineError: If the model cannot answer.
        """
        ...


def stream_seed(seed: int, prompt: Ids) -> int:
    """Return the seed of one completion: 63 bits of a digest of `seed` and the prompt.

    >>> stream_seed(0, (1, 2)) == stream_seed(0, (1, 2)) != stream_seed(1, (1, 2))
    True
    """
    text = ",".join(map(str, (seed, *prompt)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def check_sequences(sequences: Sequence[Ids], spans: Sequence[Span]) -> None:
    """Check what `Engine.logprobs` is asked for.

    Raises:
        ValueError: If there is not one span per sequence, or a span does not lie in its sequence
            behind the first token, which nothing predicts.
    """
    if len(sequences) != len(spans):
        raise ValueError(
            f"expected one span per sequence, got {len(spans)} for {len(sequences)} sequences"
        )
    for ids, span in zip(sequences, spans, strict=True):
        if not 1 <= span.start <= span.end <= len(ids):
            raise ValueError(f"expected a span within 1..{len(ids)}, got {span.start}..{span.end}")


def check_branches(trunks: Sequence[Ids], branches: Sequence[Sequence[Branch]]) -> None:
    """Check what `BranchEngine.branch_logprobs` is asked for.

    Raises:
        ValueError: If there is not one list of branches per trunk, or a branch does not start
            within its trunk.
    """
    if len(trunks) != len(branches):
        raise ValueError(
            f"expected the branches of each trunk, got {len(branches)} for {len(trunks)} trunks"
        )
    for trunk, own in zip(trunks, branches, strict=True):
        for branch in own:
            if not 1 <= branch.at <= len(trunk):
                raise ValueError(f"expected a branch within 1..{len(trunk)}, got {branch.at}")
            if not 0 <= branch.first_scored <= len(branch.ids):
                raise ValueError(
                    f"expected first_scored within 0..{len(branch.ids)}, got {branch.first_scored}"
                )
