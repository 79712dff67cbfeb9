"""An engine on a causal language model of transformers, on CPU or CUDA.

    from rmgym.agents.transformers_engine import TransformersEngine
    engine = TransformersEngine.from_pretrained("Qwen/Qwen3-0.6B", device="cuda", dtype="bfloat16")

Needs `pip install 'rmgym[transformers]'`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rmgym.agents.batching import batches, left_padded
from rmgym.agents.chat_formats import decode
from rmgym.agents.engine import (
    Branch,
    EngineError,
    EngineOutput,
    Ids,
    Sampling,
    Span,
    check_branches,
    check_sequences,
)
from rmgym.agents.token_logprobs import picked_logprobs
from rmgym.agents.tree_attention import branch_logprobs, sees_everything
from rmgym.errors import MissingExtraError

LOGITS = 2**27
"""Most logits of one scoring pass: half a gibibyte in float32."""
SMALL = 16_384
"""Tokens up to which padding costs less than another pass, on an accelerator."""
SCORED_AT_ONCE_ON_CPU = 2048
"""Most tokens of a scoring batch on CPU: there a longer one only adds padding and masks."""


class TransformersEngine:
    """Samples from and scores with a model in this process.

    The model may be one that is being trained: every call runs it in evaluation mode, without
    gradients, and puts its mode back. Count `policy_version` up when its weights have changed.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer, or a `ByteTokenizer`; used for stop texts alone.
        device: Where to move the model; None leaves it.
        dtype: What to cast the model to, e.g. "bfloat16"; None leaves it.
        policy_version: Which weights these are.
        max_batch_tokens: Most tokens that go through the model at once, padding included.
        max_mask_bytes: Most memory of the mask of a one-pass scoring; see `branch_logprobs`.

    Raises:
        MissingExtraError: If torch or transformers is not installed.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        device: str | None = None,
        dtype: str | None = None,
        policy_version: int | None = 0,
        max_batch_tokens: int = 32_768,
        max_mask_bytes: int = 2**24,
    ) -> None:
        _require()
        if max_batch_tokens < 1:
            raise ValueError(f"expected max_batch_tokens of at least 1, got {max_batch_tokens}")
        if device is not None:
            model = model.to(device)
        if dtype is not None:
            model = model.to(_dtype(dtype))
        self.model = model
        self.tokenizer = tokenizer
        self.policy_version = policy_version
        self.max_batch_tokens = max_batch_tokens
        self.max_mask_bytes = max_mask_bytes

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str,
        *,
        revision: str = "main",
        device: str = "cpu",
        dtype: str = "float32",
        attn_implementation: str = "sdpa",
        **options: Any,
    ) -> TransformersEngine:
        """Load a model and its tokenizer; `options` go to the constructor.

        Raises:
            MissingExtraError: If torch or transformers is not installed.
        """
        _require()
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained(
            name_or_path,
            revision=revision,
            dtype=_dtype(dtype),
            attn_implementation=attn_implementation,
        )
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, revision=revision)
        return cls(model, tokenizer, device=device, **options)

    @property
    def max_tokens(self) -> int:
        """Most tokens of a prompt and its completion together."""
        return int(self.model.config.get_text_config().max_position_embeddings)

    @property
    def can_branch(self) -> bool:
        """Whether `branch_logprobs` can be used: full attention everywhere, eager or sdpa."""
        return sees_everything(self.model.config)

    def generate(self, prompts: Sequence[Ids], samplings: Sequence[Sampling]) -> list[EngineOutput]:
        """Return one completion per prompt, in order.

        A completion ends with finish reason "length" too where the model's positions end.

        Raises:
            ValueError: If there is not one sampling per prompt.
            EngineError: If a prompt is empty or leaves no room, or the model cannot answer.
        """
        from rmgym.agents.transformers_sampling import sample

        if len(prompts) != len(samplings):
            raise ValueError(
                f"expected one sampling per prompt, got {len(samplings)} for {len(prompts)} prompts"
            )
        limits = [self._room(p, s) for p, s in zip(prompts, samplings, strict=True)]
        found: dict[int, EngineOutput] = {}
        longest = max((s.max_new_tokens for s in samplings), default=0)
        with _inference(self.model):
            for batch in batches(
                [len(prompt) for prompt in prompts],
                lambda count, tokens: count * (tokens + longest) <= self.max_batch_tokens,
                small=self.max_batch_tokens,
            ):
                sampled = sample(
                    self.model,
                    [prompts[i] for i in batch],
                    [samplings[i] for i in batch],
                    [limits[i] for i in batch],
                    lambda ids: decode(self.tokenizer, ids),
                )
                found.update(zip(batch, sampled, strict=True))
        return [found[i] for i in range(len(prompts))]

    def logprobs(self, sequences: Sequence[Ids], spans: Sequence[Span]) -> list[tuple[float, ...]]:
        """Return the log-probability of each token of each span, given all tokens before it.

        Raises:
            ValueError: If a span does not lie in its sequence, behind the first token.
            EngineError: If a sequence is too long, or the model cannot answer.
        """
        check_sequences(sequences, spans)
        found: dict[int, tuple[float, ...]] = {
            i: () for i, span in enumerate(spans) if span.start == span.end
        }
        asked = [i for i in range(len(spans)) if i not in found]
        # The last token of a span predicts nothing that is asked for.
        read = [sequences[i][: spans[i].end - 1] for i in asked]
        self._check_length(max(map(len, read), default=0))
        reach = max((spans[i].end - spans[i].start for i in asked), default=0)
        vocabulary = int(self.model.config.get_text_config().vocab_size)
        with _inference(self.model):
            for batch in batches(
                [len(ids) for ids in read],
                lambda count, tokens: (
                    count * tokens <= self._scored_at_once and count * reach * vocabulary <= LOGITS
                ),
                small=SMALL,
            ):
                scored = self._score(
                    [read[i] for i in batch],
                    [sequences[asked[i]][slice(*spans[asked[i]])] for i in batch],
                )
                found.update(zip([asked[i] for i in batch], scored, strict=True))
        return [found[i] for i in range(len(sequences))]

    def branch_logprobs(
        self, trunks: Sequence[Ids], branches: Sequence[Sequence[Branch]]
    ) -> list[list[tuple[float, ...]]]:
        """Return the log-probability of each scored token of each branch of each trunk.

        Every token goes through the model once: see `rmgym.agents.tree_attention`.

        Raises:
            ValueError: If a branch does not start within its trunk, behind the first token.
            EngineError: If the model does not attend to everything (sliding windows), or its
                attention takes no mask of ours.
        """
        check_branches(trunks, branches)
        longest = (b.at + len(b.ids) - 1 for own in branches for b in own)
        self._check_length(max(longest, default=0))
        with _inference(self.model):
            return branch_logprobs(
                self.model,
                trunks,
                branches,
                max_batch_tokens=self._scored_at_once,
                max_mask_bytes=self.max_mask_bytes,
                max_logits=LOGITS,
                small=SMALL,
            )

    @property
    def _scored_at_once(self) -> int:
        on_cpu = self.model.device.type == "cpu"
        most = self.max_batch_tokens
        return min(most, SCORED_AT_ONCE_ON_CPU) if on_cpu else most

    def _score(self, read: Sequence[Ids], targets: Sequence[Ids]) -> list[tuple[float, ...]]:
        """Return the log-probabilities of the targets that end right behind what is read."""
        import torch

        padded, attended = left_padded(read)
        mask = torch.from_numpy(attended).to(self.model.device)
        reach = max(map(len, targets))
        logits = self.model(
            input_ids=torch.from_numpy(padded).to(self.model.device),
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
            use_cache=False,
            logits_to_keep=reach,
        ).logits
        rows = [(b, reach - len(t) + j) for b, t in enumerate(targets) for j in range(len(t))]
        scored = iter(picked_logprobs(logits, rows, [i for t in targets for i in t]))
        return [tuple(next(scored) for _ in target) for target in targets]

    def _room(self, prompt: Ids, sampling: Sampling) -> int:
        if not prompt:
            raise EngineError("expected a prompt of at least one token, got none")
        self._check_length(len(prompt) + 1)
        return min(sampling.max_new_tokens, self.max_tokens - len(prompt))

    def _check_length(self, tokens: int) -> None:
        if tokens > self.max_tokens:
            raise EngineError(
                f"expected at most {self.max_tokens} tokens, which is what the model has positions "
                f"for, got {tokens}; give the environment fewer turns or shorter passages"
            )


@contextmanager
def _inference(model: Any) -> Iterator[None]:
    """Run a model in evaluation mode and without gradients, then put its mode back."""
    import torch

    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    except torch.OutOfMemoryError as error:
        raise EngineError(
            f"expected a batch that fits the device, got: {error}; lower max_batch_tokens"
        ) from error
    finally:
        model.train(training)


def _require() -> None:
    try:
        import torch
        import transformers  # noqa: F401  # both are asked for
    except ImportError as error:
        raise MissingExtraError("TransformersEngine", "transformers") from error
    del torch


def _dtype(name: str) -> Any:
    import torch

    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"expected the name of a torch dtype, e.g. 'bfloat16', got {name!r}")
    return dtype
