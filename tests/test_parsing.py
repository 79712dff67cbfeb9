from __future__ import annotations

import re
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmgym.errors import ParseError
from rmgym.parsing import (
    TagGrammar,
    ToolCallGrammar,
    check_arguments,
    first_tag,
    load_json,
    make_grammar,
)
from rmgym.protocols import Call, Tool
from rmgym.testing import malformed_actions

SEARCH = Tool(
    name="search",
    description="Search.",
    parameters={
        "query": {"type": "string"},
        "k": {"type": "integer", "minimum": 1, "maximum": 5},
    },
    required=("query",),
    text_argument="query",
)
OFFER = Tool(
    name="offer",
    description="Offer.",
    parameters={"price": {"type": "number", "minimum": 0, "maximum": 100}},
    required=("price",),
    text_argument="price",
)
VOTE = Tool(
    name="vote",
    description="Vote.",
    parameters={"side": {"type": "string", "enum": ["yes", "no"]}},
    required=("side",),
    text_argument="side",
)
ACCEPT = Tool(name="accept", description="Accept.")
FILL = Tool(
    name="fill",
    description="Fill.",
    parameters={"items": {"type": "array", "items": {"type": "integer"}}, "any": {}},
)
TOOLS = (SEARCH, OFFER, VOTE, ACCEPT, FILL)
TAGS = TagGrammar(TOOLS)
CALLS = ToolCallGrammar(TOOLS, tags=("vote",))


def call(text: str) -> str:
    return f"<tool_call>{text}</tool_call>"


def test_leftmost_complete_tag_wins() -> None:
    found = first_tag("<search>open <answer>1</answer> <search>2</search>", ["answer", "search"])
    assert found == ("search", "open <answer>1</answer> <search>2")


def test_self_closing_form_is_only_for_tools_without_text() -> None:
    assert TAGS.parse("fine <accept/>") == Call("accept", {})
    with pytest.raises(ParseError):
        TAGS.parse("<search/>")


@settings(max_examples=300)
@given(st.lists(st.sampled_from(["<a>", "</a>", "<b>", "</b>", "x", "\n", "<", "/>"]), max_size=12))
def test_first_tag_agrees_with_the_regular_expression(pieces: list[str]) -> None:
    text = "".join(pieces)
    expected = re.search(r"<(a|b)>(.*?)</\1>", text, re.DOTALL)
    found = first_tag(text, ["b", "a"])
    assert found == (expected and (expected[1], expected[2].strip()))


def test_quadratic_bait_takes_linear_time() -> None:
    assert first_tag("<a><b>" * 200_000, ["a", "b"], ["a", "b"]) is None


def test_text_after_the_first_action_is_ignored() -> None:
    text = "<search>one</search><accept/>"
    assert TAGS.parse(text) == Call("search", {"query": "one"})


def test_number_in_a_tag_is_read_and_held_against_its_bounds() -> None:
    assert TAGS.parse("<offer> 12.5 </offer>") == Call("offer", {"price": 12.5})
    for bad in ("101", "-1", '"12"', "true", "NaN", "1e999", "twelve", ""):
        with pytest.raises(ParseError):
            TAGS.parse(f"<offer>{bad}</offer>")


def test_choice_in_a_tag_must_be_on_the_menu() -> None:
    assert TAGS.parse("<vote>yes</vote>").text == "yes"
    with pytest.raises(ParseError, match=r"expected vote\.side in"):
        TAGS.parse("<vote>maybe</vote>")


def test_tool_call_gives_name_and_arguments() -> None:
    parsed = CALLS.parse(call('{"name": "search", "arguments": {"query": "a", "k": 3}}'))
    assert parsed == Call("search", {"query": "a", "k": 3})


def test_tool_call_keeps_the_named_tags_in_their_self_closing_form() -> None:
    grammar = ToolCallGrammar(TOOLS, tags=("accept",))
    assert grammar.parse("Fine. <accept/>") == Call("accept", {})
    with pytest.raises(ParseError, match="or <accept/>, got no complete action"):
        grammar.parse("Fine.")


def test_tag_without_a_tool_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected answer tags of"):
        make_grammar("tool_call", TOOLS, ("answer",))


