"""Random language models of a few thousand parameters, built offline: to test wiring, not wit."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from rmgym.errors import MissingExtraError

Architecture: TypeAlias = Literal["qwen3", "llama"]


def tiny_tokenizer(vocabulary: int = 512) -> Any:
    """Return a byte-level BPE tokenizer of transformers with an append-only ChatML template.

    Raises:
        MissingExtraError: If transformers is not installed.
    """
    try:
        import tokenizers
        from transformers import PreTrainedTokenizerFast
    except ImportError as error:
        raise MissingExtraError("tiny_tokenizer", "transformers") from error
    from rmgym.agents.chat_templates import APPEND_ONLY_CHATML

    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    byte_level = tokenizers.pre_tokenizers.ByteLevel
    model.pre_tokenizer = byte_level(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=sorted(byte_level.alphabet()),
        show_progress=False,
    )
    model.train_from_iterator(_sentences(), trainer)
    make: Any = PreTrainedTokenizerFast
    return make(
        tokenizer_object=model,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=APPEND_ONLY_CHATML,
    )


def tiny_model(
    architecture: Architecture = "qwen3",
    *,
    vocabulary: int = 512,
    hidden: int = 64,
    layers: int = 2,
    heads: int = 4,
    key_value_heads: int = 2,
    head_size: int | None = None,
    intermediate: int | None = None,
    max_tokens: int = 4096,
    tied: bool = False,
    attn_implementation: str = "sdpa",
    seed: int = 0,
) -> Any:
    """Return a causal language model of transformers with random weights, in evaluation mode.

    Raises:
        MissingExtraError: If torch or transformers is not installed.
    """
    try:
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM
    except ImportError as error:
        raise MissingExtraError("tiny_model", "transformers") from error
    shape: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden if intermediate is None else intermediate,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": key_value_heads,
        "head_dim": hidden // heads if head_size is None else head_size,
        "max_position_embeddings": max_tokens,
        "tie_word_embeddings": tied,
        "attn_implementation": attn_implementation,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made: Any = (
            Qwen3ForCausalLM(Qwen3Config(**shape))
            if architecture == "qwen3"
            else LlamaForCausalLM(LlamaConfig(**shape))
        )
    return made.eval()


def _sentences() -> list[str]:
    """Return text to learn merges from."""
    places = ("lake", "town", "bridge", "harbour", "tower", "garden")
    said = [f"Where is the {a}? It lies north of the {b}." for a in places for b in places]
    tags = ["<search>the lake</search>", "<answer>north</answer>", "<think>\nMaybe.\n</think>\n"]
    return [*said, *tags * 8]
