"""Messages to token ids, by appending only.

The next prompt is the last prompt, the ids that were sampled, and the ids of the new messages:
sampled text is never tokenised again, and a sampled stop token is not doubled. After a turn that
was cut at its length, the closing tokens of the chat template stand in the next prompt, where they
count as given (loss mask 0).

That is only true to a chat template which leaves earlier messages as they were. One that rewrites
them (Qwen3 drops earlier thoughts) is found when the renderer is made, by rendering two made-up
conversations at once and turn by turn, and refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rmgym.agents.chat_formats import ByteFormat, ChatFormat, JinjaFormat, RendererError
from rmgym.agents.engine import Ids
from rmgym.messages import Observation
from rmgym.protocols import Target
from rmgym.testing.bytes_tokenizer import ByteTokenizer
from rmgym.trajectory import Completion, Context, Turn

__all__ = ["Renderer", "RendererError"]


class Renderer:
    """Turns contexts into prompts, and sampled ids into text.

    Text in messages is tokenised as it stands: a tokenizer that reads the name of a special token
    in a message as that token does so here too.

    Args:
        tokenizer: A transformers tokenizer with a chat template, or a `ByteTokenizer`.
        tools: JSON schemas (`env.tools`) for the template to render.
        chat_template: A Jinja template to use instead of the tokenizer's own.

    Raises:
        RendererError: If the template rewrites history or leaves the tools out, or no token ends a
            turn.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        chat_template: str | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.tools = tuple(tools)
        self.chat_template = chat_template
        self._format = _format_of(tokenizer, self.tools, chat_template)

    @property
    def stop_ids(self) -> Ids:
        """The tokens with which the agent ends its turn."""
        return self._format.stop_ids

    def with_tools(self, tools: Sequence[Mapping[str, Any]]) -> Renderer:
        """Return a renderer of the same template that renders these tools."""
        return Renderer(self.tokenizer, tools=tools, chat_template=self.chat_template)

    def prompt(self, context: Context) -> Ids:
        """Return the prompt of the next turn.

        Raises:
            RendererError: If recorded ids are another tokenizer's, or the template cannot render a
                message.
        """
        turns = context.turns
        if not turns:
            return self._format.opening(context.observation)
        recorded = (i for i in reversed(range(len(turns))) if turns[i].completion.prompt_ids)
        tail = turns[next(recorded, 0) :]
        return self._extended(self.prompts(tail)[-1], tail[-1], context.observation)

    def prompts(self, turns: Sequence[Turn]) -> list[Ids]:
        """Return the prompt of each turn of an episode, as recorded where it was recorded.

        Raises:
            RendererError: As `prompt`.
        """
        found: list[Ids] = []
        for index, turn in enumerate(turns):
            if turn.completion.prompt_ids:
                found.append(turn.completion.prompt_ids)
            elif index == 0:
                found.append(self._format.opening(turn.observation))
            else:
                found.append(self._extended(found[-1], turns[index - 1], turn.observation))
        return found

    def target(self, target: Target) -> tuple[Ids, int]:
        """Return the ids of a target, lead first, and the index of the first scored one."""
        return self._format.encode_target(target)

    def text(self, completion_ids: Sequence[int]) -> str:
        """Return the text of sampled ids: without the stop token, special tokens left out."""
        stopped = bool(completion_ids) and completion_ids[-1] in self.stop_ids
        return self._format.decode(completion_ids[:-1] if stopped else completion_ids)

    def check_ids(self, turn: Turn) -> None:
        """Check that a turn's recorded ids are this tokenizer's.

        Raises:
            RendererError: If they do not spell the turn's text.
        """
        completion = turn.completion
        if completion.completion_ids and self.text(completion.completion_ids) != completion.text:
            raise RendererError(
                f"expected recorded ids that spell {completion.text[:60]!r}, got ids that spell "
                f"{self.text(completion.completion_ids)[:60]!r}; they are another tokenizer's: use "
                "the one that played, or drop the ids (`rmgym.agents.renderer.without_ids`)"
            )

    def _extended(self, prompt: Ids, turn: Turn, observation: Observation) -> Ids:
        self.check_ids(turn)
        said = turn.completion.completion_ids or self._format.encode(turn.completion.text)
        following, stop = self._format.following(observation), self._format.closing_stop
        if stop is not None and said and said[-1] == following[stop]:
            following = following[stop + 1 :]
        return prompt + said + following


def without_ids(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return turns with their text alone, for a model with another tokenizer."""
    return tuple(replace(turn, completion=Completion(text=turn.completion.text)) for turn in turns)


def _format_of(
    tokenizer: Any, tools: Sequence[Mapping[str, Any]], chat_template: str | None
) -> ChatFormat:
    if not isinstance(tokenizer, ByteTokenizer):
        return JinjaFormat(tokenizer, tools, chat_template)
    if tools or chat_template is not None:
        raise RendererError(
            "expected neither tools nor a chat template with a ByteTokenizer, whose format is "
            "fixed; describe the tools in the messages"
        )
    return ByteFormat(tokenizer)
