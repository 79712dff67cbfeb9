"""From the text of a turn to a parsed action, or a `ParseError` that says what was expected.

Two grammars: text tags (`<search>query</search>`, as in Search-R1) and Hermes-style tool calls
(`<tool_call>{"name": ..., "arguments": {...}}</tool_call>`). Both take the first complete action
and ignore what follows. Time is linear in the length of the text.

An error never quotes the agent: it is shown to the agent as a message, and text that the agent
could place there would count as shown by the world, for a scorer of beliefs or a judge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Literal, NoReturn, Protocol, TypeAlias

from rmgym.errors import ParseError
from rmgym.protocols import Call, Tool

ActionFormat: TypeAlias = Literal["tags", "tool_call"]

_JSON_DEPTH = 64
_JSON_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


class Grammar(Protocol):
    """Turns the text of a turn into a call."""

    def parse(self, text: str) -> Call:
        """Return the first complete action.

        Raises:
            ParseError: If there is none; says what was expected.
        """
        ...

    def describe(self) -> str:
        """Return one line per tool that shows how to call it."""
        ...


def first_tag(
    text: str, names: Iterable[str], self_closing: Iterable[str] = ()
) -> tuple[str, str] | None:
    r"""Return name and stripped content of the leftmost complete tag.

    The same choice as the regular expression `<(a|b)>(.*?)</\1>`, in linear time. Names in
    `self_closing` may also be written `<a/>`.

    >>> first_tag("<search>unclosed <answer> 42 </answer>", ["search", "answer"])
    ('answer', '42')
    >>> first_tag("I agree. <agree/>", ["answer"], ["agree"])
    ('agree', '')
    >>> first_tag("<search>never closed", ["search"]) is None
    True
    """
    marks = [_marks(name) for name in names]
    return _leftmost(text, marks, [(name, f"<{name}/>") for name in self_closing])


def _marks(name: str) -> tuple[str, str, str]:
    return name, f"<{name}>", f"</{name}>"


def _leftmost(
    text: str, marks: Sequence[tuple[str, str, str]], single: Sequence[tuple[str, str]]
) -> tuple[str, str] | None:
    best: tuple[int, int, int, str] | None = None
    for name, opening, closing in marks:
        start = text.find(opening)
        if start < 0:
            continue
        inside = start + len(opening)
        end = text.find(closing, inside)
        if end >= 0 and (best is None or start < best[0]):
            best = (start, inside, end, name)
    for name, mark in single:
        start = text.find(mark)
        if start >= 0 and (best is None or start < best[0]):
            best = (start, start, start, name)
    if best is None:
        return None
    _, inside, end, name = best
    return name, text[inside:end].strip()


def load_json(text: str) -> Any:
    """Parse JSON from an agent.

    Raises:
        ParseError: If it is not JSON, nests too deeply, or holds a number that is not finite or
            too long to read.
    """
    try:
        value = json.loads(text, parse_float=_finite_number, parse_constant=_no_number)
    except RecursionError:
        raise _too_deep() from None
    except ParseError:
        raise
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ParseError(f"expected JSON, got an error at {place}: {error.msg}") from None
    except ValueError:
        raise ParseError("expected numbers of moderate length in JSON, got a longer one") from None
    if isinstance(value, (list, dict)) and text.count("[") + text.count("{") > _JSON_DEPTH:
        _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    # A fixed bound: the interpreter's own depends on who calls, and would let through what later
    # fails to be pickled or printed.
    level = [value]
    for _ in range(_JSON_DEPTH):
        inner = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, (list, dict))
        ]
        if not inner:
            return
        level = inner
    raise _too_deep()


def _too_deep() -> ParseError:
    return ParseError(f"expected JSON of at most {_JSON_DEPTH} levels, got deeply nested brackets")


def _finite_number(digits: str) -> float:
    number = float(digits)
    return number if isfinite(number) else _no_number(digits)


def _no_number(_: str) -> NoReturn:
    raise ParseError("expected finite numbers in JSON, got one that is not")


def check_arguments(tool: Tool, arguments: Mapping[str, Any]) -> None:
    """Hold the arguments of a call against the tool's schema (type, enum, bounds, required).

    Raises:
        ParseError: If an argument is missing, unknown or of another type.
    """
    for name in tool.required:
        if name not in arguments:
            raise ParseError(f"expected argument {name!r} of {tool.name}, got none")
    for name, value in arguments.items():
        schema = tool.parameters.get(name)
        if schema is None:
            raise ParseError(
                f"expected arguments {sorted(tool.parameters)} of {tool.name}, got another one"
            )
        _check_value(f"{tool.name}.{name}", value, schema)


def _check_value(where: str, value: Any, schema: Mapping[str, Any]) -> None:
    kind = schema.get("type")
    if kind is not None:
        python_type = _JSON_TYPES[kind]
        is_bool = isinstance(value, bool)
        if not isinstance(value, python_type) or (is_bool and kind != "boolean"):
            raise ParseError(f"expected {where} of type {kind}, got {type(value).__name__}")
    if "enum" in schema and value not in schema["enum"]:
        raise ParseError(f"expected {where} in {schema['enum']}, got another value")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            raise ParseError(f"expected {where} from {low} to {high}, got another number")
    if isinstance(value, list) and "items" in schema:
        for item in value:
            _check_value(f"an item of {where}", item, schema["items"])


class TagGrammar:
    """Text tags: the content of the tag is the tool's text argument."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.tools = tuple(tools)
        for tool in self.tools:
            if tool.required and tool.text_argument is None:
                raise ValueError(f"expected a text_argument of {tool.name!r} to write it as a tag")
        self._by_name = {tool.name: tool for tool in self.tools}
        self._marks = [_marks(tool.name) for tool in self.tools]
        self._single = [(t.name, _tag_form(t)) for t in self.tools if t.text_argument is None]

    def parse(self, text: str) -> Call:
        """Return the call written by the leftmost complete tag."""
        found = _leftmost(text, self._marks, self._single)
        if found is None:
            wanted = " or ".join(_tag_form(tool) for tool in self.tools)
            raise ParseError(f"expected {wanted}, got no complete action; close the tag")
        name, content = found
        return _tag_call(self._by_name[name], content)

    def describe(self) -> str:
        """Return one line per tool that shows its tag."""
        return "\n".join(_describe_tag(tool) for tool in self.tools)


