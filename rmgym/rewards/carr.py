"""Citation-aware rubric reward: a graph of single-hop statements around the answer (CaRR).

Statements name entities by placeholder, `<E0>` being the answer. A statement counts if all its
entities were named in the report, the cited text supports it, and a chain of such statements
leads from it to the answer.

Source: THUDM/CaRR, `deepsearch_rm_with_rubrics/launch_server.py`; arXiv 2601.06021. Confidence:
source.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from rmgym.errors import RewardError
from rmgym.judges.guard import rejection
from rmgym.protocols import Grant, Score
from rmgym.rewards.answers import answer_of
from rmgym.rewards.facts import each, event_fact, finite, same_length, task_fact
from rmgym.trajectory import Context

MAX_CITATIONS = 20
REFERENCES = "## References"

_LINK = re.compile(r"\[\d+\]\((https?://[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)\)")
_LINK_RELEASE = re.compile(_LINK.pattern + r"(?=[\],])")
_PLACEHOLDER = re.compile(r"<(E\d+)>")
_NO_NAME = ("", "null", "none")


@dataclass(frozen=True, slots=True)
class RubricGraph:
    """Which statements count."""

    supported: tuple[int, ...]
    """Indices of supported statements whose entities are all named."""
    connected: tuple[int, ...]
    """Those of them that a chain joins to the root."""
    rubric_reward: float
    """Connected statements / all, 0 to 1."""
    rubric_reward_without_graph: float
    """Supported statements / all, 0 to 1: the ablation."""


@runtime_checkable
class RubricVerifier(Protocol):
    """Reads entities off a report and holds statements against the cited text."""

    def identify(self, report: str, entities: Sequence[str]) -> Mapping[str, str | None]:
        """Return the name of each entity, None unless the report states it."""
        ...

    def supported(self, statements: Sequence[str], evidence: str) -> Sequence[bool]:
        """Return whether the evidence fully supports each statement."""
        ...


def extract_citations(report: str, compat: Literal["paper", "release"] = "paper") -> list[str]:
    """Return the distinct addresses of links `[n](http...)`, in order.

    Text after the last "## References" is left out. The release reads a link only if `]` or `,`
    follows it.

    >>> extract_citations("born in Ulm [1](http://a.org/x) ## References [2](http://b.org)")
    ['http://a.org/x']
    """
    body = report.rpartition(REFERENCES)[0] if REFERENCES in report else report
    pattern = _LINK_RELEASE if compat == "release" else _LINK
    return list(dict.fromkeys(pattern.findall(body)))


def usable_citations(
    cited: Sequence[str], pages: Mapping[str, str], limit: int = MAX_CITATIONS
) -> list[str]:
    """Return the first cited addresses that the tools really showed, at most `limit`."""
    return [address for address in cited if address in pages][:limit]


def placeholders(statement: str) -> list[str]:
    """Return the distinct placeholders of a statement, in order.

    >>> placeholders("<E1> was born where <E0> lived, says <E1>")
    ['E1', 'E0']
    """
    return list(dict.fromkeys(_PLACEHOLDER.findall(statement)))


def entity_name(name: str | None) -> str | None:
    """Return a usable name, or None for null, "null", "none", and a copied placeholder."""
    if name is None or name.strip().lower() in _NO_NAME or _PLACEHOLDER.search(name):
        return None
    return name.strip()


def rubric_graph(
    rubric_entities: Sequence[Sequence[str]],
    judge_supported: Sequence[bool],
    identified: Mapping[str, str | None],
    root: str = "E0",
) -> RubricGraph:
    """Return which statements are supported and which a chain of shared entities joins to `root`.

    Args:
        rubric_entities: The entities that each statement names; one that names none can never be
            reached.
        judge_supported: Whether the cited text supports each statement.
        identified: Name of each entity, None where the report does not state it.
        root: The entity that stands for the answer.

    Raises:
        RewardError: If there is no statement, lengths differ, or an entity has no entry.
    """
    if not rubric_entities:
        raise RewardError("expected at least one rubric statement, got none")
    same_length("statements and verdicts", rubric_entities, judge_supported)
    missing = sorted({e for row in rubric_entities for e in row if e not in identified})
    if missing:
        raise RewardError(f"expected an identity (or None) of every entity, got none of {missing}")
    supported = [
        i
        for i, entities in enumerate(rubric_entities)
        if judge_supported[i] and all(entity_name(identified[e]) for e in entities)
    ]
    connected = _reached(rubric_entities, supported, root)
    total = len(rubric_entities)
    return RubricGraph(
        tuple(supported), tuple(connected), len(connected) / total, len(supported) / total
    )


def server_mix(outcome: float, rubric: float, alpha: float = 0.0) -> float:
    """Return (1 - alpha) * outcome + alpha * rubric, the plain mix of CaRR's server.

    A wrong answer still earns rubric credit here; C-GRPO pays it to right answers only.

    >>> server_mix(1.0, 0.6, 0.5)
    0.8
    """
    outcome, rubric = finite("outcome", outcome), finite("rubric", rubric)
    return (1.0 - finite("alpha", alpha)) * outcome + alpha * rubric


def _reached(entities: Sequence[Sequence[str]], supported: Sequence[int], root: str) -> list[int]:
    by_entity: dict[str, list[int]] = {}
    for i in supported:
        for entity in entities[i]:
            by_entity.setdefault(entity, []).append(i)
    queue, visited, reached = deque([root]), {root}, set[int]()
    while queue:
        for i in by_entity.get(queue.popleft(), ()):
            reached.add(i)
            for entity in entities[i]:
                if entity not in visited:
                    visited.add(entity)
                    queue.append(entity)
    return sorted(reached)


@dataclass(frozen=True, slots=True)
class CitationRubric:
    """CaRR's rubric reward of the final report.

    Range: 0 to 1. Needs: `task["rubrics"]`, statements with placeholders; `event["pages"]` of tool
    turns, the text that each address showed; a `verifier`, or its verdicts recorded at the last
    turn as `event["identified"]` and `event["judge_supported"]`. Equation: reached / all.

    An unfinished episode, a master-key answer and a report without a citation that the tools
    really showed earn 0.
    """

    verifier: RubricVerifier | None = None
    graph: bool = True
    """Whether only statements connected to the answer count; False is the paper's ablation."""
    root: str = "E0"
    compat: Literal["paper", "release"] = "paper"
    name: str = "carr"

    @property
    def grant(self) -> Grant:
        """Scored at the turn that ends the episode."""
        return "outcome"

    def __call__(self, contexts: Sequence[Context]) -> list[Score | float | None]:
        """Return one score per context."""
        return each(self._score, contexts)

    def _score(self, context: Context) -> Score | float:
        statements = _statements(context)
        report = answer_of(context)
        if report is None or rejection(report):
            return 0.0
        pages = _pages(context)
        usable = usable_citations(extract_citations(report, self.compat), pages)
        metrics = {f"{self.name}/citations": float(len(usable))}
        if not usable:
            return Score(0.0, metrics)
        evidence = "\n\n".join(f"{address}\n{pages[address]}" for address in usable)
        entities = [placeholders(statement) for statement in statements]
        identified, verdicts = self._verdicts(context, report, statements, evidence)
        found = rubric_graph(entities, verdicts, identified, self.root)
        value = found.rubric_reward if self.graph else found.rubric_reward_without_graph
        return Score(value, {**metrics, f"{self.name}/supported": float(len(found.supported))})

    def _verdicts(
        self, context: Context, report: str, statements: Sequence[str], evidence: str
    ) -> tuple[Mapping[str, str | None], Sequence[bool]]:
        if self.verifier is None:
            turn = context.last
            return event_fact(turn, "identified"), event_fact(turn, "judge_supported")
        names = list(dict.fromkeys(e for text in statements for e in placeholders(text)))
        found = self.verifier.identify(report, names)
        if sorted(found) != sorted(names):
            raise RewardError(
                f"expected identities of {sorted(names)}, got {sorted(found)}; a verifier must "
                "answer for every entity"
            )
        filled = [_fill(text, found) for text in statements]
        return found, self.verifier.supported(filled, evidence)


def _fill(statement: str, identified: Mapping[str, str | None]) -> str:
    return _PLACEHOLDER.sub(lambda m: identified[m[1]] or m[0], statement)


def _statements(context: Context) -> list[str]:
    rubrics = task_fact(context, "rubrics")
    texts = [str(r["text"]) if isinstance(r, Mapping) else str(r) for r in rubrics]
    if not any(placeholders(text) for text in texts):
        raise RewardError(
            f'expected info["task"]["rubrics"] with placeholders such as <E0>, got {texts!r}; a '
            "statement that names no entity can never be reached"
        )
    return texts


def _pages(context: Context) -> dict[str, str]:
    """Return the text that each address showed over the episode."""
    shown: dict[str, list[str]] = {}
    for turn in context.turns:
        for address, text in turn.info.get("event", {}).get("pages", {}).items():
            shown.setdefault(str(address), []).append(str(text))
    return {address: "\n".join(texts) for address, texts in shown.items()}
