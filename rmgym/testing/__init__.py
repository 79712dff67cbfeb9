"""What third parties test with: checks of environments, audits of rewards, models without weights.

`check_env` holds a conversation against what the package promises, `audit` plays policies that
should earn nothing, `conformance` recomputes worked cases, and the fakes stand in for a model.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Imported at once, since each bears the name of its module, which would else take its place.
from rmgym.testing.audit import audit
from rmgym.testing.conformance import conformance

if TYPE_CHECKING:
    from rmgym.testing.audit import AuditReport
    from rmgym.testing.bytes_tokenizer import ByteTokenizer
    from rmgym.testing.checks import check_env
    from rmgym.testing.exploit_policies import exploits
    from rmgym.testing.fakes import ScriptedPolicy, UniformEngine, UniformScorer
    from rmgym.testing.gold import gold_policy, register_gold
    from rmgym.testing.malformed import malformed_actions
    from rmgym.testing.manual import CheckError, check_manual
    from rmgym.testing.players import ActionWriter, Babbler

_LAZY = {
    "ActionWriter": "players",
    "AuditReport": "audit",
    "Babbler": "players",
    "ByteTokenizer": "bytes_tokenizer",
    "CheckError": "manual",
    "ScriptedPolicy": "fakes",
    "UniformEngine": "fakes",
    "UniformScorer": "fakes",
    "check_env": "checks",
    "check_manual": "manual",
    "exploits": "exploit_policies",
    "gold_policy": "gold",
    "malformed_actions": "malformed",
    "register_gold": "gold",
}

__all__ = [
    "ActionWriter",
    "AuditReport",
    "Babbler",
    "ByteTokenizer",
    "CheckError",
    "ScriptedPolicy",
    "UniformEngine",
    "UniformScorer",
    "audit",
    "check_env",
    "check_manual",
    "conformance",
    "exploits",
    "gold_policy",
    "malformed_actions",
    "register_gold",
    "register_test_envs",
]


def register_test_envs() -> None:
    """Register `rmgym-testing/Echo-v0` and `rmgym-testing/Negotiation-v0`; once is enough."""
    import gymnasium as gym

    from rmgym.registration import register

    entry_points = {
        "rmgym-testing/Echo-v0": "rmgym.testing.echo:EchoEnv",
        "rmgym-testing/Negotiation-v0": "rmgym.testing.negotiation:negotiation_seat",
    }
    for id, entry_point in entry_points.items():
        if id not in gym.registry:
            register(id, entry_point)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
