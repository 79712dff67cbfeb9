"""How a tokenizer and its chat template write a conversation that only ever grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rmgym.agents.engine import Ids
from rmgym.errors import RmgymError
from rmgym.messages import Message, message
from rmgym.protocols import Target
from rmgym.testing.bytes_tokenizer import END, ByteTokenizer


class RendererError(RmgymError, ValueError):
    """Raised when messages cannot be turned into ids that only ever append."""


class ChatFormat(Protocol):
    """What the renderer needs to know of a tokenizer and its template."""

    @property
    def stop_ids(self) -> Ids:
        """The tokens with which the agent ends its turn."""
        ...

    @property
    def closing_stop(self) -> int | None:
        """Where in the ids of `following` the agent's stop token stands; None if it has none."""
        ...

    def opening(self, messages: Sequence[Message]) -> Ids:
        """Return the first prompt: messages, and the head of the agent's turn."""
        ...

    def following(self, messages: Sequence[Message]) -> Ids:
        """Return what follows the agent's words: the closing, new messages, the next head."""
        ...

    def encode(self, text: str) -> Ids:
        """Return the ids of the agent's words."""
        ...

    def encode_target(self, target: Target) -> tuple[Ids, int]:
        """Return the ids of lead and text, and how many of them belong to the lead alone."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, special tokens left out."""
        ...


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """Return the text of ids, special tokens left out; the one way in which ids become text."""
    if isinstance(tokenizer, ByteTokenizer):
        return tokenizer.decode(ids)
    text: str = tokenizer.decode(
        list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    return text


class ByteFormat:
    """The format of a `ByteTokenizer`."""

    stop_ids: Ids = (END,)
    closing_stop: int | None = 0

    def __init__(self, tokenizer: ByteTokenizer) -> None:
        self._tokenizer = tokenizer

    def opening(self, messages: Sequence[Message]) -> Ids:
        """Return the first prompt: messages, and the head of the agent's turn."""
        return tuple(self._tokenizer.render(messages, add_generation_prompt=True))

    def following(self, messages: Sequence[Message]) -> Ids:
        """Return the end of the agent's turn, new messages, and the next head."""
        return (END, *self.opening(messages))

    def encode(self, text: str) -> Ids:
        """Return the bytes of the agent's words."""
        return tuple(self._tokenizer.encode(text))

    def encode_target(self, target: Target) -> tuple[Ids, int]:
        """Return the bytes of lead and text, and how many are the lead's."""
        return self.encode(target.lead + target.text), len(self.encode(target.lead))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of bytes."""
        return self._tokenizer.decode(ids)


class JinjaFormat:
    """The format of a transformers tokenizer with a chat template.

    Args:
        tokenizer: The tokenizer.
        tools: JSON schemas for the template to render.
        chat_template: Used instead of the tokenizer's own.

    Raises:
        RendererError: If the template rewrites history, leaves the tools out, or no token ends a
            turn.
    """

    def __init__(
        self, tokenizer: Any, tools: Sequence[Mapping[str, Any]], chat_template: str | None
    ) -> None:
        if chat_template is None and getattr(tokenizer, "chat_template", None) is None:
            raise RendererError(
                f"expected a tokenizer with a chat template, got {type(tokenizer).__name__} "
                "without one; pass chat_template="
            )
        self._tokenizer = tokenizer
        self._tools = [dict(tool) for tool in tools]
        self._template = chat_template
        self._base = [message("user", _ASKED), message("assistant", _SAID)]
        base = self._render(self._base, head=False)
        self._before_closing = base.rfind(_SAID) + len(_SAID)
        self._base_text = base
        closing = self.encode(base[self._before_closing :])
        special = _special_ids(tokenizer)
        self.closing_stop = next((i for i, each in enumerate(closing) if each in special), None)
        stops = [] if self.closing_stop is None else [closing[self.closing_stop]]
        if tokenizer.eos_token_id is not None:
            stops.append(tokenizer.eos_token_id)
        self.stop_ids = tuple(sorted(set(stops)))
        self._check()

    def opening(self, messages: Sequence[Message]) -> Ids:
        """Return the first prompt: messages, and the head of the agent's turn."""
        return self.encode(self._render(messages, head=True))

    def following(self, messages: Sequence[Message]) -> Ids:
        """Return what follows the agent's words: the closing, new messages, the next head."""
        return self.encode(self._following_text(messages))

    def encode(self, text: str) -> Ids:
        """Return the ids of a text, nothing added."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False))

    def encode_target(self, target: Target) -> tuple[Ids, int]:
        """Return the ids of lead and text, and how many of them belong to the lead alone.

        Both are tokenised together, as the agent would have written them; a token that covers the
        end of the lead and the start of the text belongs to the text. A tokenizer that cannot say
        which characters a token covers gets them one after the other.
        """
        if not getattr(self._tokenizer, "is_fast", False):
            lead = self.encode(target.lead)
            return (*lead, *self.encode(target.text)), len(lead)
        encoded = self._tokenizer(
            target.lead + target.text, add_special_tokens=False, return_offsets_mapping=True
        )
        ends = [end for _, end in encoded["offset_mapping"]]
        led = next((i for i, end in enumerate(ends) if end > len(target.lead)), len(ends))
        return tuple(encoded["input_ids"]), led

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, special tokens left out."""
        return decode(self._tokenizer, ids)

    def _render(self, messages: Sequence[Message], *, head: bool, tools: bool = True) -> str:
        import jinja2

        try:
            text: str = self._tokenizer.apply_chat_template(
                [dict(said) for said in messages],
                tools=(self._tools or None) if tools else None,
                chat_template=self._template,
                tokenize=False,
                add_generation_prompt=head,
            )
        except jinja2.TemplateError as error:
            roles = [said["role"] for said in messages]
            raise RendererError(
                f"expected a chat template that renders the roles {roles}, got: {error}; pass "
                "chat_template= with one that does"
            ) from error
        return text

    def _following_text(self, messages: Sequence[Message]) -> str:
        longer = self._render([*self._base, *messages], head=True)
        if not longer.startswith(self._base_text):
            raise _rewrites(self._base_text, longer)
        return longer[self._before_closing :]

    def _check(self) -> None:
        if not self.stop_ids:
            raise RendererError(
                "expected a token that ends the agent's turn, got a tokenizer without eos_token "
                "and a chat template that closes turns with plain text; set tokenizer.eos_token"
            )
        for conversation in self._made_up():
            self._check_extension(conversation)
        asked = self._base[:1]
        if self._tools and self._render(asked, head=True) == self._render(
            asked, head=True, tools=False
        ):
            raise RendererError(
                f"expected a chat template that renders tools, got one that leaves "
                f"{len(self._tools)} out; pass chat_template=, or no tools if the messages "
                "describe them"
            )

    def _made_up(self) -> list[list[Message]]:
        """Return two conversations of the roles that the template knows."""
        system = [message("system", "Answer briefly.")]
        asked = self._base[:1]
        if not self._renders([*system, *asked]):
            system = []
        looked: list[Message] = [*system, *asked, message("assistant", _THOUGHT)]
        result = message("tool", "The lake lies in the north.")
        if not self._renders([*looked, result]):
            result = message("user", result["content"])
        plain = [
            *self._base,
            message("user", "And the town?"),
            message("assistant", "In the south."),
        ]
        return [
            [*plain, message("user", "Thank you.")],
            [*looked, result, message("assistant", _THOUGHT), message("user", "Are you sure?")],
        ]

    def _renders(self, messages: Sequence[Message]) -> bool:
        try:
            self._render(messages, head=True)
        except RendererError:
            return False
        return True

    def _check_extension(self, conversation: Sequence[Message]) -> None:
        """Check that appending turn by turn gives what rendering all at once gives."""
        start = next(i for i, said in enumerate(conversation) if said["role"] == "assistant")
        grown = self._render(conversation[:start], head=True)
        for i in range(start, len(conversation), 2):
            news = conversation[i + 1 : i + 2]
            grown += conversation[i]["content"] + self._following_text(news)
            whole = self._render(conversation[: i + 2], head=True)
            if whole != grown:
                raise _rewrites(grown, whole)


_ASKED = "Where is the lake?"
_SAID = "It lies in the north."
_THOUGHT = "<think>\nA map may tell.\n</think>\n\n<search>lake</search>"


def _special_ids(tokenizer: Any) -> frozenset[int]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    marked = (number for number, token in added.items() if token.special)
    return frozenset((*tokenizer.all_special_ids, *marked))


def _rewrites(expected: str, got: str) -> RendererError:
    same = next(
        (i for i, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b),
        min(len(expected), len(got)),
    )
    here = slice(max(same - 20, 0), same + 40)
    return RendererError(
        "expected a chat template that only appends, got one that rewrites earlier messages: "
        f"{expected[here]!r} became {got[here]!r}; pass chat_template= with an append-only one, "
        "e.g. rmgym.agents.chat_templates.APPEND_ONLY_CHATML"
    )
