"""What the search environment says to the agent."""

from __future__ import annotations

from collections.abc import Sequence

from rmgym.envs.search.tasks import SearchTask
from rmgym.protocols import Hit

TAG_RULES = """\
Answer the question below. Think inside <think> and </think> before you act, and whenever new \
information comes in. If you lack a fact, look it up with <search>your query</search>; what is \
found comes back between <information> and </information>. You have {searches} searches at most. \
As soon as you know enough, give the answer alone, in few words, as in <answer>Lisbon</answer>."""

TOOL_RULES = """\
Answer the question below. Think inside <think> and </think>, then do one thing a turn: call a \
tool as in <tool_call>{{"name": "web_search", "arguments": {{"query": "..."}}}}</tool_call>, or \
give the answer alone, in few words, as in <answer>Lisbon</answer>. You have {searches} searches \
at most."""

TABLE_RULES = """\
Write the answer as tab-separated lines between the answer tags: first a line with the column \
names, then one line per item."""

KNOWN_RULES = """\
You already know these facts (subject | relation | object), and they are enough to answer:
{facts}"""

INVALID = """\
The last action could not be read ({error}). To look something up, write \
{search}. To finish, write <answer>the answer</answer>."""

LAST_TURN = "No searches are left: the next turn must give the answer."


def opening_text(task: SearchTask, rules: str, searches: int) -> str:
    """Return the opening message: rules, what the agent knows, the question."""
    parts = [rules.format(searches=searches)]
    if task.answer_type in ("item", "set", "list", "table"):
        parts.append(TABLE_RULES)
    if task.known:
        parts.append(KNOWN_RULES.format(facts="\n".join(f"- {fact}" for fact in task.known_facts)))
    parts.append(f"Question: {task.question}")
    return "\n\n".join(parts)


def format_passages(hits: Sequence[Hit], max_characters: int | None = None) -> str:
    """Return hits as Search-R1 shows them: `Doc 1(Title: T) text`, one a line, cut to a length."""
    lines = [f"Doc {hit.rank}(Title: {hit.passage.title}) {hit.passage.text}\n" for hit in hits]
    return "".join(lines).strip()[:max_characters]


def information_text(hits: Sequence[Hit], max_characters: int | None = None) -> str:
    """Return the environment's answer to a search, in Search-R1's information block."""
    return f"\n\n<information>{format_passages(hits, max_characters)}</information>\n\n"
