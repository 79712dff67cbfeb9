"""What every trainer takes: rows of tokens, each with the credit of its turn.

The adapters of this package are thin: each writes the rows of `Credit.rows` in the form of its
trainer. Where a trainer carries rewards and not advantages (verl, SkyRL, OpenRLHF), the rewards
stand on single tokens and `rmgym.integrations.token_rewards` makes the same advantages of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from rmgym.advantages import DEFAULT, GroupTurns, TurnAdvantages, get
from rmgym.advantages.recorded import outcome_of, turn_reward
from rmgym.integrations.token_rewards import TokenEstimator, TurnRewards, place
from rmgym.samples import TokenSample, to_samples
from rmgym.trajectory import Trajectory, TrajectoryGroup

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """One sequence of a trajectory: a prompt, and T tokens from the first sampled one on.

    What the environment said between turns is part of the completion, with loss mask 0.
    """

    task_id: str
    attempt: int
    """Number of the trajectory in its group, from 0."""
    piece: int
    """Number of the sequence in its trajectory, from 0: a chat template that rewrites history
    gives several."""
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    loss_mask: tuple[int, ...]
    """1 on tokens that the policy sampled."""
    turn_index: tuple[int, ...]
    """Turn that sampled the token, from 0; -1 on given tokens."""
    logprobs: tuple[float, ...] | None
    """Of the sampling policy; 0.0 on given tokens. None if the engine recorded none."""
    rewards: tuple[float, ...]
    """What each turn earned, on its last token, with the marks of `token_rewards.place`."""

    @property
    def turn_spans(self) -> tuple[tuple[int, int], ...]:
        """First token and end of each turn in the completion."""
        edges = np.flatnonzero(np.diff(np.array(self.turn_index), prepend=-1, append=-1))
        starts = [int(i) for i in edges if i < len(self) and self.turn_index[i] >= 0]
        ends = [int(i) for i in edges if i > 0 and self.turn_index[i - 1] >= 0]
        return tuple(zip(starts, ends, strict=True))

    def __len__(self) -> int:
        return len(self.completion_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditRow(TokenRow):
    """A row with what its turns earned within their group."""

    group: int
    """Number of the group, from 0."""
    advantages: tuple[float, ...]
    """The turn's advantage on each of its tokens, 0.0 on given tokens."""
    clip_scales: tuple[float, ...] | None
    """Factor on the clip range of each token, 1.0 on given tokens; None if the estimator gives
    none."""


Row = TypeVar("Row", bound=TokenRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """How turns earn their advantages: the estimator, and the reward terms that it takes.

    >>> Credit(estimator="igpo", outcome="em").estimator
    'igpo'
    """

    estimator: str = DEFAULT
    """Name of an estimator of `rmgym.advantages`."""
    outcome: str | None = None
    """Reward term that is the episode's outcome; None sees it as part of the last turn's reward."""
    terms: tuple[str, ...] | None = None
    """Reward terms that make the turn reward; None takes all but the outcome."""
    columns: tuple[str, ...] = ()
    """Reward terms that the estimator needs apart."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of the estimator."""

    @property
    def over_tokens(self) -> TokenEstimator:
        """The same for trainers that carry rewards on tokens.

        Raises:
            ValueError: If the estimator needs reward terms apart.
        """
        if self.columns:
            raise ValueError(
                f"expected no columns, got {self.columns}: this trainer carries one reward a token"
            )
        return TokenEstimator(
            estimator=self.estimator, has_outcome=self.outcome is not None, params=self.params
        )

    def advantages(self, groups: Sequence[TrajectoryGroup]) -> TurnAdvantages:
        """Return the advantage of each turn, in the order of groups and attempts.

        Raises:
            KeyError: If there is no such estimator.
            ValueError: If a group is empty, a term is missing, or the estimator needs more.
        """
        batch = GroupTurns.from_groups(
            groups, outcome=self.outcome, terms=self.terms, columns=self.columns
        )
        return get(self.estimator)(batch, **self.params)

    def rewards(self, trajectory: Trajectory) -> TurnRewards:
        """Return what a trajectory earned, turn by turn.

        Raises:
            ValueError: If the outcome is missing at the last turn.
        """
        return TurnRewards(
            turns=tuple(turn_reward(turn, self.outcome, self.terms) for turn in trajectory.turns),
            outcome=outcome_of(trajectory, self.outcome) if self.outcome else None,
        )

    def token_rows(self, trajectory: Trajectory, attempt: int = 0) -> list[TokenRow]:
        """Return the token rows of one trajectory with its rewards.

        Raises:
            ValueError: If a completion has no token ids, or the outcome is missing.
        """
        rewards = self.rewards(trajectory)
        return [
            TokenRow(**_parts(sample, trajectory.task_id, attempt, piece, rewards))
            for piece, sample in enumerate(to_samples(trajectory))
        ]

    def rows(self, groups: Sequence[TrajectoryGroup]) -> list[CreditRow]:
        """Return the token rows of groups of trajectories with their credit, in order.

        Raises:
            KeyError: As `advantages`.
            ValueError: As `advantages`, and if a completion has no token ids.
        """
        credit = self.advantages(groups)
        advantages = iter(credit.per_trajectory())
        scales = iter(credit.extra("clip_scale")) if "clip_scale" in credit.extras else None
        found: list[CreditRow] = []
        for number, group in enumerate(groups):
            for attempt, trajectory in enumerate(group.trajectories):
                own, scale = next(advantages), None if scales is None else next(scales)
                found += [
                    _credited(row, number, own, scale)
                    for row in self.token_rows(trajectory, attempt)
                ]
        return found


def whole_rows(rows: Sequence[Row], taker: str) -> list[Row]:
    """Return the rows, for a trainer that takes one sequence an episode.

    Raises:
        ValueError: If an episode has several.
    """
    split = next((row for row in rows if row.piece), None)
    if split is not None:
        raise ValueError(
            f"task {split.task_id!r}, attempt {split.attempt}: expected one token sequence an "
            f"episode for {taker}, got several since a prompt does not extend the one before; play "
            "with a chat template that only appends (rmgym.agents.chat_templates)"
        )
    return list(rows)


def _parts(
    sample: TokenSample, task_id: str, attempt: int, piece: int, rewards: TurnRewards
) -> dict[str, Any]:
    start = int(np.argmax(sample.loss_mask))
    turn_index = sample.turn_index[start:]
    return {
        "task_id": task_id,
        "attempt": attempt,
        "piece": piece,
        "prompt_ids": tuple(sample.token_ids[:start].tolist()),
        "completion_ids": tuple(sample.token_ids[start:].tolist()),
        "loss_mask": tuple(sample.loss_mask[start:].tolist()),
        "turn_index": tuple(turn_index.tolist()),
        "logprobs": None if sample.logprobs is None else tuple(sample.logprobs[start:].tolist()),
        "rewards": tuple(place(rewards, turn_index).tolist()),
    }


def _credited(row: TokenRow, group: int, advantages: Floats, scales: Floats | None) -> CreditRow:
    index = np.array(row.turn_index)
    return CreditRow(
        **{name: getattr(row, name) for name in TokenRow.__dataclass_fields__},
        group=group,
        advantages=tuple(np.append(advantages, 0.0)[index].tolist()),
        clip_scales=None if scales is None else tuple(np.append(scales, 1.0)[index].tolist()),
    )
