"""OpenEnv: serve any rmgym environment, play any OpenEnv server, write training traces.

    # server.py: uvicorn server:app
    from rmgym.integrations.openenv import server_app
    app = server_app("rmgym/Search-v0")

`OpenEnvClient` (in `rmgym.integrations.openenv_client`, and here) is a `ChatEnv` over a server's
WebSocket. What a server of rmgym sends keeps the messages, the reward terms, and whether an episode
terminated or was truncated; hidden facts stay on the server. Written for OpenEnv 0.10; needs
`pip install 'rmgym[openenv]'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rmgym.integrations.credit import CreditRow
from rmgym.integrations.episodes import MakeEnv, trainer_module
from rmgym.integrations.openenv_client import EXTRA, OpenEnvClient
from rmgym.rollout.engine import env_maker
from rmgym.rollout.seats import EnvHost
from rmgym.trajectory import Completion, Trajectory

__all__ = ["OpenEnvClient", "server_app", "server_classes", "to_training_trace"]


def server_app(env: MakeEnv, *, max_sessions: int = 64, name: str | None = None) -> Any:
    """Return a FastAPI application that serves one episode a session.

    Args:
        env: An id, or a function that makes an environment.
        max_sessions: Sessions at once.
        name: Name of the environment, shown by the server.

    Raises:
        MissingExtraError: If OpenEnv is not installed.
    """
    server = trainer_module("openenv.core.env_server", "server_app", EXTRA)
    environment, action, observation = server_classes(env)
    return server.create_fastapi_app(
        environment, action, observation, max_concurrent_envs=max_sessions, env_name=name
    )


def server_classes(env: MakeEnv) -> tuple[Any, Any, Any]:
    """Return OpenEnv's three classes: the environment, its action and its observation.

    Raises:
        MissingExtraError: If OpenEnv is not installed.
    """
    server = trainer_module("openenv.core.env_server", "server_classes", EXTRA)
    make = env_maker(env)
    Action: Any = server.Action
    Observation: Any = server.Observation
    Environment: Any = server.Environment

    class ChatAction(Action):
        """The agent's whole turn."""

        text: str

    class ChatObservation(Observation):
        """The new messages, and what the last turn earned."""

        messages: list[dict[str, str]]
        reward_terms: dict[str, float] = {}  # noqa: RUF012  # pydantic copies it
        metrics: dict[str, float] = {}  # noqa: RUF012  # as above
        truncated: bool = False
        stop_reason: str | None = None
        task_id: str | None = None

    def observed(said: Any, info: Any, reward: float | None, done: bool, cut: bool) -> Any:
        return ChatObservation(
            messages=[dict(each) for each in said],
            reward=reward,
            done=done,
            truncated=cut,
            reward_terms=dict(info.get("reward_terms", {})),
            metrics={key: float(value) for key, value in info.get("metrics", {}).items()},
            stop_reason=info.get("stop_reason"),
            task_id=info.get("task_id"),
        )

    class ChatEnvironment(Environment):
        """One episode of an rmgym environment."""

        SUPPORTS_CONCURRENT_SESSIONS = True

        def __init__(self) -> None:
            super().__init__()
            self._host = EnvHost(make)
            self._state = server.State()

        def reset(self, seed: int | None = None, episode_id: str | None = None, **_: Any) -> Any:
            """Begin an episode."""
            said, info = self._host.env.reset(seed=seed)
            self._state = server.State(episode_id=episode_id or info.get("task_id"), step_count=0)
            return observed(said, info, None, False, False)

        def step(self, action: Any, timeout_s: float | None = None, **_: Any) -> Any:
            """Play one turn."""
            out = self._host.play(Completion(text=action.text))
            self._state.step_count += 1
            done, cut = bool(out.terminated or out.truncated), bool(out.truncated)
            return observed(out.observation, out.info, float(out.reward), done, cut)

        @property
        def state(self) -> Any:
            """What the server tells of the running episode."""
            return self._state

        def close(self) -> None:
            """Close the environment."""
            self._host.close()

    return ChatEnvironment, ChatAction, ChatObservation


def to_training_trace(trajectory: Trajectory, rows: Sequence[CreditRow] = ()) -> Any:
    """Return a trajectory as OpenEnv's `TrainingTrace`, one engine call a turn.

    Its schema has no place for the reward of a turn, so `metadata` holds `reward`, `reward_terms`
    and, with rows, `advantage` and `clip_scale`.

    Args:
        trajectory: An episode whose completions carry token ids and log-probabilities.
        rows: Its credited rows.

    Raises:
        MissingExtraError: If OpenEnv is not installed.
        ValueError: If a turn has no ids or log-probabilities.
    """
    training = trainer_module("openenv.core.harness.training", "to_training_trace", EXTRA)
    credit = _per_turn(rows)
    turns = []
    for number, turn in enumerate(trajectory.turns):
        said = turn.completion
        if not said.completion_ids or said.logprobs is None:
            raise ValueError(
                f"task {trajectory.task_id!r}, turn {number}: expected token ids and "
                "log-probabilities, got none; play it with a policy that records them"
            )
        turns.append(
            training.TrainingTurn(
                node_id=f"turn-{number}",
                prompt_token_ids=list(said.prompt_ids),
                completion_token_ids=list(said.completion_ids),
                per_token_logps=list(said.logprobs),
                loss_mask=[0] * len(said.prompt_ids) + [1] * len(said.completion_ids),
                metadata={
                    "task_id": trajectory.task_id,
                    "reward": turn.reward,
                    "reward_terms": dict(turn.reward_terms),
                    **credit.get(number, {}),
                },
            )
        )
    return training.TrainingTrace(turns=turns)


def _per_turn(rows: Sequence[CreditRow]) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    for row in rows:
        for first, _ in row.turn_spans:
            own = {"advantage": row.advantages[first]}
            if row.clip_scales is not None:
                own["clip_scale"] = row.clip_scales[first]
            found[row.turn_index[first]] = own
    return found
