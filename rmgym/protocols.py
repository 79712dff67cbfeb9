"""Who plays which role: the protocols that environments, agents, rewards and tools agree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from rmgym.errors import JudgeError, RubricError
from rmgym.messages import Message
from rmgym.trajectory import Completion, Context

Grant: TypeAlias = Literal["turn", "outcome"]


@runtime_checkable
class Policy(Protocol):
    """Plays an agent. Keeps no episode state: a context holds all it needs."""

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return one completion per context, in order."""
        ...


class Target(NamedTuple):
    """Text whose log-probability is asked for, as if the agent said it next."""

    text: str
    """The scored part."""
    lead: str = ""
    """What the agent says before it: conditioned on, not scored."""


class TargetLogprobs(NamedTuple):
    """Log-probability of each token of a target's scored part."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean log-probability per token; NaN for an empty target."""
        return sum(self.logprobs) / len(self.logprobs) if self.logprobs else float("nan")


@runtime_checkable
class Scorer(Protocol):
    """Turns text into log-probabilities."""

    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        """Return the token log-probabilities of each target after its context.

        Raises:
            ScorerError: If the model behind it cannot answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Score:
    """A raw score with unweighted figures to be logged beside it."""

    value: float | None
    """None when the term does not apply to this turn: it is then absent, not 0."""
    metrics: Mapping[str, float] = field(default_factory=dict)


TermScore: TypeAlias = float | Score | None


@runtime_checkable
class RewardTerm(Protocol):
    """One named part of the reward.

    A term is a pure function of what happened: all it needs stands in the contexts, so the same
    object scores a running environment, a vector of them and stored trajectories.
    """

    @property
    def name(self) -> str:
        """The key in `info["reward_terms"]`."""
        ...

    @property
    def grant(self) -> Grant:
        """Either "turn" (scored at every turn) or "outcome" (at the turn that ends the episode)."""
        ...

    def __call__(self, contexts: Sequence[Context]) -> Sequence[TermScore]:
        """Return the raw score of the last turn of each context."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One thing a judge looks at."""

    name: str
    text: str
    weight: float = 1.0
    choices: tuple[str, ...] = ("no", "yes")
    """The verdicts on the menu, worst to best."""
    entities: tuple[str, ...] = ()
    """Placeholders that the text names, for citation rubrics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """Criteria with weights.

    Raises:
        RubricError: If names repeat, a menu has fewer than two choices, or no weight is positive.
    """

    name: str
    criteria: tuple[Criterion, ...]

    def __post_init__(self) -> None:
        """Check names, menus and weights."""
        names = [criterion.name for criterion in self.criteria]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise RubricError(f"rubric {self.name!r}: expected unique names, got {doubled} twice")
        for criterion in self.criteria:
            if len(criterion.choices) < 2:
                raise RubricError(
                    f"rubric {self.name!r}, criterion {criterion.name!r}: expected at least two "
                    f"choices, got {list(criterion.choices)}"
                )
        if not sum(criterion.weight for criterion in self.criteria) > 0:
            raise RubricError(f"rubric {self.name!r}: expected a positive sum of weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A judge's choice for one criterion."""

    criterion: str
    choice: str
    reason: str = ""

    def score(self, criterion: Criterion) -> float:
        """Return the rank of the choice on the menu, 0 (worst) to 1 (best).

        Raises:
            JudgeError: If the choice is not on the menu.
        """
        if self.choice not in criterion.choices:
            raise JudgeError(
                f"criterion {criterion.name!r}: expected one of {list(criterion.choices)}, "
                f"got {self.choice!r}"
            )
        return criterion.choices.index(self.choice) / (len(criterion.choices) - 1)


@runtime_checkable
class Judge(Protocol):
    """Grades transcripts by a rubric."""

    def grade(
        self, transcripts: Sequence[Sequence[Message]], rubrics: Sequence[Rubric]
    ) -> list[tuple[Verdict, ...]]:
        """Return one verdict per criterion for each transcript.

        Raises:
            JudgeError: If a verdict is missing, doubled or off the menu.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A document that can be retrieved."""

    id: str
    title: str
    text: str

    @property
    def contents(self) -> str:
        """Title line, then the text: the form that retrieval servers exchange."""
        return f"{self.title}\n{self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A retrieved passage."""

    passage: Passage
    score: float
    rank: int
    """From 1."""


@runtime_checkable
class Retriever(Protocol):
    """Finds passages."""

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Return at most `k` hits per query, best first.

        Raises:
            RetrieverError: If the backend is down or answers garbage.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may use."""

    seconds: float = 10.0
    memory_mb: int = 256
    output_bytes: int = 65_536
    processes: int = 16


SandboxStatus: TypeAlias = Literal[
    "ok", "error", "timeout", "memory", "output_limit", "killed", "sandbox_error"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxResult:
    """What running a program gave."""

    status: SandboxStatus
    exit_code: int | None
    stdout: str
    stderr: str
    seconds: float
    peak_memory_mb: float | None = None


@runtime_checkable
class Sandbox(Protocol):
    """Runs a stranger's program."""

    def run(
        self,
        program: str,
        *,
        stdin: str = "",
        files: Mapping[str, bytes] | None = None,
        limits: Limits | None = None,
    ) -> SandboxResult:
        """Run `program` to its end or to its limits."""
        ...


JsonSchema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something an agent can call."""

    name: str
    description: str
    parameters: Mapping[str, JsonSchema] = field(default_factory=dict)
    """JSON schema of each argument, by name."""
    required: tuple[str, ...] = ()
    text_argument: str | None = None
    """The argument that the content of a text tag fills, e.g. `<search>query</search>`."""

    def json_schema(self) -> dict[str, Any]:
        """Return the tool in the form that chat templates and OpenAI-compatible servers take."""
        parameters = {
            "type": "object",
            "properties": {name: dict(schema) for name, schema in self.parameters.items()},
            "required": list(self.required),
        }
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": parameters,
        }
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class Call:
    """A parsed action: which tool, with what."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The only argument as text; empty when there is none."""
        return str(next(iter(self.arguments.values()), ""))
