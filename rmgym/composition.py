"""Reward terms composed: named, weighted, granted per turn or at the end, scored as one batch."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from math import isfinite
from typing import Any, NamedTuple, TypeAlias

from rmgym.errors import BackendError, RewardError
from rmgym.protocols import RewardTerm, Score, TermScore
from rmgym.trajectory import Context


class WeightedTerm(NamedTuple):
    """A term and the factor on its raw score."""

    term: RewardTerm
    weight: float = 1.0


RewardSpec: TypeAlias = RewardTerm | str | tuple[RewardTerm | str, float]
"""A term, the name of a registered one, or either of them with a weight."""


class Granted(NamedTuple):
    """What one turn earned."""

    reward: float
    terms: dict[str, float]
    """Weighted; they sum to `reward`."""
    metrics: dict[str, float]


_Sheet: TypeAlias = tuple[dict[str, float], dict[str, float]]
"""Terms and metrics of one turn while it is scored."""


class RewardComposition:
    """A weighted sum of named terms.

    Args:
        specs: The terms. Their names must differ.

    Raises:
        RewardError: If two terms share a name or a weight is not finite.
        KeyError: If no term of a given name is registered.
    """

    def __init__(self, specs: Sequence[RewardSpec]) -> None:
        self.terms = tuple(_weighted(spec) for spec in specs)
        names = [term.name for term, _ in self.terms]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise RewardError(f"expected distinct names of reward terms, got {doubled} twice")
        self._parts = [(t, w, t.name, t.grant == "outcome") for t, w in self.terms]

    def score(self, contexts: Sequence[Context], *, outcome_only: bool = False) -> list[Granted]:
        """Score the last turn of each context; each term is called once for the whole batch.

        Args:
            contexts: One per turn to score.
            outcome_only: Leave out turn-granted terms, for turns that had theirs already.

        Raises:
            RewardError: If a term fails or gives something that is not a finite number.
            BackendError: If a term's scorer or judge broke; a note names the term.
        """
        if not contexts:
            return []
        ended = [i for i, context in enumerate(contexts) if context.turns[-1].ended]
        everyone = range(len(contexts))
        sheets: list[_Sheet] = [({}, {}) for _ in contexts]
        for term, weight, name, is_outcome in self._parts:
            if is_outcome and ended:
                scores = _call(term, [contexts[i] for i in ended])
                _enter(sheets, ended, name, weight, scores)
            elif not is_outcome and not outcome_only:
                _enter(sheets, everyone, name, weight, _call(term, contexts))
        return [Granted(sum(terms.values(), 0.0), terms, metrics) for terms, metrics in sheets]


def _enter(
    sheets: Sequence[_Sheet],
    rows: Sequence[int],
    name: str,
    weight: float,
    scores: Sequence[TermScore],
) -> None:
    for i, score in zip(rows, scores, strict=True):
        value = score
        if isinstance(score, Score):
            sheets[i][1].update(score.metrics)
            value = score.value
        if value is not None:
            sheets[i][0][name] = _finite(name, weight, value)


def _weighted(spec: RewardSpec) -> WeightedTerm:
    term, weight = spec if isinstance(spec, tuple) else (spec, 1.0)
    if isinstance(term, str):
        term = importlib.import_module("rmgym.rewards").make(term)
    if not hasattr(term, "grant") or not callable(term):
        raise RewardError(
            f"expected a reward term (name, grant, a batched call) or a registered name, "
            f"got {type(term).__name__}"
        )
    if term.grant not in ("turn", "outcome"):
        raise RewardError(
            f'reward term {term.name!r}: expected grant "turn" or "outcome", got {term.grant!r}'
        )
    if not isfinite(weight):
        raise RewardError(f"expected a finite weight of {term.name!r}, got {weight}")
    return WeightedTerm(term, float(weight))


def _call(term: RewardTerm, batch: Sequence[Context]) -> Sequence[TermScore]:
    try:
        scores = term(batch)
    except (BackendError, RewardError) as error:
        error.add_note(f"raised by the reward term {term.name!r}")
        raise
    except Exception as error:
        raise RewardError(
            f"reward term {term.name!r} failed: {type(error).__name__}: {error}"
        ) from error
    if not hasattr(scores, "__len__"):
        raise RewardError(
            f"reward term {term.name!r}: expected a sequence of scores, one a context, "
            f"got {type(scores).__name__}"
        )
    if len(scores) != len(batch):
        raise RewardError(
            f"reward term {term.name!r}: expected {len(batch)} scores, got {len(scores)}"
        )
    return scores


def _finite(name: str, weight: float, value: Any) -> float:
    try:
        weighted = weight * float(value)
    except (TypeError, ValueError, OverflowError):
        raise RewardError(
            f"reward term {name!r}: expected a finite number or None, got {type(value).__name__}"
        ) from None
    if not isfinite(weighted):
        raise RewardError(f"reward term {name!r}: expected a finite number, got {value}")
    return weighted
