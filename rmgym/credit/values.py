"""What each turn was truly worth: the value after it minus the value before it, by replaying.

The value of a state is the mean outcome of playing on from it with the policy. Replay k forks the
environment before every turn with one seed and plays on with one draw of the policy: common random
numbers, so that what the replays share cancels in the difference. The state after the last turn
needs no replay: its value is the outcome. The differences of an episode telescope to its outcome
minus the value of its first state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rmgym.credit.episodes import (
    LiveEpisode,
    PolicyFactory,
    RecordedEpisode,
    derived_seed,
    play_out,
)
from rmgym.rollout.summary import SUCCESS_METRICS
from rmgym.state import fork
from rmgym.trajectory import Turn

Floats: TypeAlias = NDArray[np.float64]
Outcome: TypeAlias = Callable[[Sequence[Turn]], float | None]
"""From the turns of a finished episode to what it was worth, or None if it does not say."""

NORMAL_95 = 1.96
"""Half width of a 95 % interval in standard errors."""


@dataclass(frozen=True, slots=True)
class MetricOutcome:
    """A metric at the end of the episode: the first of `names` that is there."""

    names: tuple[str, ...] = SUCCESS_METRICS

    def __call__(self, turns: Sequence[Turn]) -> float | None:
        """Return the metric, or None where the last turn has none of the names."""
        metrics = turns[-1].info.get("metrics", {})
        return next((float(metrics[name]) for name in self.names if name in metrics), None)


@dataclass(frozen=True, slots=True)
class ReturnOutcome:
    """The sum of the episode's rewards, or of one weighted term of them."""

    term: str | None = None

    def __call__(self, turns: Sequence[Turn]) -> float | None:
        """Return the sum, or None where no turn has the term."""
        if self.term is None:
            return sum(turn.reward for turn in turns)
        granted = [t.reward_terms[self.term] for t in turns if self.term in t.reward_terms]
        return sum(granted) if granted else None


def make_outcome(spec: str) -> Outcome:
    """Return the outcome that a text names.

    Args:
        spec: "success" (the metric `success`, else `em`), "return" (the sum of all rewards),
            "return:TERM" (of one term), or the name of a metric.
    """
    if spec == "success":
        return MetricOutcome()
    if spec == "return":
        return ReturnOutcome()
    if spec.startswith("return:"):
        return ReturnOutcome(spec.removeprefix("return:"))
    return MetricOutcome((spec,))


def check_outcome(outcome: Outcome, recorded: Sequence[RecordedEpisode]) -> None:
    """Check that at least one recorded episode has the outcome.

    An episode that ends without it while others have it failed, and counts 0.

    Raises:
        ValueError: If none has; names the metrics and terms that there are.
    """
    ends = [episode.trajectory.turns for episode in recorded]
    if any(outcome(turns) is not None for turns in ends):
        return
    metrics = dict.fromkeys(name for turns in ends for name in turns[-1].info.get("metrics", {}))
    terms = dict.fromkeys(name for turns in ends for turn in turns for name in turn.reward_terms)
    raise ValueError(
        f"expected the outcome {outcome} at the end of an episode, got metrics {list(metrics)} and "
        f"terms {list(terms)}; name one of these metrics, or return:TERM"
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TurnValues:
    """Outcomes of the replays of one episode of T turns."""

    replays: Floats
    """Shape (T + 1, K): outcome of replay k from the state before turn t; the last row is what the
    episode itself came to."""
    steps: int
    """Turns that the replays took."""

    @property
    def values(self) -> Floats:
        """Value of each state, shape (T + 1,)."""
        means: Floats = self.replays.mean(axis=1)
        return means

    @property
    def differences(self) -> Floats:
        """What each turn was worth, shape (T,)."""
        return np.diff(self.values)

    @property
    def errors(self) -> Floats:
        """Standard error of each difference, over the replays in pairs; 0 where all pairs agree."""
        spread: Floats = np.diff(self.replays, axis=0).std(axis=1, ddof=1)
        return spread / sqrt(self.replays.shape[1])

    @property
    def unpaired_errors(self) -> Floats:
        """What the standard errors would be if before and after shared no random numbers."""
        variances: Floats = self.replays.var(axis=1, ddof=1)
        errors: Floats = np.sqrt((variances[1:] + variances[:-1]) / self.replays.shape[1])
        return errors

    def intervals(self, width: float = NORMAL_95) -> list[tuple[float, float]]:
        """Return the bounds of each difference, `width` standard errors to either side."""
        pairs = zip(self.differences.tolist(), self.errors.tolist(), strict=True)
        return [(value - width * error, value + width * error) for value, error in pairs]


def replay_values(
    recorded: RecordedEpisode,
    make_policy: PolicyFactory,
    outcome: Outcome,
    *,
    replays: int,
    seed: int,
) -> TurnValues:
    """Replay an episode from before each of its turns and return the outcomes.

    Args:
        recorded: The episode; its states are left as they are.
        make_policy: Makes the policy that plays on, anew for each replay.
        outcome: What an episode is worth; one that ends without it is worth 0 (`check_outcome`).
        replays: K, how often each state is played to the end; at least 2.
        seed: Of all replays. Take another one for an independent measurement.

    Raises:
        ValueError: If `replays` is below 2.
        BackendError: If a part outside the conversation broke.
    """
    if replays < 2:
        raise ValueError(f"expected at least 2 replays, got {replays}: one gives no interval")
    turns = recorded.trajectory.turns
    found = np.empty((len(turns) + 1, replays))
    found[-1] = outcome(turns) or 0.0
    steps = 0
    for k in range(replays):
        world_seed, policy_seed = derived_seed(seed, k, 0), derived_seed(seed, k, 1)
        live = [
            LiveEpisode(fork(state, seed=world_seed), turns[:t], turns[t].observation)
            for t, state in enumerate(recorded.states)
        ]
        steps += play_out(live, make_policy(policy_seed))
        found[:-1, k] = [outcome(episode.turns) or 0.0 for episode in live]
    return TurnValues(replays=found, steps=steps)
