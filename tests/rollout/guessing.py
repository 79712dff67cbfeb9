"""A number to guess: a conversation small enough to reckon by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

import rmgym
from rmgym.conversation import Opening, Reply
from rmgym.env import ChatEnv
from rmgym.errors import JudgeError, PolicyError, RetrieverError
from rmgym.protocols import Call, Grant, Hit, Passage, Score, TermScore, Tool
from rmgym.trajectory import Completion, Context

ENV_ID = "rmgym-tests/Guess-v0"
LONE = "\udc80"
"""A lone surrogate, as a byte tokenizer may decode."""


@dataclass
class Guessing:
    number: int
    draws: int = 0


class Hits:
    """1 for the right number, at the end."""

    name = "hits"
    grant: Grant = "outcome"

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        return [float(c.last.info["event"].get("distance") == 0) for c in contexts]


class Nearness:
    """1 / (1 + distance); does not apply to a malformed turn."""

    name = "nearness"
    grant: Grant = "turn"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        self.batches.append(len(contexts))
        return [self._score(c.last.info["event"]) for c in contexts]

    def _score(self, event: Mapping[str, Any]) -> TermScore:
        if "distance" not in event:
            return None
        return Score(1 / (1 + event["distance"]), {"distance": float(event["distance"])})


class Fussy:
    """A judge that breaks when it reads `word`."""

    name = "fussy"
    grant: Grant = "turn"

    def __init__(self, word: str) -> None:
        self.word = word

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        for context in contexts:
            if self.word in context.last.completion.text:
                raise JudgeError(f"read {self.word!r}")
        return [0.25 for _ in contexts]


class GuessEnv(ChatEnv[Guessing]):
    """Guess a number from 0 to 9.

    Args:
        broken: The number at which the backend breaks, at the second guess.
        broken_opening: The number at which it breaks at once.
    """

    def __init__(
        self,
        *,
        max_turns: int = 5,
        broken: int | None = None,
        broken_opening: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        guess = Tool(
            name="guess",
            description="Guess.",
            parameters={"number": {"type": "integer"}},
            required=("number",),
            text_argument="number",
        )
        super().__init__(
            tools=(guess,),
            rewards=(Hits(), (Nearness(), 0.1)),
            max_turns=max_turns,
            render_mode=render_mode,
        )
        self.broken = broken
        self.broken_opening = broken_opening

    def begin_episode(self, options: Mapping[str, Any]) -> Opening:
        number = int(self.np_random.integers(10))
        if number == self.broken_opening:
            raise RetrieverError(f"no opening for {number}")
        self.episode = Guessing(number)
        return Opening(
            task_id=f"guess-{number}",
            messages=({"role": "user", "content": "Guess a number from 0 to 9."},),
            task={"number": number, "odd": bool(number % 2), "names": ("tuple", LONE)},
        )

    def respond(self, call: Call) -> Reply:
        self.episode.draws += 1
        if self.episode.number == self.broken and self.episode.draws == 2:
            raise RetrieverError("down")
        guess = int(call.arguments["number"])
        distance = abs(guess - self.episode.number)
        noise = float(self.np_random.random())
        hit = Hit(passage=Passage(id=str(guess), title="t", text=LONE), score=noise, rank=1)
        word = "smaller" if guess > self.episode.number else "larger"
        return Reply(
            messages=({"role": "user", "content": f"It is {word} {noise!r}. {LONE}"},),
            stop_reason="hit" if distance == 0 else None,
            event={"kind": "guess", "distance": distance, "hits": (hit,)},
            metrics={"noise": noise},
        )


if ENV_ID not in gym.registry:
    rmgym.register(ENV_ID, f"{__name__}:GuessEnv")


class Bisect:
    """Halves the interval; what it says depends on the context alone.

    Args:
        broken: It breaks when asked for this guess.
    """

    def __init__(self, broken: int | None = None) -> None:
        self.broken = broken
        self.batches: list[int] = []
        self.saw_info = False

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        self.batches.append(len(contexts))
        return [self._guess(context) for context in contexts]

    def _guess(self, context: Context) -> Completion:
        self.saw_info = self.saw_info or any(turn.info for turn in context.turns)
        low, high = 0, 9
        answers = [*(turn.observation for turn in context.turns[1:]), context.observation]
        for turn, answer in zip(context.turns, answers, strict=False):
            said = int(turn.completion.text.removeprefix("<guess>").removesuffix("</guess>"))
            if "smaller" in answer[-1]["content"]:
                high = said - 1
            else:
                low = said + 1
        guess = (low + high) // 2
        if guess == self.broken:
            raise PolicyError(f"no {guess}")
        return completion(guess)


def completion(guess: int) -> Completion:
    return Completion(
        text=f"<guess>{guess}</guess>",
        prompt_ids=(1, 2, 3),
        completion_ids=(10 + guess, 99),
        logprobs=(-0.1 * guess, float("-inf")),
        policy_version=7,
    )
