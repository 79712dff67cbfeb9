"""Reinforcement learning with turn advantages: clipped policy gradient on sampled token ids."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from torch import Tensor

from rmgym import Trajectory
from rmgym.advantages import TurnAdvantages
from rmgym.rollout import rollout
from rmgym.samples import TokenSample, to_samples
from rmgym.trajectory import group_by_task
from rmgym.vector import ChatVectorEnv
from tiny.model import next_logprobs, padded
from tiny.policy import TinyPolicy
from tiny.schemes import Scheme, with_gains
from tiny.world import TinyWorld

EVALUATION_SEED = 50_000_000
"""Far from the seeds of training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all schemes share."""

    env_steps: int = 12_000
    """Turns played in training."""
    tasks: int = 8
    """Questions an update."""
    attempts: int = 8
    """Episodes a question."""
    epochs: int = 2
    """Passes over the episodes of an update."""
    minibatch: int = 32
    """Episodes a gradient step."""
    rate: float = 3e-4
    clip: float = 0.2
    evaluations: int = 12
    """On the way, besides the first one."""
    evaluation_episodes: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Success in the held-out world at one moment of training."""

    env_steps: int
    success: float
    two_hop_success: float
    gold_recall: float
    turns: float
    """Mean length of an episode."""
    train_success: float | None
    """Over the episodes since the last point."""
    cpu_seconds: float
    """Spent so far, evaluations included."""


def learn(
    policy: TinyPolicy,
    scheme: Scheme,
    worlds: Sequence[TinyWorld],
    held_out: TinyWorld,
    settings: Settings,
    seed: int,
) -> Iterator[Point]:
    """Train the policy's model in place; yield where it stands, before and on the way.

    Args:
        policy: Plays, scores and is trained.
        scheme: Credit of the turns.
        worlds: Played in turn, one an update.
        held_out: Where success is measured.
        settings: Budget and step sizes.
        seed: Of questions and minibatches.
    """
    started = time.process_time()
    order = np.random.default_rng([seed, 4])
    optimizer = torch.optim.AdamW(policy.model.parameters(), lr=settings.rate, weight_decay=0.0)
    episodes = settings.tasks * settings.attempts
    vectors = [world.vector(episodes, settings.attempts) for world in worlds]
    exam = held_out.vector(settings.evaluation_episodes)
    yield _measure(policy, held_out, exam, 0, [], started)
    env_steps, wins, done = 0, list[float](), 1
    for update in count():
        start = (seed * 10_000 + update) * episodes
        played = rollout(vectors[update % len(vectors)], policy, episodes, seed=start).trajectories
        env_steps += sum(len(each.turns) for each in played)
        wins += [each.metrics["success"] for each in played]
        samples = credited(played, scheme, policy)
        for _ in range(settings.epochs):
            for rows in np.array_split(order.permutation(len(samples)), _parts(samples, settings)):
                _improve(policy, optimizer, [samples[i] for i in rows], settings.clip)
        policy.version += 1
        if env_steps >= done * settings.env_steps / settings.evaluations:
            yield _measure(policy, held_out, exam, env_steps, wins, started)
            wins, done = [], done + 1
        if env_steps >= settings.env_steps:
            return


Credited = tuple[TokenSample, Tensor]
"""A sample and the clip scale of each of its tokens."""


def credited(played: Sequence[Trajectory], scheme: Scheme, policy: TinyPolicy) -> list[Credited]:
    """Return token samples that carry their turns' advantages and clip scales."""
    groups = group_by_task(with_gains(played, policy) if scheme.uses_gain else played)
    given = scheme.advantages(groups)
    attempts = [each for group in groups for each in group.trajectories]
    return [
        (sample, torch.tensor(np.append(scales, 1.0)[sample.turn_index], dtype=torch.float32))
        for each, values, scales in zip(
            attempts, given.per_trajectory(), _clip_scales(given), strict=True
        )
        for sample in to_samples(each, values)
    ]


def _clip_scales(given: TurnAdvantages) -> list[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    if "clip_scale" in given.extras:
        return given.extra("clip_scale")
    return [np.ones_like(values) for values in given.per_trajectory()]


def _parts(samples: Sequence[Credited], settings: Settings) -> int:
    return max(1, len(samples) // settings.minibatch)


def policy_loss(policy: TinyPolicy, batch: Sequence[Credited], clip: float) -> Tensor:
    """Return the clipped policy-gradient loss, mean over the tokens that the policy sampled.

    The ratio of each token is clipped to 1 +- clip * its turn's scale.
    """
    ids = padded([sample.token_ids.tolist() for sample, _ in batch])
    said = _table([sample.loss_mask for sample, _ in batch]) > 0
    old = _table([sample.logprobs for sample, _ in batch])[said]
    advantages = _table([sample.advantages for sample, _ in batch])[said]
    reach = clip * _table([scale for _, scale in batch])[said]
    ratio = (next_logprobs(policy.model, ids)[said] - old).exp()
    clipped = ratio.clamp(min=1 - reach, max=1 + reach)
    return -torch.minimum(ratio * advantages, clipped * advantages).mean()


def _improve(
    policy: TinyPolicy,
    optimizer: torch.optim.Optimizer,
    batch: Sequence[Credited],
    clip: float,
) -> None:
    optimizer.zero_grad()
    policy_loss(policy, batch, clip).backward()
    torch.nn.utils.clip_grad_norm_(policy.model.parameters(), 1.0)
    optimizer.step()


def _table(rows: Sequence[object]) -> Tensor:
    """Return one value per token after the first, filled up with 0, shape (B, T - 1)."""
    tensors = [torch.as_tensor(row, dtype=torch.float32) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)[:, 1:]


def _measure(
    policy: TinyPolicy,
    world: TinyWorld,
    exam: ChatVectorEnv,
    env_steps: int,
    wins: Sequence[float],
    started: float,
) -> Point:
    """Play the held-out questions with a sampling stream of their own."""
    player = TinyPolicy(policy.model, policy.renderer, seed=EVALUATION_SEED)
    played = rollout(exam, player, exam.num_envs, seed=EVALUATION_SEED).trajectories
    success = [each.metrics["success"] for each in played]
    hops = [world.hops(each.turns[-1].info["task"]["question"]) for each in played]
    return Point(
        env_steps=env_steps,
        success=float(np.mean(success)),
        two_hop_success=float(np.mean([s for s, h in zip(success, hops, strict=True) if h == 2])),
        gold_recall=float(np.mean([each.metrics["gold_recall"] for each in played])),
        turns=float(np.mean([len(each.turns) for each in played])),
        train_success=float(np.mean(wins)) if wins else None,
        cpu_seconds=time.process_time() - started,
    )
