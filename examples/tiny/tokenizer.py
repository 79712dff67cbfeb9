"""A tokenizer learned from transcripts, and an append-only renderer over it.

Each word of the world is a token, and so is each stretch of text between such words: the rules of
the environment, a tag with the thought before it. Neighbouring words are joined by one blank,
which needs no token. A stretch that was not in the transcripts becomes one token, UNKNOWN.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from rmgym import Context, Trajectory
from rmgym.messages import Observation

Ids: TypeAlias = tuple[int, ...]
SPECIAL = ("<|pad|>", "<|unknown|>", "<|end|>", "<|user|>", "<|assistant|>")
PAD, UNKNOWN, END, USER, ASSISTANT = range(len(SPECIAL))


class TinyTokenizer:
    """Words of a world and stretches of text between them.

    Args:
        words: Of the world.
        texts: Where the stretches are learned from.
    """

    def __init__(self, words: Iterable[str], texts: Iterable[str]) -> None:
        self.words = sorted(words)
        self._split = re.compile(r"\b(" + "|".join(self.words) + r")\b")
        stretches = {piece for text in texts for piece in self._pieces(text)}
        self.vocabulary = [*SPECIAL, *self.words, *sorted(stretches.difference(self.words))]
        self._ids = {token: number for number, token in enumerate(self.vocabulary)}
        self._word_ids = range(len(SPECIAL), len(SPECIAL) + len(self.words))

    def __len__(self) -> int:
        return len(self.vocabulary)

    def encode(self, text: str) -> Ids:
        """Return the ids of a text."""
        return tuple(self._ids.get(piece, UNKNOWN) for piece in self._pieces(text))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids."""
        pieces: list[str] = []
        after_word = False
        for number in ids:
            is_word = number in self._word_ids
            pieces.append(" " * (is_word and after_word) + self.vocabulary[number])
            after_word = is_word
        return "".join(pieces)

    def _pieces(self, text: str) -> list[str]:
        return [piece for piece in self._split.split(text) if piece not in ("", " ")]


class TinyRenderer:
    """Turns a conversation into ids that only ever append."""

    def __init__(self, tokenizer: TinyTokenizer) -> None:
        self.tokenizer = tokenizer

    def prompt(self, context: Context) -> Ids:
        """Return old prompt, sampled ids, and the ids of the new messages."""
        if not context.turns:
            return self._opening(context.observation)
        last = context.turns[-1].completion
        closing = () if last.completion_ids[-1:] == (END,) else (END,)
        return (
            *last.prompt_ids,
            *last.completion_ids,
            *closing,
            *self._opening(context.observation),
        )

    def text(self, completion_ids: Sequence[int]) -> str:
        """Return the text of sampled ids, without the end of the turn."""
        ended = bool(completion_ids) and completion_ids[-1] == END
        return self.tokenizer.decode(completion_ids[:-1] if ended else completion_ids)

    def written(self, trajectory: Trajectory) -> tuple[Ids, tuple[bool, ...]]:
        """Return the ids of an episode that was played in text, and which ids the agent said."""
        ids: list[int] = []
        said: list[bool] = []
        for turn in trajectory.turns:
            for part, by_agent in (
                (self._opening(turn.observation), False),
                ((*self.tokenizer.encode(turn.completion.text), END), True),
            ):
                ids += part
                said += [by_agent] * len(part)
        return tuple(ids), tuple(said)

    def _opening(self, observation: Observation) -> Ids:
        told = (i for m in observation for i in (USER, *self.tokenizer.encode(m["content"]), END))
        return (*told, ASSISTANT)
