"""What reward terms read: hidden facts of the task and of the turns, each missing one named.

An environment states facts in `info["task"]` (of the whole episode) and `info["event"]` (of one
turn; its `kind` says what the agent did: "search", "record", "answer", "invalid", ...). Verdicts
of a judge or figures of a model that were recorded during the rollout are facts, too. Nothing is
guessed: a missing fact is a `RewardError` that names it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rmgym.errors import BackendError, RewardError
from rmgym.protocols import Grant, RewardTerm, Score
from rmgym.trajectory import Context, Turn

SEARCH = "search"
"""The event kind of a turn that retrieved documents."""
ANSWER = "answer"
"""The event kind of a turn that gave the answer."""


def finite(what: str, value: object) -> float:
    """Return a number as a float.

    Raises:
        RewardError: If it is not a finite number; names it.
    """
    if isinstance(value, str) or not hasattr(value, "__float__"):
        raise RewardError(f"expected a number as {what}, got {value!r}")
    number = float(value)
    if not math.isfinite(number):
        raise RewardError(f"expected a finite number as {what}, got {number}")
    return number


def finite_all(what: str, values: Iterable[object]) -> list[float]:
    """Return numbers as floats; an error names the place, e.g. `process[2]`."""
    return [finite(f"{what}[{i}]", value) for i, value in enumerate(values)]


def within(what: str, value: object, low: float, high: float) -> float:
    """Return a number as a float.

    Raises:
        RewardError: If it is not a finite number from `low` to `high`; names it.
    """
    number = finite(what, value)
    if not low <= number <= high:
        raise RewardError(f"expected {what} from {low:g} to {high:g}, got {number:g}")
    return number


def within_all(what: str, values: Iterable[object], low: float, high: float) -> list[float]:
    """Return numbers from `low` to `high` as floats; an error names the place."""
    return [within(f"{what}[{i}]", value, low, high) for i, value in enumerate(values)]


def same_length(what: str, first: Sequence[object], second: Sequence[object]) -> None:
    """Check that two sequences have one length.

    Raises:
        RewardError: If they differ; `what` names both, e.g. "labels and flags".
    """
    if len(first) != len(second):
        raise RewardError(f"expected {what} of one length, got {len(first)} and {len(second)}")


def task_fact(context: Context, key: str) -> Any:
    """Return `info["task"][key]` of a context.

    Raises:
        RewardError: If the environment does not state it.
    """
    task = context.last.info.get("task")
    if not isinstance(task, Mapping) or key not in task:
        raise RewardError(
            f'expected the fact info["task"][{key!r}], got none; the task must state it'
        )
    return task[key]


def event_of(turn: Turn) -> Mapping[str, Any]:
    """Return what a turn did.

    Raises:
        RewardError: If the environment does not say so.
    """
    event = turn.info.get("event")
    if not isinstance(event, Mapping) or "kind" not in event:
        raise RewardError(
            f'expected the fact info["event"] with a "kind" at each turn, got {event!r}; the '
            "environment must say what the turn did"
        )
    return event


def event_fact(turn: Turn, key: str) -> Any:
    """Return `info["event"][key]` of a turn.

    Raises:
        RewardError: If the environment does not state it.
    """
    event = event_of(turn)
    if key not in event:
        raise RewardError(
            f'expected the fact info["event"][{key!r}] at a turn of kind {event["kind"]!r}, got '
            "none; the environment or a judge must record it"
        )
    return event[key]


def kind_of(turn: Turn) -> str:
    """Return the event kind of a turn."""
    return str(event_of(turn)["kind"])


def doc_ids_of(turn: Turn) -> list[str]:
    """Return the ids of the documents that a turn retrieved; none unless it is a search."""
    return [str(i) for i in event_fact(turn, "doc_ids")] if kind_of(turn) == SEARCH else []


def seen_before(context: Context) -> frozenset[str]:
    """Return the ids of the documents that the turns before the last one retrieved."""
    return frozenset(i for turn in context.turns[:-1] for i in doc_ids_of(turn))


def shown_by(observation: Iterable[Mapping[str, Any]]) -> str:
    """Return the text that the world wrote in an observation."""
    return "\n".join(str(said["content"]) for said in observation)


def prefixes(context: Context) -> list[Context]:
    """Return the context of each turn, as a turn-granted term saw it, in order."""
    after = [turn.observation for turn in context.turns[1:]] + [context.observation]
    return [Context(context.turns[: t + 1], seen) for t, seen in enumerate(after)]


def evaluate(term: RewardTerm, contexts: Sequence[Context]) -> list[Score]:
    """Return the checked scores of an inner term, in order.

    Raises:
        RewardError: If the term fails, or gives something that is not a finite number or None;
            names the term.
        BackendError: If the term's scorer or judge broke; a note names the term.
    """
    try:
        scores = term(contexts)
    except (BackendError, RewardError) as error:
        error.add_note(f"raised by the reward term {term.name!r}")
        raise
    except Exception as error:
        raise RewardError(
            f"reward term {term.name!r} failed: {type(error).__name__}: {error}"
        ) from error
    if len(scores) != len(contexts):
        raise RewardError(
            f"reward term {term.name!r}: expected {len(contexts)} scores, got {len(scores)}"
        )
    return [_checked(term.name, score) for score in scores]


def outcome_value(term: RewardTerm, contexts: Sequence[Context]) -> list[float]:
    """Return the scores of an inner outcome term, which must apply to every context.

    Raises:
        RewardError: If the term fails or does not apply; names it.
    """
    values = [score.value for score in evaluate(term, contexts)]
    if any(value is None for value in values):
        raise RewardError(f"reward term {term.name!r}: expected an outcome, got None")
    return [value for value in values if value is not None]


def _checked(name: str, score: object) -> Score:
    metrics: Mapping[str, float] = {}
    if isinstance(score, Score):
        metrics, score = score.metrics, score.value
    if score is None:
        return Score(None, metrics)
    return Score(finite(f"the score of the reward term {name!r}", score), metrics)


@dataclass(frozen=True, slots=True)
class EventScore:
    """A number recorded for the turn in `info["event"][key]`, checked against its range.

    The way in for a judge's or a model's figure: a process score, a document's relevance. Turns of
    other kinds have no score; a turn of the right kind without one is an error.
    """

    key: str
    kinds: tuple[str, ...] = ()
    """Event kinds that have the figure; empty for all turns."""
    low: float = 0.0
    high: float = 1.0
    name: str = "event_score"

    @property
    def grant(self) -> Grant:
        """Scored at every turn."""
        return "turn"

    def __call__(self, contexts: Sequence[Context]) -> list[float | None]:
        """Return one figure per context, None for turns of other kinds."""
        return [self._score(context.last) for context in contexts]

    def _score(self, turn: Turn) -> float | None:
        if self.kinds and kind_of(turn) not in self.kinds:
            return None
        what = f'info["event"][{self.key!r}]'
        return within(what, event_fact(turn, self.key), self.low, self.high)


def each(
    score: Callable[[Context], Score | float | None], contexts: Sequence[Context]
) -> list[Score | float | None]:
    """Return the score of each context."""
    return [score(context) for context in contexts]
