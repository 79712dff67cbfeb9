from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from rmgym.agents.chat_templates import APPEND_ONLY_CHATML
from rmgym.agents.renderer import Renderer, RendererError, without_ids
from rmgym.messages import Message, message
from rmgym.protocols import Target, Tool
from rmgym.testing.bytes_tokenizer import BEGIN, END, ByteTokenizer
from rmgym.trajectory import Completion, Context, Turn

ASKED = (message("system", "Be brief."), message("user", "Where?"))
TOOLS = [
    Tool(name="look", description="Looks.", parameters={"x": {"type": "string"}}).json_schema()
]
DROPS_THOUGHTS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('</think>')[-1].lstrip() }}"
    "{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
FILLS_THE_LAST = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TOOLS_LAST = (
    "{% for m in messages %}"
    "{% if loop.last and tools %}[TOOLS]{{ tools | tojson }}{% endif %}"
    "{{ m.role }}: {{ m.content }}<|im_end|>{% endfor %}"
)
USER_AND_ASSISTANT = (
    "{% for m in messages %}"
    "{% if m.role not in ['user', 'assistant'] %}"
    "{{ raise_exception('no role ' + m.role) }}{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def turn(said: Completion, *observed: Message) -> Turn:
    return Turn(observation=observed or ASKED, completion=said)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    pytest.importorskip("transformers", reason="transformers is not installed")
    from rmgym.agents.tiny_models import tiny_tokenizer

    return tiny_tokenizer()


def whole(tokenizer: Any, messages: Sequence[Message], **options: Any) -> tuple[int, ...]:
    """Return what the template gives for the whole conversation at once."""
    text = tokenizer.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=True, **options
    )
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def test_bytes_are_rendered_as_their_tokenizer_does() -> None:
    tokenizer = ByteTokenizer()
    said = Completion(text="hé", completion_ids=(104, 195, 169, END))
    context = Context([turn(said)], (message("user", "More."),))
    assert Renderer(tokenizer).prompt(context) == tokenizer.prompt(context)


def test_a_byte_turn_cut_at_its_length_is_closed_in_the_next_prompt() -> None:
    said = Completion(text="no", prompt_ids=(BEGIN,), completion_ids=(110, 111))
    prompt = Renderer(ByteTokenizer()).prompt(Context([turn(said)], (message("user", "?"),)))
    assert prompt[:5] == (BEGIN, 110, 111, END, BEGIN)


def test_bytes_take_no_tools() -> None:
    with pytest.raises(RendererError, match="describe the tools in the messages"):
        Renderer(ByteTokenizer(), tools=TOOLS)


def test_the_scored_bytes_of_a_target_are_those_of_its_text() -> None:
    assert Renderer(ByteTokenizer()).target(Target("né", "é")) == ((195, 169, 110, 195, 169), 2)


def test_appending_gives_what_the_template_gives_at_once(tokenizer: Any) -> None:
    news = (message("tool", "A lake."), message("user", "And?"))
    context = Context([turn(Completion(text="<search>lake</search>"))], news)
    expected = whole(tokenizer, context.messages)
    assert Renderer(tokenizer).prompt(context) == expected


def test_a_sampled_stop_token_is_not_doubled(tokenizer: Any) -> None:
    stop = tokenizer.eos_token_id
    prompt_ids = whole(tokenizer, ASKED)
    renderer = Renderer(tokenizer)
    said = Completion(
        text=renderer.text((81, 82, stop)), prompt_ids=prompt_ids, completion_ids=(81, 82, stop)
    )
    prompt = renderer.prompt(Context([turn(said)], (message("user", "?"),)))
    line_feed, head = tokenizer.encode("\n"), tokenizer.convert_tokens_to_ids("<|im_start|>")
    assert prompt[: len(prompt_ids) + 3] == (*prompt_ids, 81, 82, stop)
    assert prompt[len(prompt_ids) + 3 :][:2] == (*line_feed, head)


