"""What the tools of an episode really showed, by web address (second step of CaRR).

Reads the browser's form: a search prints `[i] Title:`, `[i] URL Source:` and `[i] Description:`
for each hit; `open` takes the index of a hit of the last search, or an address; `find` looks in
the page that was opened last. Only what came back to the agent counts, never what it wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from rmgym.judges.protocols import Transcript
from rmgym.parsing import first_tag
from rmgym.rewards.carr import MAX_CITATIONS, extract_citations, usable_citations

_HIT = re.compile(
    r"^\[(\d+)\] Title: (.*)\n\[\1\] URL Source: (\S+)\n\[\1\] Description: "
    r"((?:(?!^\[\d+\] Title: ).*\n?)*)",
    re.MULTILINE,
)
_SEARCH, _OPEN, _FIND = ("search", "web_search"), ("open",), ("find",)
_TARGETS = ("id", "url", "index", "link", "open")


class _Browser(NamedTuple):
    """Where the agent is."""

    hits: tuple[str, ...] = ()
    """Addresses of the last search, by index."""
    page: str | None = None


def shown_pages(transcript: Transcript) -> dict[str, str]:
    """Return all text that the tools showed of each address: snippets, pages and finds.

    A find is added to the page that was open. Tool output that answers no readable call is left
    out.
    """
    shown: dict[str, list[str]] = {}
    at = _Browser()
    call: tuple[str, str] | None = None
    for said in transcript:
        if said["role"] == "assistant":
            call = _call_of(said["content"])
        elif call is not None:
            at = _enter(shown, at, call, said["content"])
    return {address: "\n".join(texts) for address, texts in shown.items()}


def collect_evidence(
    report: str, transcript: Transcript, limit: int = MAX_CITATIONS
) -> list[tuple[str, str]]:
    """Return the cited addresses that the tools really showed, each with what it showed.

    Args:
        report: The final report with links `[n](http...)`.
        transcript: The whole episode.
        limit: How many addresses at most; the first ones count.
    """
    shown = shown_pages(transcript)
    return [(url, shown[url]) for url in usable_citations(extract_citations(report), shown, limit)]


def _enter(
    shown: dict[str, list[str]], at: _Browser, call: tuple[str, str], output: str
) -> _Browser:
    name, target = call
    if name in _SEARCH:
        hits = _HIT.findall(output)
        for _, title, address, description in hits:
            shown.setdefault(address, []).append(f"{title}\n{description.strip()}")
        return _Browser(hits=tuple(address for _, _, address, _ in hits), page=at.page)
    page = _address(target, at.hits) if name in _OPEN else at.page
    if page is not None and output.strip():
        shown.setdefault(page, []).append(output.strip())
    return at._replace(page=page)


def _address(target: str, hits: Sequence[str]) -> str | None:
    if target.isdecimal():
        return hits[int(target)] if int(target) < len(hits) else None
    return target or None


def _call_of(text: str) -> tuple[str, str] | None:
    """Return name and target of a turn's call of the browser, or None."""
    found = first_tag(text, ("tool_call", *_SEARCH, *_OPEN, *_FIND))
    if found is None or found[0] != "tool_call":
        return found
    try:
        call: Any = json.loads(found[1])
    except (ValueError, RecursionError):
        return None
    if not isinstance(call, dict) or call.get("name") not in (*_SEARCH, *_OPEN, *_FIND):
        return None
    arguments = call.get("arguments")
    named = arguments if isinstance(arguments, dict) else {}
    target = next((str(named[key]) for key in _TARGETS if key in named), "")
    return str(call["name"]), target
