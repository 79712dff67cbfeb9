"""An rmgym environment as an environment of TRL: its tools are methods, TRL runs the loop.

TRL calls tools, so the tools of the environment are all that the model can do; it ends its turn by
calling none. An environment that has not ended by then takes that as a last, malformed turn.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rmgym.errors import BackendError
from rmgym.integrations.episodes import MakeEnv
from rmgym.integrations.token_rewards import turn_numbers
from rmgym.messages import Observation
from rmgym.protocols import Tool
from rmgym.rollout.engine import env_maker
from rmgym.rollout.episodes import EpisodeKey
from rmgym.rollout.ledger import Running
from rmgym.rollout.seats import EnvHost
from rmgym.testing.players import ActionWriter
from rmgym.trajectory import Completion, Context, Trajectory, Turn
from rmgym.wrappers.record_trajectory import task_id_of

ENDED = "The episode has ended."
NO_CALL = "no_tool_call"
"""Stop reason of an episode that the model left without ending it."""
TYPES: Mapping[str, type] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}


class ToolEpisode:
    """One episode whose turns are calls; subclasses have a method for each tool.

    What begins with an underscore is hidden from TRL, which takes other methods for tools.
    """

    _make_env: ClassVar[Callable[[], Any]]
    _tool_names: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self._host = EnvHost(type(self)._make_env)
        self._writer = ActionWriter(self._host.env)
        self._running: Running | None = None
        self._is_broken = False

    def reset(self, *, seed: int | None = None, **_: Any) -> str:
        """Begin an episode and return what it opens with.

        Attempts at one task need one seed: a `seed` column of the dataset.
        """
        if seed is None:
            raise ValueError(
                "expected the seed of the episode, got none; give train_dataset a column `seed`"
            )
        observation, info = self._host.begin(seed)
        self._running = Running(0, task_id_of(info), observation)
        self._is_broken = False
        self._seed = seed
        return _text(observation)

    def get_reward(self) -> float | None:
        """Return the episode's return, None if a backend broke.

        An episode that goes on ends here, without an answer.
        """
        trajectory = self.trajectory
        return None if trajectory is None else trajectory.episode_return

    @property
    def trajectory(self) -> Trajectory | None:
        """The episode up to its end; None if a backend broke."""
        if self._is_broken:
            return None
        running = self._begun()
        if not running.turns or not running.turns[-1].ended:
            self._play("")
        last = running.turns[-1]
        if not last.ended:
            context = Context(running.turns, running.observation)
            running.replace_last(self._host.cut(context, NO_CALL))
        return running.trajectory(EpisodeKey(self._host.env_id(), None, self._seed, None))

    def _call(self, tool: Tool, arguments: Mapping[str, Any]) -> str:
        running = self._begun()
        if running.turns and running.turns[-1].ended:
            return ENDED
        self._play(self._writer.write(tool, arguments))
        return _text(running.observation)

    def _play(self, action: str) -> None:
        completion = Completion(text=action)
        try:
            self._begun().add(completion, self._host.play(completion))
        except BackendError:
            self._is_broken = True
            raise

    def _begun(self) -> Running:
        if self._running is None:
            raise RuntimeError("expected reset() before the first call")
        return self._running


def environment_factory(env: MakeEnv, name: str | None = None) -> type[ToolEpisode]:
    """Return a class to be given to TRL as `environment_factory`.

    Make the environment with `action_format="tool_call"` if its rules describe actions, so that
    they describe calls as chat templates write them.

    Args:
        env: An id, or a function that makes an environment.
        name: Name of the class, under which TRL logs the return; the environment's by default.

    Raises:
        ValueError: If the environment has no tools.
    """
    make = env_maker(env)
    world = make()
    writer = ActionWriter(world)
    if not writer.tools:
        raise ValueError(
            "expected an environment with tools, got one without: use rollout_function"
        )
    methods = {tool.name: _method(tool) for tool in writer.tools}
    title = name or type(world.unwrapped).__name__
    world.close()
    return type(
        title,
        (ToolEpisode,),
        {**methods, "_make_env": staticmethod(make), "_tool_names": tuple(methods)},
    )


def join_calls(
    trajectory: Trajectory,
    messages: Sequence[Mapping[str, Any]],
    mask: NDArray[Any],
    known: Sequence[str],
) -> tuple[Trajectory, list[int]]:
    """Return the episode with one turn for all calls of one message, and each token's turn.

    Args:
        trajectory: The episode, one turn a call.
        messages: The completion as TRL parsed it: the model's messages and the tools'.
        mask: 1 on tokens of the model, 0 on others and on padding.
        known: Names of the environment's tools: calls of others never reached it.
    """
    tokens = turn_numbers(mask[None, :])[0]
    runs = int(tokens.max()) + 1
    counts = _calls_per_message(messages, known)
    counts = [*counts, *[0] * runs][:runs]
    turns: list[Turn] = []
    turn_of_run: list[int] = []
    left = list(trajectory.turns)
    for run, count in enumerate(counts):
        taken = len(left) if run == runs - 1 else min(count, len(left))
        turn_of_run.append(len(turns) if left else -1)
        if taken:
            turns.append(_joined(left[:taken]))
            del left[:taken]
    index = np.append(np.array(turn_of_run, dtype=np.int64), -1)[tokens]
    return replace(trajectory, turns=tuple(turns)), index.tolist()


def _calls_per_message(messages: Sequence[Mapping[str, Any]], known: Sequence[str]) -> list[int]:
    counts: list[int] = []
    for said in messages:
        if said["role"] == "assistant":
            counts.append(0)
        elif said["name"] in known and said["content"] != ENDED and counts:
            counts[-1] += 1
    return counts


def _joined(turns: Sequence[Turn]) -> Turn:
    """Return several turns as one, which earned what they earned."""
    if len(turns) == 1:
        return turns[0]
    terms: dict[str, float] = {}
    for turn in turns:
        for name, value in turn.reward_terms.items():
            terms[name] = terms.get(name, 0.0) + value
    said = "\n".join(turn.completion.text for turn in turns)
    return replace(
        turns[-1],
        observation=turns[0].observation,
        completion=Completion(text=said),
        reward=sum(turn.reward for turn in turns),
        reward_terms=terms,
    )


def _method(tool: Tool) -> Callable[..., str]:
    """Return a method that plays a call of a tool, with the signature and text TRL reads."""

    def call(self: ToolEpisode, **arguments: Any) -> str:
        return self._call(tool, arguments)

    kinds = {name: TYPES[schema.get("type", "string")] for name, schema in tool.parameters.items()}
    kept = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for name, kind in kinds.items():
        default = inspect.Parameter.empty if name in tool.required else None
        parameters.append(inspect.Parameter(name, kept, default=default, annotation=kind))
    lines = [tool.description]
    if kinds:
        lines += ["", "Args:"]
    for name, schema in tool.parameters.items():
        lines.append(f"    {name}: {schema.get('description', f'the {name}')}")
    facts: dict[str, Any] = {
        "__name__": tool.name,
        "__doc__": "\n".join(lines),
        "__annotations__": {**kinds, "return": str},
        "__signature__": inspect.Signature(parameters, return_annotation=str),
    }
    for fact, value in facts.items():
        setattr(call, fact, value)
    return call


def _text(observation: Observation) -> str:
    return "\n\n".join(said["content"] for said in observation)
