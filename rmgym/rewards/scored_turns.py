"""What scorers say of the agent's own turns, under given instructions."""

from __future__ import annotations

from collections.abc import Sequence

from rmgym.errors import ScorerError
from rmgym.messages import message
from rmgym.protocols import Scorer, Target
from rmgym.trajectory import Context, Turn


def under(instruction: str, context: Context) -> Context:
    """Return the context of the last turn before it was said, with an instruction in front."""
    turns, observation = tuple(context.turns[:-1]), context.last.observation
    if not instruction:
        return Context(turns, observation)
    first = (message("system", instruction), *(turns[0].observation if turns else observation))
    if not turns:
        return Context((), first)
    opening = Turn(observation=first, completion=turns[0].completion)
    return Context((opening, *turns[1:]), observation)


def turn_logprobs(
    scorer: Scorer, contexts: Sequence[Context], instruction: str = ""
) -> list[list[float]]:
    """Return the log-probabilities of the tokens of each context's last turn; [] for a silent one.

    Raises:
        ScorerError: If the scorer does not answer for each turn.
    """
    spoken = [i for i, context in enumerate(contexts) if context.last.completion.text]
    asked = [under(instruction, contexts[i]) for i in spoken]
    targets = [Target(contexts[i].last.completion.text) for i in spoken]
    scored = scorer.logprobs(asked, targets) if asked else []
    if len(scored) != len(asked):
        raise ScorerError(f"expected {len(asked)} results, got {len(scored)}")
    found: list[list[float]] = [[] for _ in contexts]
    for i, result in zip(spoken, scored, strict=True):
        found[i] = list(result.logprobs)
    return found
