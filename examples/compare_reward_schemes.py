"""Six reward schemes on the same stored trajectories of the search setting, side by side.

    python examples/compare_reward_schemes.py --episodes 60 --picture schemes.png

Plays three policies into a store, scores what the store holds with six reward terms, and prints
each turn of the first episodes with what each term gives it ("-": nothing). The picture is a heat
map of turns and terms beside the rank correlation of the terms over all turns, nothing taken as 0.
No model is needed. Last line: the two schemes that agree least.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from rmgym import Context, RewardTerm, Trajectory
from rmgym.agents.catalog import make_policy
from rmgym.credit import score_turns
from rmgym.credit.agreement import spearman
from rmgym.protocols import Grant
from rmgym.rewards.answer_visible import AnswerVisible
from rmgym.rewards.answers import ExactMatch
from rmgym.rewards.gold_passage import GoldPassageFound
from rmgym.rewards.information_gain import information_gain
from rmgym.rollout import TrajectoryStore, read_trajectories, rollout

ENV_ID = "rmgym/Search-v0"


class Novelty:
    """The share of a search's passages that no earlier search had shown."""

    name = "novelty"
    grant: Grant = "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Score the last turn of each context; None for turns that found nothing."""
        return [self._share(context.last.info["event"]) for context in contexts]

    def _share(self, event: Any) -> float | None:
        return 1 - event["repeated"] / len(event["doc_ids"]) if event.get("doc_ids") else None


SCHEMES: dict[str, RewardTerm] = {
    "exact match": ExactMatch(),
    "gain, prob": information_gain(mode="prob"),
    "gain, log": information_gain(mode="logprob"),
    "gold passage": GoldPassageFound(),
    "answer visible": AnswerVisible(),
    "novelty": Novelty(),
}


def play(store_path: Path, episodes: int) -> list[Trajectory]:
    """Play what the store does not hold yet; return what it holds."""
    env = gym.make(f"rmgym:{ENV_ID}", kinds=["two_hop"], known_fraction=0.0)
    with TrajectoryStore(store_path) as store:
        for name in ("noisy_chain", "always_search", "single_shot"):
            policy = make_policy(ENV_ID, name, env)
            rollout(env, policy, episodes // 3, store=store, policy_name=name)
    return list(read_trajectories(store_path))


def print_turns(trajectories: Sequence[Trajectory], table: Any) -> None:
    """Print what each scheme gives to the turns of the first episodes."""
    print(f"{'turn':32}" + "".join(f"{name:>16}" for name in SCHEMES))
    rows = iter(table)
    for number, trajectory in enumerate(trajectories[:4]):
        print(f"episode {number}, {trajectory.metadata['policy']}")
        for t, turn in enumerate(trajectory.turns, start=1):
            event = turn.info["event"]
            label = f"  {t} {event['kind']} {event.get('query', event.get('answer', ''))}"
            cells = ["-" if np.isnan(value) else f"{value:.3f}" for value in next(rows)]
            print(f"{label[:31]:32}" + "".join(f"{cell:>16}" for cell in cells))


def draw(table: Any, correlations: Any, ends: Any, path: Path) -> None:
    """Draw the heat map of the first turns, and how the schemes rank turns alike."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.set_facecolor("lightgrey")
    scale = np.nanmax(np.abs(table), axis=0, initial=1e-9)
    left.imshow(table[:36] / scale, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    for end in ends[ends < min(36, len(table))]:
        left.axhline(end - 0.5, color="black", linewidth=0.8)
    left.set_title("Turns of the first episodes, columns by their largest value; grey: nothing")
    left.set_ylabel("turn (a line ends an episode)")
    right.imshow(np.nan_to_num(correlations), cmap="RdBu", vmin=-1, vmax=1)
    for i, j in np.ndindex(correlations.shape):
        rho = correlations[i, j]
        text, colour = "none" if np.isnan(rho) else f"{rho:.2f}", "white" if rho > 0.6 else "black"
        right.text(j, i, text, ha="center", va="center", color=colour)
    right.set_title("Spearman correlation over all turns")
    right.set_yticks(range(len(SCHEMES)), SCHEMES)
    for axes in (left, right):
        axes.set_xticks(range(len(SCHEMES)), SCHEMES, rotation=30, ha="right")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Play, score, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument("--store", type=Path, default=Path("schemes.jsonl"))
    parser.add_argument("--picture", type=Path, default=Path("schemes.png"))
    arguments = parser.parse_args()
    trajectories = play(arguments.store, arguments.episodes)
    scored = [score_turns(term, trajectories).rows for term in SCHEMES.values()]
    table = np.array([[v for row in rows for v in row] for rows in scored], dtype=np.float64).T
    print_turns(trajectories, table)
    credit = np.nan_to_num(table).T
    correlations = np.array([[spearman(a, b)[0] for a in credit] for b in credit])
    draw(table, correlations, np.cumsum([len(t.turns) for t in trajectories]), arguments.picture)
    print(f"{len(trajectories)} episodes in {arguments.store}, picture in {arguments.picture}")
    pairs = [(correlations[i, j], i, j) for i, j in combinations(range(len(SCHEMES)), 2)]
    least, i, j = min(pairs, key=lambda pair: np.nan_to_num(pair[0], nan=2.0))
    print(f"least agreement: {[*SCHEMES][i]} and {[*SCHEMES][j]}, rank correlation {least:.3f}")


if __name__ == "__main__":
    main()
