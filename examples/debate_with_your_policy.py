"""Your own policy in a debate, and your own judge over it.

    python examples/debate_with_your_policy.py --episodes 40

A debater is any policy: messages in, a turn of text out. Here one doubts: it changes its answer
when two others hold the same other one. It plays one seat under four arms on the same seeds, then
all seats of an arena. No model is needed. Last line: the wins of an arena's seats, which sum to 0.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import gymnasium as gym

from rmgym import Completion, Context
from rmgym.envs.debate.arena import DebateArena
from rmgym.envs.debate.judges import Remark, RoundView
from rmgym.envs.debate.seat import play_arena
from rmgym.rollout import rollout

HEARD = re.compile(r"^\[Agent\d+\] (?:answer|agrees on) (.+)$", re.MULTILINE)
HOLD = re.compile(r"You hold: (\S+) Round")
SUM = re.compile(r"What is (\d+) \+ (\d+) \* (\d+) \+ (\d+) - (\d+) \* (\d+)\?")


class Doubter:
    """Works the sum out from left to right, which is wrong, and gives in to two who agree."""

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        return [Completion(text=self.speak(context)) for context in contexts]

    def speak(self, context: Context) -> str:
        news = "\n".join(said["content"] for said in context.observation)
        common = Counter(HEARD.findall(news)).most_common(1)
        held = HOLD.search(news)
        if held and common and common[0][1] >= 2:
            return f"Two of you cannot be wrong. <answer>{common[0][0]}</answer>"
        return f"<answer>{held[1] if held else self.guess(news)}</answer>"

    def guess(self, question: str) -> int:
        found = SUM.search(question)
        if found is None:
            return 0
        a, b, c, d, e, f = map(int, found.groups())
        return ((a + b) * c + d - e) * f


class Timekeeper:
    """A judge of one's own: it scores short speeches high."""

    def comment(self, view: RoundView) -> Remark:
        scores = {seat: max(0.0, 7.0 - len(view.speeches[seat]) / 50) for seat in view.seats}
        return Remark("Be brief.", scores)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--episodes", type=int, default=40)
    episodes = parser.parse_args().episodes
    arms: list[dict[str, Any]] = [
        {},
        {"pressure": 1.0, "framing": "survival"},
        {"pressure": 1.0, "framing": "survival", "judge": "biased"},
        {"pressure": 1.0, "judge": Timekeeper(), "decision": "judge"},
    ]
    for arm in arms:
        env = gym.make("rmgym/Debate-v0", rounds=3, **arm)
        played = rollout(env, Doubter(), episodes)
        figures = ("accuracy", "success", "won", "flips_to_right", "flips_to_wrong")
        shown = {name: sum(t.metrics[name] for t in played) / episodes for name in figures}
        print(list(arm) or "plain", {name: round(value, 3) for name, value in shown.items()})
    arena = DebateArena(agents=4, rounds=2, pressure=1.0)
    infos = play_arena(arena, dict.fromkeys(arena.possible_agents, Doubter()), seed=0)
    wins = {seat: info["reward_terms"]["win"] for seat, info in infos.items()}
    print("wins", " ".join(f"{win:+.3f}" for win in wins.values()))


if __name__ == "__main__":
    main()
