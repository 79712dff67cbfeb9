"""Imitation of noisy scripted play: where every scheme starts from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from rmgym import Trajectory
from rmgym.rollout import rollout
from tiny.model import TinyTransformer, next_logprobs, padded
from tiny.tokenizer import PAD, Ids, TinyRenderer, TinyTokenizer
from tiny.world import RELATIONS, TinyWorld, people_names

Written = tuple[Ids, tuple[bool, ...]]


def play_script(
    worlds: Sequence[TinyWorld], episodes: int, *, noise: float, seed: int
) -> list[Trajectory]:
    """Return episodes of noisy scripted play, `episodes` in each world, the worlds mixed."""
    played = [
        rollout(
            world.vector(16), world.noisy_player(noise, seed + number), episodes, seed=seed
        ).trajectories
        for number, world in enumerate(worlds)
    ]
    return [trajectory for attempts in zip(*played, strict=True) for trajectory in attempts]


def learn_tokenizer(played: Sequence[Trajectory]) -> TinyTokenizer:
    """Return a tokenizer of the worlds' words and of what stands between them in the episodes."""
    texts = (said["content"] for each in played for said in each.messages)
    return TinyTokenizer((*people_names(), *RELATIONS), texts)


def imitate(
    model: TinyTransformer,
    renderer: TinyRenderer,
    lessons: Iterable[Sequence[Trajectory]],
    *,
    episodes: int,
    rate: float,
    batch: int = 16,
) -> Iterator[float]:
    """Train on what the script said, yield the mean loss per token of each lesson.

    Each episode is seen once: a second look would teach the script's mistakes by heart.

    Args:
        model: Trained in place.
        renderer: Writes episodes as ids.
        lessons: Episodes in text.
        episodes: How many they hold together.
        rate: Peak learning rate, falling to 0 along a cosine after a short rise.
        batch: Episodes a step.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=episodes // batch + 1, pct_start=0.1, cycle_momentum=False
    )
    for lesson in lessons:
        losses = []
        written = [renderer.written(each) for each in lesson]
        for start in range(0, len(written) - batch + 1, batch):
            loss = _loss(model, written[start : start + batch])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        yield float(np.mean(losses))


def _loss(model: TinyTransformer, chosen: Sequence[Written]) -> torch.Tensor:
    ids = padded([row for row, _ in chosen])
    said = padded([list(map(int, mask)) for _, mask in chosen])[:, 1:] != PAD
    return -next_logprobs(model, ids)[said].mean()
