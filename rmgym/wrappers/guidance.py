"""Show the agent a rubric for its next step, before each turn (Co-ReAct)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsFloat, TypeAlias

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from rmgym.messages import Message, Observation, message
from rmgym.protocols import Rubric
from rmgym.trajectory import Context
from rmgym.wrappers.episode import Action, EpisodeWrapper

RubricSource: TypeAlias = Callable[[Context], Rubric | None]
"""From what the agent has seen to the rubric of its next step; None for no guidance."""

HEADING = "A good next step meets these criteria:"


class RubricGuidance(EpisodeWrapper):
    """Adds the rubric of the coming step to what the agent sees before each turn.

    The guidance ends the last message if that is the user's, so that roles go on alternating, and
    is a message of its own otherwise. The environment within does not see it: its reward terms
    judge the same conversation with and without guidance, while a wrapper around this one sees
    what the agent saw. No guidance follows the turn that ends the episode.

    Args:
        env: One environment whose observations are new messages.
        rubric_source: A rubric for every step, or what gives one for the step at hand, e.g. a
            policy that writes rubrics. It gets the conversation as the agent saw it.
    """

    def __init__(self, env: gym.Env[Any, Any], rubric_source: Rubric | RubricSource) -> None:
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, rubric_source=rubric_source)
        super().__init__(env)
        self._source = rubric_source

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode with guidance for its first turn."""
        observation, info = super().reset(seed=seed, options=options)
        self._observation = self._guided(observation)
        return self._observation, info

    def step(self, action: Action) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Play one turn; guidance for the next one is added to the answer."""
        answer, turn = self._play(action)
        self._keep(turn, answer)
        if not turn.ended:
            self._observation = self._guided(answer)
        return self._observation, turn.reward, turn.terminated, turn.truncated, dict(turn.info)

    def _guided(self, observation: Observation) -> Observation:
        if isinstance(self._source, Rubric):
            return with_guidance(observation, guidance_text(self._source))
        seen = Context(tuple(turn.public() for turn in self._turns), observation)
        rubric = self._source(seen)
        return observation if rubric is None else with_guidance(observation, guidance_text(rubric))


def guidance_text(rubric: Rubric) -> str:
    r"""Return a rubric as an agent reads it: one line a criterion, its share of the weight first.

    >>> from rmgym.protocols import Criterion
    >>> guidance_text(Rubric(name="r", criteria=(Criterion(name="c", text="Ask one thing."),)))
    'A good next step meets these criteria:\n- (100 %) Ask one thing.'
    """
    total = sum(criterion.weight for criterion in rubric.criteria)
    lines = [f"- ({100 * c.weight / total:.0f} %) {c.text}" for c in rubric.criteria]
    return "\n".join([HEADING, *lines])


def with_guidance(observation: Observation, text: str) -> Observation:
    """Return new messages with a text at their end."""
    if observation and observation[-1]["role"] == "user":
        last: Message = message("user", f"{observation[-1]['content']}\n\n{text}")
        return (*observation[:-1], last)
    return (*observation, message("user", text))