def test_tool_call_keeps_the_named_tags() -> None:
    assert CALLS.parse("<vote>no</vote>") == Call("vote", {"side": "no"})
    with pytest.raises(ParseError, match="expected one of the tools"):
        CALLS.parse(call('{"name": "vote", "arguments": {"side": "no"}}'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no action", "got no complete action"),
        (call("nonsense"), "expected JSON"),
        (call("[]"), 'expected {"name"'),
        (call('{"name": 3}'), 'expected {"name"'),
        (call('{"name": "fly"}'), "expected one of the tools"),
        (call('{"name": "search", "arguments": []}'), "to be an object"),
        (call('{"name": "search", "arguments": {}}'), "expected argument 'query'"),
        (call('{"name": "search", "arguments": {"query": 1}}'), "of type string, got int"),
        (call('{"name": "search", "arguments": {"query": "a", "n": 1}}'), "expected arguments"),
        (call('{"name": "search", "arguments": {"query": "a", "k": true}}'), "integer, got bool"),
        (call('{"name": "search", "arguments": {"query": "a", "k": 9}}'), "from 1 to 5"),
        (call('{"name": "fill", "arguments": {"items": [1, "b"]}}'), "an item of fill.items"),
        (call('{"name": "fill", "arguments": {"any": NaN}}'), "finite numbers"),
        (call('{"name": "fill", "arguments": {"any": -Infinity}}'), "finite numbers"),
        (call('{"name": "fill", "arguments": {"any": [1e400]}}'), "finite numbers"),
    ],
)
def test_parse_error_says_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ParseError, match=re.escape(message)):
        CALLS.parse(text)


def test_json_may_nest_64_levels_and_no_more() -> None:
    assert load_json("[" * 64 + "1" + "]" * 64)
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        with pytest.raises(ParseError, match="at most 64 levels"):
            load_json(opening * 65 + "1" + closing * 65)
        with pytest.raises(ParseError, match="at most 64 levels"):
            load_json(opening * 100_000 + "1" + closing * 100_000)


def test_brackets_inside_strings_are_no_depth() -> None:
    assert load_json('["' + "[{" * 500 + '"]') == ["[{" * 500]


def test_depth_limit_does_not_depend_on_the_callers_stack() -> None:
    text = "[" * 60 + "]" * 60

    def deep(frames: int) -> object:
        return deep(frames - 1) if frames else load_json(text)

    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(deep(sys.getrecursionlimit() - 200)))
    thread.start()
    thread.join()
    assert results == [load_json(text)]


def test_integer_too_long_to_read_is_a_parse_error() -> None:
    with pytest.raises(ParseError, match="moderate length"):
        load_json("9" * 5_000)


@pytest.mark.parametrize(
    "template",
    [
        "<offer>WORD</offer>",
        "<vote>WORD</vote>",
        call("WORD"),
        call('{"name": "WORD"}'),
        call('{"name": "search", "arguments": {"query": "x", "WORD": 1}}'),
        call('{"name": "search", "arguments": {"query": "x", "k": "WORD"}}'),
        call('{"name": "fill", "arguments": {"items": ["WORD"]}}'),
    ],
)
def test_error_never_repeats_the_agents_words(template: str) -> None:
    with pytest.raises(ParseError) as caught:
        (CALLS if "tool_call" in template else TAGS).parse(template.replace("WORD", "zanzibar"))
    assert "zanzibar" not in str(caught.value)


def test_check_arguments_takes_a_legal_call() -> None:
    check_arguments(FILL, {"items": [1, 2], "any": None})


def test_describe_shows_every_tool_on_its_line() -> None:
    assert TAGS.describe().splitlines()[:2] == [
        "<search>query</search>: Search.",
        "<offer>price</offer>: Offer.",
    ]
    assert len(CALLS.describe().splitlines()) == len(TOOLS)


def test_unknown_action_format_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected action_format"):
        make_grammar("xml", TOOLS)  # type: ignore[arg-type]  # the point


def outcome(grammar: TagGrammar | ToolCallGrammar, action: str) -> Call | str:
    try:
        return grammar.parse(action)
    except ParseError as error:
        return str(error)


@pytest.mark.parametrize("grammar", [TAGS, CALLS])
def test_malformed_actions_parse_or_say_why(grammar: TagGrammar | ToolCallGrammar) -> None:
    for action in malformed_actions(np.random.default_rng(0), 500, tools=TOOLS):
        parsed = outcome(grammar, action)
        if isinstance(parsed, str):
            assert len(parsed) < 600
            assert parsed.isascii()
        else:
            assert parsed.name in {tool.name for tool in TOOLS}
