"""Runs of the experiment: the start weights, each scheme from them, results on disk."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from rmgym import Trajectory
from tiny.imitate import imitate, learn_tokenizer, play_script
from tiny.learn import Settings, learn
from tiny.model import TinyTransformer
from tiny.policy import TinyPolicy
from tiny.schemes import SCHEMES
from tiny.tokenizer import SPECIAL, TinyRenderer, TinyTokenizer
from tiny.world import make_world

IMITATION, TRAINING, HELD_OUT = 1, 2, 3
"""First number of a world's seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Sizes of one run."""

    lessons: int = 8
    """Of imitation, each in worlds of its own."""
    lesson_worlds: int = 24
    lesson_episodes: int = 80
    """In each world."""
    imitation_rate: float = 2e-3
    noise: float = 0.2
    """Share of the scripted turns that are mistakes."""
    training_worlds: int = 8
    questions: int = 200
    """In each world."""
    width: int = 96
    layers: int = 3
    settings: Settings = field(default_factory=Settings)


TINY = Budget(
    lessons=1,
    lesson_worlds=2,
    lesson_episodes=16,
    training_worlds=1,
    questions=20,
    width=16,
    layers=1,
    settings=Settings(
        env_steps=24, tasks=2, attempts=2, minibatch=2, evaluations=1, evaluation_episodes=4
    ),
)
"""Seconds: shows that everything runs, and nothing else."""


def start_policy(seed: int, budget: Budget, folder: Path) -> TinyPolicy:
    """Return the policy that all runs start from, sampling by `seed`; imitate if not on disk."""
    path = folder / "start.pt"
    if not path.exists():
        _imitate(budget, path)
    saved: dict[str, Any] = torch.load(path)
    stretches = saved["vocabulary"][len(SPECIAL) :]
    tokenizer = TinyTokenizer(saved["words"], stretches)
    model = TinyTransformer(len(tokenizer), budget.width, budget.layers)
    model.load_state_dict(saved["weights"])
    return TinyPolicy(model, TinyRenderer(tokenizer), seed=seed)


def _lessons(budget: Budget) -> Iterator[list[Trajectory]]:
    for number in range(budget.lessons):
        taught = [
            make_world((IMITATION, number, i), budget.questions)
            for i in range(budget.lesson_worlds)
        ]
        yield play_script(taught, budget.lesson_episodes, noise=budget.noise, seed=1000 * number)


def _imitate(budget: Budget, path: Path) -> None:
    started = time.process_time()
    lessons = _lessons(budget)
    first = next(lessons)
    tokenizer = learn_tokenizer(first)
    torch.manual_seed(0)
    model = TinyTransformer(len(tokenizer), budget.width, budget.layers)
    losses = imitate(
        model,
        TinyRenderer(tokenizer),
        chain([first], lessons),
        episodes=budget.lessons * budget.lesson_worlds * budget.lesson_episodes,
        rate=budget.imitation_rate,
    )
    for number, loss in enumerate(losses, start=1):
        spent = time.process_time() - started
        print(f"imitation: lesson {number}, loss {loss:.3f}, {spent:.0f} s", flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    tokens = {"vocabulary": tokenizer.vocabulary, "words": tokenizer.words}
    torch.save({"weights": model.state_dict(), **tokens}, path)


def run_scheme(seed: int, name: str, budget: Budget, folder: Path) -> dict[str, Any]:
    """Train one scheme of one seed, or return the result that the folder holds already."""
    path = folder / f"{name}_{seed}.json"
    if path.exists():
        stored: dict[str, Any] = json.loads(path.read_text())
        return stored
    policy = start_policy(seed, budget, folder)
    played = [
        make_world((TRAINING, seed, i), budget.questions) for i in range(budget.training_worlds)
    ]
    held_out = make_world((HELD_OUT, seed, 0), budget.questions)
    points = []
    for point in learn(policy, SCHEMES[name], played, held_out, budget.settings, seed):
        points.append(asdict(point))
        print(
            f"seed {seed}, {name}: {point.env_steps} steps, success {point.success:.3f}, "
            f"two-hop {point.two_hop_success:.3f}, {point.turns:.2f} turns, "
            f"{point.cpu_seconds:.0f} s",
            flush=True,
        )
    result = {"scheme": name, "seed": seed, "settings": asdict(budget), "points": points}
    path.write_text(json.dumps(result, indent=1))
    return result


def run_all(
    seeds: Sequence[int], names: Sequence[str], budget: Budget, folder: Path
) -> list[dict[str, Any]]:
    """Run every scheme of every seed, one after another."""
    return [run_scheme(seed, name, budget, folder) for seed in seeds for name in names]
