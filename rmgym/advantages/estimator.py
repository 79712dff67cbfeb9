"""What an estimator says of itself: its source, its equation, what it needs, where it is biased."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

from rmgym.advantages.batch import GroupTurns, TurnAdvantages

Confidence: TypeAlias = Literal["source", "paper", "secondary", "reconstructed", "ours"]
"""How the formula is known: read in the authors' code, in their paper, in notes of others, our own
rendering of an abstract, or our own design."""

Need: TypeAlias = Literal["outcomes", "values", "states", "nodes", "columns"]
"""A part of `GroupTurns` that may be absent."""

T = TypeVar("T")

STOPPING_BIAS = (
    "Biased when the policy decides when to stop: turn rewards are centred before they are summed, "
    "so a longer episode collects more baselines."
)
NO_BASELINE = "Not a policy-gradient estimator of the summed reward: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator:
    """An advantage estimator with its data sheet; call it with a batch."""

    name: str
    function: Callable[..., TurnAdvantages]
    source: str
    equation: str
    confidence: Confidence
    needs: tuple[Need, ...] = ()
    bias_note: str = ""
    """Empty when the expected gradient is right up to a positive factor, whatever the policy
    decides; else a sentence that says when it is not."""

    def __call__(self, batch: GroupTurns, **params: Any) -> TurnAdvantages:
        """Return the turn advantages of a batch.

        Raises:
            ValueError: If the batch lacks something that the estimator needs.
        """
        return self.function(batch, **params)


def needed(part: T | None, name: Need) -> T:
    """Return a part of a batch that an estimator needs.

    Raises:
        ValueError: If the batch is without.
    """
    if part is None:
        raise ValueError(
            f"expected {name}, got a batch without: pass what gives them to "
            "GroupTurns.from_groups or GroupTurns.from_lists"
        )
    return part
