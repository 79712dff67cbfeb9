"""Does credit by turns make a small transformer learn to search faster than the outcome alone?

    python examples/train_tiny.py --seeds 1 2 3 --picture docs/train_tiny.png

Trains a transformer from scratch: imitation of noisy scripted play in small invented worlds, then
reinforcement learning from the same start with each of six schemes. Results are kept in a folder,
and what it holds is not run again. Needs torch; the picture needs matplotlib. Last line: the
schemes in the order of their mean success over training.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from tiny.picture import draw, paired, ranked, table
from tiny.runs import TINY, Budget, run_all
from tiny.schemes import SCHEMES


def main() -> None:
    """Run what is missing, print the tables, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--schemes", nargs="+", choices=list(SCHEMES), default=list(SCHEMES))
    parser.add_argument("--folder", type=Path, default=Path("train_tiny"))
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--rate", type=float, help="learning rate of all schemes")
    parser.add_argument("--tiny", action="store_true", help="a budget of seconds, to see it run")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    budget = TINY if arguments.tiny else Budget()
    if arguments.rate is not None:
        budget = replace(budget, settings=replace(budget.settings, rate=arguments.rate))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    results = run_all(arguments.seeds, arguments.schemes, budget, arguments.folder)
    (arguments.folder / "results.json").write_text(json.dumps(results))
    print(table(results), paired(results), sep="\n\n")
    if arguments.picture is not None:
        draw(results, arguments.picture)
    print("most to least: " + ", ".join(f"{name} {mean:.3f}" for name, mean in ranked(results)))


if __name__ == "__main__":
    main()
