"""Strict order of quality tiers: our stand-in for OPTIAGENT's lexicographic reward.

OPTIAGENT orders structure before physical feasibility before accuracy before heuristics; its
formula is not public to us. Confidence: reconstructed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmgym.protocols import Grant
from rmgym.rewards.facts import event_fact, finite, within
from rmgym.trajectory import Context

TIERS = ("format", "feasible", "accuracy", "quality")


def lexicographic_order(items: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[str]:
    """Return the ids of the items, best first: a later key counts where earlier ones are equal.

    Items equal in all keys keep their order.
    """
    values = {
        str(item["id"]): [finite(f"{item['id']}.{key}", item[key]) for key in keys]
        for item in items
    }
    return sorted(values, key=lambda name: values[name], reverse=True)


def gated_scalar(format_ok: float, feasible: float, accuracy: float) -> float:
    """Return format * (1 + feasible * (1 + accuracy)), 0 to 3.

    One way to put the tiers into a number: with format and feasible 0 or 1, no accuracy makes up
    for a lost tier.

    >>> gated_scalar(1, 1, 0.5), gated_scalar(1, 0, 1.0)
    (2.5, 1.0)
    """
    gate = within("format", format_ok, 0.0, 1.0)
    inner = 1.0 + within("accuracy", accuracy, 0.0, 1.0)
    return gate * (1.0 + within("feasible", feasible, 0.0, 1.0) * inner)


@dataclass(frozen=True, slots=True)
class TieredQuality:
    """The gated scalar of a design.

    Range: 0 to 3. Needs: at the last turn `event["format"]`, `event["feasible"]` and
    `event["accuracy"]`, each 0 to 1. Equation: `gated_scalar`. A turn that gives no design must
    state format 0.
    """

    name: str = "tiered_quality"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float]:
        """Return one score per context."""
        return [
            gated_scalar(*(event_fact(context.last, key) for key in TIERS[:3]))
            for context in contexts
        ]