class ToolCallGrammar:
    """Hermes-style tool calls; tools named in `tags` are written as text tags instead."""

    def __init__(self, tools: Sequence[Tool], tags: tuple[str, ...] = ()) -> None:
        self.tools = tuple(tools)
        self.tags = tags
        self._by_name = {tool.name: tool for tool in self.tools}
        strangers = [tag for tag in tags if tag not in self._by_name]
        if strangers:
            raise ValueError(f"expected answer tags of {sorted(self._by_name)}, got {strangers}")
        bare = [self._by_name[tag] for tag in tags if self._by_name[tag].text_argument is None]
        self._single = [(tool.name, _tag_form(tool)) for tool in bare]
        self._marks = [_marks(name) for name in ("tool_call", *tags)]

    def parse(self, text: str) -> Call:
        """Return the leftmost complete call or tag, its arguments held against the schema."""
        found = _leftmost(text, self._marks, self._single)
        if found is None:
            tagged = [_tag_form(self._by_name[tag]) for tag in self.tags]
            wanted = ["<tool_call>{...}</tool_call>", *tagged]
            raise ParseError(f"expected {' or '.join(wanted)}, got no complete action")
        name, content = found
        if name != "tool_call":
            return _tag_call(self._by_name[name], content)
        return self._json_call(content)

    def _json_call(self, content: str) -> Call:
        value = load_json(content)
        if not isinstance(value, dict) or not isinstance(value.get("name"), str):
            raise ParseError('expected {"name": ..., "arguments": {...}} in <tool_call>')
        callable_tools = {tool.name: tool for tool in self.tools if tool.name not in self.tags}
        tool = callable_tools.get(value["name"])
        if tool is None:
            raise ParseError(
                f"expected one of the tools {sorted(callable_tools)}, got another name"
            )
        arguments = value.get("arguments", {})
        if not isinstance(arguments, dict):
            raise ParseError(
                f'expected "arguments" of {tool.name} to be an object, '
                f"got {type(arguments).__name__}"
            )
        check_arguments(tool, arguments)
        return Call(tool.name, arguments)

    def describe(self) -> str:
        """Return one line per tool that shows how to call it."""
        return "\n".join(
            _describe_tag(tool) if tool.name in self.tags else _describe_call(tool)
            for tool in self.tools
        )


def make_grammar(
    action_format: ActionFormat, tools: Sequence[Tool], tags: tuple[str, ...] = ()
) -> Grammar:
    """Return the grammar for an action format; `tags` stay text tags in either."""
    if action_format == "tags":
        return TagGrammar(tuple(tools))
    if action_format == "tool_call":
        return ToolCallGrammar(tuple(tools), tags)
    raise ValueError(f'expected action_format "tags" or "tool_call", got {action_format!r}')


def _tag_call(tool: Tool, content: str) -> Call:
    if tool.text_argument is None:
        return Call(tool.name, {})
    schema = tool.parameters.get(tool.text_argument, {})
    if schema.get("type", "string") == "string":
        if "enum" in schema:
            _check_value(f"{tool.name}.{tool.text_argument}", content, schema)
        return Call(tool.name, {tool.text_argument: content})
    arguments = {tool.text_argument: load_json(content)}
    check_arguments(tool, arguments)
    return Call(tool.name, arguments)


def _tag_form(tool: Tool, inside: str = "...") -> str:
    return (
        f"<{tool.name}/>" if tool.text_argument is None else f"<{tool.name}>{inside}</{tool.name}>"
    )


def _describe_tag(tool: Tool) -> str:
    return f"{_tag_form(tool, tool.text_argument or '')}: {tool.description}"


def _describe_call(tool: Tool) -> str:
    example = {"name": tool.name, "arguments": dict.fromkeys(tool.parameters, "...")}
    return f"<tool_call>{json.dumps(example)}</tool_call>: {tool.description}"
