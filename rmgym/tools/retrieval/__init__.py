"""Retrieval: find passages for a query.

`Bm25Retriever` is the embedded default and needs no server. `LuceneRetriever`, `DenseRetriever`
and `HttpRetriever` answer the same `Retriever` protocol; `RetrievalServer` serves any of them over
HTTP; `NoisyRetriever` disturbs what they find. Importing this package loads none of their
libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rmgym.tools.retrieval.analysis import EnglishAnalyzer
    from rmgym.tools.retrieval.bm25 import Bm25Retriever
    from rmgym.tools.retrieval.client import HttpRetriever
    from rmgym.tools.retrieval.corpus import load_corpus, load_jsonl
    from rmgym.tools.retrieval.dense import DenseRetriever, HashedNgramEmbedder
    from rmgym.tools.retrieval.lucene import LuceneRetriever
    from rmgym.tools.retrieval.noise import (
        NoisyRetriever,
        contradict,
        drop_gold,
        duplicate_paraphrased,
        inject_instruction,
        inject_passage,
        shuffle_order,
        truncate_snippets,
    )
    from rmgym.tools.retrieval.server import RetrievalServer

__all__ = [
    "Bm25Retriever",
    "DenseRetriever",
    "EnglishAnalyzer",
    "HashedNgramEmbedder",
    "HttpRetriever",
    "LuceneRetriever",
    "NoisyRetriever",
    "RetrievalServer",
    "contradict",
    "drop_gold",
    "duplicate_paraphrased",
    "inject_instruction",
    "inject_passage",
    "load_corpus",
    "load_jsonl",
    "shuffle_order",
    "truncate_snippets",
]

_NOISE = (
    "NoisyRetriever",
    "contradict",
    "drop_gold",
    "duplicate_paraphrased",
    "inject_instruction",
    "inject_passage",
    "shuffle_order",
    "truncate_snippets",
)
_MODULES = {
    "Bm25Retriever": "bm25",
    "DenseRetriever": "dense",
    "EnglishAnalyzer": "analysis",
    "HashedNgramEmbedder": "dense",
    "HttpRetriever": "client",
    "LuceneRetriever": "lucene",
    "RetrievalServer": "server",
    "load_corpus": "corpus",
    "load_jsonl": "corpus",
    **dict.fromkeys(_NOISE, "noise"),
}


def __getattr__(name: str) -> Any:
    """Import the module of an exported name at its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """List the exported names."""
    return sorted(__all__)
