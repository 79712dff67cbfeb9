"""A tokenizer that needs no files: a token is a byte of the text's UTF-8 form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rmgym.messages import Message
from rmgym.trajectory import Context

END = 256
"""Ends a message; what an engine samples to stop."""
BEGIN = 257
"""Begins a message."""
VOCABULARY = 258


class ByteTokenizer:
    """Bytes as token ids, with a chat template that only ever appends.

    A message is BEGIN, its role, a line feed, its content, END. The prompt of a turn ends with the
    head of the agent's message, so that prompt and sampled ids together are the rendered turn.

    >>> ByteTokenizer().encode("né")
    [110, 195, 169]
    >>> ByteTokenizer().decode([110, 195, 169])
    'né'
    """

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; any `str` has some, lone surrogates included."""
        return list(text.encode("utf-8", "surrogatepass"))

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids, without BEGIN and END.

        The inverse of `encode`. Ids that no text has give U+FFFD in their place.
        """
        data = bytes(i for i in ids if i < END)
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> list[int]:
        """Return the ids of messages, and of the head of the agent's next message if asked for."""
        ids: list[int] = []
        for said in messages:
            ids += [*self._head(said["role"]), *self.encode(said["content"]), END]
        return ids + self._head("assistant") if add_generation_prompt else ids

    def prompt(self, context: Context) -> tuple[int, ...]:
        """Return the prompt of the next turn; ids that were sampled stand as they were sampled."""
        ids: list[int] = []
        for turn in context.turns:
            ids += self.render(turn.observation, add_generation_prompt=True)
            said = turn.completion.completion_ids or (*self.encode(turn.completion.text), END)
            ids += said if said[-1] == END else (*said, END)
        return (*ids, *self.render(context.observation, add_generation_prompt=True))

    def _head(self, role: str) -> list[int]:
        return [BEGIN, *self.encode(f"{role}\n")]
