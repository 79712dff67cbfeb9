"""Finished episodes written by hand, as a reward term sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmgym.messages import Observation, message
from rmgym.protocols import Grant, RewardTerm, Score, Target, TargetLogprobs
from rmgym.trajectory import Completion, Context, Trajectory, Turn

QUESTION = "Where was Einstein born?"
TASK: dict[str, Any] = {"references": ["Ulm"], "known": False, "gold_passages": ["g1", "g2"]}


def said(kind: str, text: str = "", shown: str = "", **facts: Any) -> dict[str, Any]:
    """A turn: what it did, what the agent wrote, what the world answered, further facts."""
    return {"kind": kind, "_text": text, "_shown": shown, **facts}


def search(*doc_ids: str, shown: str = "", text: str = "<search>q</search>", **facts: Any) -> Any:
    return said("search", text, shown, doc_ids=list(doc_ids), **facts)


def answer(text: str | None, **facts: Any) -> dict[str, Any]:
    return said("answer", f"<answer>{text}</answer>", answer=text, **facts)


def context(
    turns: Sequence[Mapping[str, Any]], task: Mapping[str, Any] | None = None, ended: bool = True
) -> Context:
    """The episode after its last turn."""
    observation: Observation = (message("user", QUESTION),)
    played: list[Turn] = []
    for t, spec in enumerate(turns):
        event = {key: value for key, value in spec.items() if not key.startswith("_")}
        turn = Turn(
            observation=observation,
            completion=Completion(text=spec["_text"]),
            terminated=ended and t == len(turns) - 1,
            info={"event": event, "task": {**TASK, **(task or {})}, "metrics": {}},
        )
        played.append(turn)
        observation = (message("user", spec["_shown"]),) if spec["_shown"] else ()
    return Context(tuple(played), observation)


def trajectory(turns: Sequence[Mapping[str, Any]], task: Mapping[str, Any] | None = None) -> Any:
    done = context(turns, task)
    return Trajectory(
        env_id="Test-v0", task_id="t", turns=tuple(done.turns), final_observation=done.observation
    )


def value(score: float | Score | None) -> float | None:
    return score.value if isinstance(score, Score) else score


def outcome(
    term: RewardTerm, turns: Sequence[Mapping[str, Any]], task: Mapping[str, Any] | None = None
) -> float | None:
    """What an episode's end earns."""
    return value(term([context(turns, task)])[0])


def per_turn(
    term: RewardTerm, turns: Sequence[Mapping[str, Any]], task: Mapping[str, Any] | None = None
) -> list[float | None]:
    """What a turn-granted term gives to each turn."""
    done = context(turns, task)
    trail = Trajectory(
        env_id="Test-v0", task_id="t", turns=tuple(done.turns), final_observation=done.observation
    )
    return [value(score) for score in term(trail.contexts())]


def total(
    term: RewardTerm, turns: Sequence[Mapping[str, Any]], task: Mapping[str, Any] | None = None
) -> float:
    """What an episode earns in all."""
    if term.grant == "outcome":
        return outcome(term, turns, task) or 0.0
    return sum(earned or 0.0 for earned in per_turn(term, turns, task))


@dataclass(frozen=True)
class Fixed:
    """A term that gives the same to every context."""

    score: float | None
    name: str = "fixed"
    grant: Grant = "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        return [self.score] * len(contexts)


@dataclass(frozen=True)
class WordScorer:
    """One token a word; words that stand in the conversation are likelier than others."""

    known: float = -0.5
    strange: float = -2.0

    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        return [self._score(c, t.text.split()) for c, t in zip(contexts, targets, strict=True)]

    def _score(self, seen: Context, words: Sequence[str]) -> TargetLogprobs:
        heard = " ".join(said["content"] for said in seen.messages).lower()
        found = [self.known if word.lower() in heard else self.strange for word in words]
        return TargetLogprobs(tuple(range(len(found))), tuple(found))
