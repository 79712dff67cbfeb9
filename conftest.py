"""Leaves out, when doctests are collected, modules whose libraries are not installed."""

from __future__ import annotations

import importlib.util

NEEDS = {
    "torch": [
        "rmgym/agents/token_logprobs.py",
        "rmgym/agents/transformers_*.py",
        "rmgym/agents/tree_attention.py",
        "rmgym/agents/tiny_models.py",
    ],
    "stable_baselines3": ["rmgym/envs/welfare/*ppo*.py"],
}

collect_ignore_glob = [
    pattern
    for library, patterns in NEEDS.items()
    if importlib.util.find_spec(library) is None
    for pattern in patterns
]
