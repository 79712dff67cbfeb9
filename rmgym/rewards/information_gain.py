"""Information gain: how much a turn raised the scorer's belief in the reference answer (IGPO).

The belief Phi_t is the mean log-probability of the answer's tokens, or its exponential, after the
conversation up to and including turn t and a stub that closes the thought and opens the answer.
The gain of turn t is Phi_t - Phi_{t-1}: potential shaping, so the gains of an episode telescope to
the last belief minus the first. Phi_0 is measured on the bare question, so that the first search
is credited; the turn that answers has no gain.

Gains are emitted as they are. Normalising them, and whether a gain of exactly zero ends a turn (it
does not in IGPO's release), is the advantage estimator's business: `rmgym.advantages.igpo`.

Reference: Wang et al., "Information Gain-based Policy Optimization" (ICLR 2026).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from rmgym.errors import RewardError, ScorerError
from rmgym.protocols import Grant, Score, Scorer, Target, TargetLogprobs
from rmgym.rewards.answers import igpo_alternatives, references_of
from rmgym.tools.ngram import NGramScorer
from rmgym.trajectory import Context, Trajectory

BeliefMode: TypeAlias = Literal["prob", "logprob"]

ANSWER_LEAD = "<think>\nNow there's enough information to answer\n</think>\n<answer>"
"""What the agent is taken to say before the scored answer."""


@runtime_checkable
class TrajectoryScorer(Protocol):
    """A scorer that reads a target at every prefix of an episode in one pass."""

    def potentials(
        self, trajectories: Sequence[Trajectory], targets: Sequence[Target]
    ) -> list[list[TargetLogprobs]]:
        """Return the target's log-probabilities before each turn of each trajectory, in order.

        Raises:
            ScorerError: If the model behind it cannot answer.
        """
        ...


def belief(logprobs: Sequence[float] | None, mode: BeliefMode) -> float | None:
    """Return the belief in an answer from the log-probabilities of its tokens.

    "prob": exp of their mean, the geometric mean token probability, 0 to 1. "logprob": their mean.
    None when the scorer gave nothing, or nothing finite.

    >>> round(belief([math.log(0.1), math.log(0.2)], "prob"), 4)
    0.1414
    """
    if not logprobs:
        return None
    mean = sum(logprobs) / len(logprobs)
    if math.isnan(mean) or mean == math.inf:
        return None
    return math.exp(mean) if mode == "prob" else _finite(mean)


def beliefs(
    answer_logprobs_by_prefix: Sequence[Sequence[float] | None], mode: BeliefMode
) -> list[float | None]:
    """Return the belief at each prefix, prefix 0 being the bare question."""
    return [belief(logprobs, mode) for logprobs in answer_logprobs_by_prefix]


def gains(potentials: Sequence[float | None]) -> list[float] | None:
    """Return the gain of each turn from the potentials Phi_0, Phi_1, ...

    Where the scorer failed (None, NaN or infinite) the turn earns 0.0 and the old baseline is
    kept. Without a usable Phi_0 there are no gains at all: None.

    >>> gains([0.25, 0.5, None, 1.0])
    [0.25, 0.0, 0.5]
    """
    if not potentials:
        return []
    baseline = _finite(potentials[0])
    if baseline is None:
        return None
    found: list[float] = []
    for potential in map(_finite, potentials[1:]):
        found.append(0.0 if potential is None else potential - baseline)
        baseline = baseline if potential is None else potential
    return found


def answer_target(references: Sequence[str], lead: str = ANSWER_LEAD) -> Target:
    """Return the target whose belief is measured: the first alternative of the first reference.

    Raises:
        RewardError: If it is empty.
    """
    answer = igpo_alternatives(references[:1])[0] if references else ""
    if not answer:
        raise RewardError(
            f"expected a non-empty first reference, got {list(references)!r}; information gain "
            "needs an answer to believe in"
        )
    return Target(answer, lead)


def potentials(
    trajectory: Trajectory,
    scorer: Scorer,
    *,
    mode: BeliefMode = "prob",
    lead: str = ANSWER_LEAD,
    references: Sequence[str] | None = None,
) -> list[float]:
    """Return Phi_0 ... Phi_{T-1} of a stored trajectory of T turns; NaN where the scorer failed.

    All prefixes are scored in one batch, or in one pass where the scorer can (`TrajectoryScorer`).

    Args:
        trajectory: The episode.
        scorer: Whose belief it is.
        mode: Scale of the belief.
        lead: What comes before the scored answer.
        references: Accepted answers; those of the recorded task when None.
    """
    turns = trajectory.turns
    if not turns:
        return []
    if references is None:
        references = references_of(Context(turns, trajectory.final_observation))
    target = answer_target(references, lead)
    if isinstance(scorer, TrajectoryScorer):
        scored = scorer.potentials([trajectory], [target])[0]
    else:
        prefixes = [Context(turns[:t], turn.observation) for t, turn in enumerate(turns)]
        scored = scorer.logprobs(prefixes, [target] * len(prefixes))
    _check_count(len(scored), len(turns))
    found = beliefs([each.logprobs for each in scored], mode)
    return [math.nan if value is None else value for value in found]


@dataclass(frozen=True, slots=True)
class InformationGain:
    """The information gain of a turn; none for the turn that ends the episode.

    Metrics: `<name>/potential`, Phi_t, which the next turn reads back as its baseline, and
    `<name>/baseline`, Phi_{t-1}. After a failure of the scorer the turn earns 0.0 and the
    potential repeats the baseline; after one on the bare question the episode has no gains, and
    the metric `<name>/failed` says so.
    """

    scorer: Scorer
    mode: BeliefMode = "prob"
    lead: str = ANSWER_LEAD
    name: str = "information_gain"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | None]:
        """Return the gain of each context's last turn, scoring everything in one batch."""
        plans = [self._prefixes(context) for context in contexts]
        asked = [prefix for plan in plans for prefix in plan]
        targets: list[Target] = []
        for context, plan in zip(contexts, plans, strict=True):
            if plan:
                targets += [answer_target(references_of(context), self.lead)] * len(plan)
        scored = self.scorer.logprobs(asked, targets) if asked else []
        _check_count(len(scored), len(asked))
        found = iter(beliefs([each.logprobs for each in scored], self.mode))
        return [
            self._score(context, [next(found) for _ in plan])
            for context, plan in zip(contexts, plans, strict=True)
        ]

    def _prefixes(self, context: Context) -> list[Context]:
        """Return what must be scored: nothing, the prefix after, or those before and after."""
        earlier = _metrics_before(context)
        if context.last.ended or f"{self.name}/failed" in earlier:
            return []
        if f"{self.name}/potential" in earlier:
            return [context]
        return [Context(context.turns[:-1], context.last.observation), context]

    def _score(self, context: Context, found: Sequence[float | None]) -> Score | None:
        failed = f"{self.name}/failed"
        if not found:
            carried = failed in _metrics_before(context) and not context.last.ended
            return Score(None, {failed: 1.0}) if carried else None
        recorded = _metrics_before(context).get(f"{self.name}/potential")
        baseline = recorded if len(found) == 1 else found[0]
        if baseline is None:
            return Score(None, {failed: 1.0})
        potential = baseline if found[-1] is None else found[-1]
        return Score(
            potential - baseline,
            {f"{self.name}/potential": potential, f"{self.name}/baseline": baseline},
        )


def information_gain(
    scorer: Scorer | None = None, mode: BeliefMode = "prob", lead: str = ANSWER_LEAD
) -> InformationGain:
    """Return the term, scored without a model by the embedded `NGramScorer` unless one is given."""
    return InformationGain(NGramScorer() if scorer is None else scorer, mode, lead)


def _metrics_before(context: Context) -> Mapping[str, float]:
    if len(context.turns) < 2:
        return {}
    metrics: Mapping[str, float] = context.turns[-2].info.get("metrics", {})
    return metrics


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _check_count(got: int, expected: int) -> None:
    if got != expected:
        raise ScorerError(
            f"expected one result per scored prefix, {expected}, got {got}; a scorer must return "
            "one TargetLogprobs per context, in order"
        )