def test_a_turn_cut_at_its_length_is_closed_by_the_template(tokenizer: Any) -> None:
    renderer, prompt_ids = Renderer(tokenizer), whole(tokenizer, ASKED)
    said = Completion(
        text=renderer.text((81, 82)),
        prompt_ids=prompt_ids,
        completion_ids=(81, 82),
        finish_reason="length",
    )
    prompt = renderer.prompt(Context([turn(said)], (message("user", "?"),)))
    rest = prompt[len(prompt_ids) + 2 :]
    assert rest[:2] == (tokenizer.eos_token_id, *tokenizer.encode("\n"))


def test_sampled_ids_stand_as_they_were_sampled(tokenizer: Any) -> None:
    letters = tuple(tokenizer.convert_tokens_to_ids(list("lake")))
    assert letters != tuple(tokenizer.encode("lake"))
    said = Completion(text="lake", completion_ids=letters)
    prompt = Renderer(tokenizer).prompt(Context([turn(said)], (message("user", "?"),)))
    opening = len(whole(tokenizer, ASKED))
    assert prompt[opening : opening + 4] == letters


def test_ids_of_another_tokenizer_are_refused(tokenizer: Any) -> None:
    said = Completion(text="lake", prompt_ids=(1, 2), completion_ids=(108, 97, 107, 101))
    turns = [turn(said)]
    renderer = Renderer(tokenizer)
    with pytest.raises(RendererError, match="another tokenizer's"):
        renderer.prompt(Context(turns, (message("user", "?"),)))
    assert renderer.prompt(Context(without_ids(turns), (message("user", "?"),)))


@pytest.mark.parametrize("template", [DROPS_THOUGHTS, FILLS_THE_LAST, TOOLS_LAST])
def test_a_template_that_rewrites_history_is_refused(tokenizer: Any, template: str) -> None:
    with pytest.raises(RendererError, match=r"rewrites earlier messages.*APPEND_ONLY_CHATML"):
        Renderer(tokenizer, tools=TOOLS, chat_template=template)


def test_an_append_only_template_replaces_one_that_rewrites(tokenizer: Any) -> None:
    own = tokenizer.chat_template
    tokenizer.chat_template = DROPS_THOUGHTS
    try:
        renderer = Renderer(tokenizer, chat_template=APPEND_ONLY_CHATML)
        prompt = renderer.prompt(Context([], ASKED))
    finally:
        tokenizer.chat_template = own
    assert prompt == whole(tokenizer, ASKED)


def test_the_template_renders_the_tools(tokenizer: Any) -> None:
    prompt = Renderer(tokenizer, tools=TOOLS).prompt(Context([], ASKED))
    assert prompt == whole(tokenizer, ASKED, tools=TOOLS)
    assert '"name": "look"' in tokenizer.decode(prompt)


def test_a_template_that_leaves_the_tools_out_is_refused(tokenizer: Any) -> None:
    Renderer(tokenizer, chat_template=USER_AND_ASSISTANT)
    with pytest.raises(RendererError, match="leaves 1 out"):
        Renderer(tokenizer, tools=TOOLS, chat_template=USER_AND_ASSISTANT)


def test_a_role_that_the_template_does_not_know_is_named(tokenizer: Any) -> None:
    renderer = Renderer(tokenizer, chat_template=USER_AND_ASSISTANT)
    with pytest.raises(RendererError, match="no role system"):
        renderer.prompt(Context([], ASKED))


def test_a_tokenizer_without_a_template_is_refused(tokenizer: Any) -> None:
    own = tokenizer.chat_template
    tokenizer.chat_template = None
    try:
        with pytest.raises(RendererError, match="pass chat_template="):
            Renderer(tokenizer)
    finally:
        tokenizer.chat_template = own


def test_only_tokens_that_hold_text_of_the_target_are_scored(tokenizer: Any) -> None:
    ids, first = Renderer(tokenizer).target(Target("the lake", "<answer>"))
    assert list(ids) == tokenizer.encode("<answer>the lake")
    assert tokenizer.decode(ids[first:]) == "the lake"


def test_a_token_across_the_border_of_lead_and_text_is_scored(tokenizer: Any) -> None:
    ids, first = Renderer(tokenizer).target(Target("ake", "the l"))
    assert tokenizer.decode(ids[first:]) == " lake"


def test_an_empty_target_has_nothing_to_score(tokenizer: Any) -> None:
    ids, first = Renderer(tokenizer).target(Target("", "<answer>"))
    assert first == len(ids)
