"""Reward terms on top of any conversation: one environment, or a vector of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsFloat, overload

import gymnasium as gym
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from rmgym.composition import Granted, RewardComposition, RewardSpec
from rmgym.errors import RewardError
from rmgym.messages import Observation
from rmgym.trajectory import Context, Turn
from rmgym.vector_infos import merge_infos, split_infos
from rmgym.wrappers.episode import Action, EpisodeWrapper, as_completion, takes_completions

if TYPE_CHECKING:
    _VectorWrapper = VectorWrapper[Any, Any, Any, Any, NDArray[Any]]
else:
    _VectorWrapper = VectorWrapper

OWN_TERM = "environment"
"""Under `add`, the term that holds the reward of an environment without named terms."""
_TOLERANCE = 1e-9


class TurnReward(EpisodeWrapper):
    """Replaces an environment's reward by a weighted sum of named terms.

    The terms see the conversation as the wrapper saw it, hidden facts of `info` included:
    `turns[-1]` is the turn as the environment rewarded it. `info["reward_terms"]` holds the
    weighted terms, which sum to the reward, and `info["metrics"]` gains the terms' own.

    Args:
        env: One environment; for a vector take `VectorTurnReward`, or `turn_reward` for either.
        rewards: The terms, or registered names of them, with or without weights.
        add: Keep the environment's own terms and add these.

    Raises:
        TypeError: If `env` is a vector of environments.
        RewardError: If two terms share a name; in `step`, if a term failed or, under `add`, the
            environment's terms have one of these names or do not sum to its reward.
        BackendError: In `step`, if a term's scorer or judge broke: reset before going on.
    """

    def __init__(
        self, env: gym.Env[Any, Any], rewards: Sequence[RewardSpec], *, add: bool = False
    ) -> None:
        if isinstance(env, VectorEnv):
            raise TypeError("expected one environment, got a vector: use VectorTurnReward")
        RecordConstructorArgs.__init__(self, _disable_deepcopy=True, rewards=rewards, add=add)
        super().__init__(env)
        self.composition = RewardComposition(rewards)
        self.add = add

    def step(self, action: Action) -> tuple[Observation, SupportsFloat, bool, bool, dict[str, Any]]:
        """Play one turn, given as text or as the policy's completion, and reward it."""
        observation, played = self._play(action)
        granted = self.composition.score((Context((*self._turns, played), observation),))[0]
        turn = reward_turn(played, granted, add=self.add)
        self._keep(turn, observation)
        return observation, turn.reward, turn.terminated, turn.truncated, dict(turn.info)


class _Played(NamedTuple):
    """One turn of one environment of a vector, not yet rewarded."""

    number: int
    turn: Turn
    observation: Observation
    is_final: bool
    """Whether `infos["final_info"]` holds its info: the environment has been reset already."""


class VectorTurnReward(_VectorWrapper):
    """`TurnReward` for a vector: each term is called once a step, for all environments that played.

    Right under every autoreset mode: under SAME_STEP the reward and `infos["final_info"]` are those
    of the episode that ended; under NEXT_STEP the step that resets is not rewarded. A turn that
    ended with `info["error"]` keeps the reward NaN and is not scored.

    Args:
        env: A vector of Gymnasium's or of rmgym.
        rewards: The terms, or registered names of them, with or without weights.
        add: Keep the environments' own terms and add these.

    Raises:
        ValueError: If the vector does not name its autoreset mode.
        RewardError: As `TurnReward`.
        BackendError: In `step`, if a term's scorer or judge broke: reset before going on.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], rewards: Sequence[RewardSpec], *, add: bool = False
    ) -> None:
        super().__init__(env)
        if "autoreset_mode" not in env.metadata:
            raise ValueError(
                "expected env.metadata['autoreset_mode'], got none; set it to the AutoresetMode "
                "that the vector follows"
            )
        self.composition = RewardComposition(rewards)
        self.add = add
        self._mode = AutoresetMode(env.metadata["autoreset_mode"])
        self._turns: tuple[tuple[Turn, ...], ...] = ((),) * env.num_envs
        self._observations: tuple[Observation, ...] = ((),) * env.num_envs
        self._renewing = np.zeros(env.num_envs, dtype=np.bool_)
        self._passes_completions = takes_completions(env)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[tuple[Observation, ...], dict[str, Any]]:
        """Begin an episode in every environment, or in those of `options["reset_mask"]`."""
        mask = (options or {}).get("reset_mask")
        begun = np.ones(self.num_envs, dtype=np.bool_) if mask is None else np.array(mask)
        given: Any = seed
        observations, infos = self.env.reset(seed=given, options=options)
        self._turns = tuple(
            () if new else turns for new, turns in zip(begun, self._turns, strict=True)
        )
        self._observations = tuple(observations)
        self._renewing = self._renewing & ~begun
        return observations, infos

    def step(
        self, actions: Sequence[Action]
    ) -> tuple[Any, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one turn in every environment and reward all of them as one batch."""
        observations, rewards, terminated, truncated, infos = self.env.step(
            list(actions) if self._passes_completions else [as_completion(a).text for a in actions]
        )
        own = split_infos(infos, self.num_envs)
        played = [
            self._played(i, actions[i], observations[i], float(rewards[i]), ends, own[i])
            for i, ends in enumerate(zip(terminated, truncated, strict=True))
            if not self._renewing[i]
        ]
        rewards = np.array(rewards, dtype=np.float64)
        histories = [
            () if renewed else t for t, renewed in zip(self._turns, self._renewing, strict=True)
        ]
        for entry, turn in zip(played, self._reward(played), strict=True):
            i = entry.number
            rewards[i] = turn.reward
            if entry.is_final:
                own[i] = {**own[i], "final_info": turn.info}
            else:
                own[i] = dict(turn.info)
            histories[i] = () if entry.is_final else (*histories[i], turn)
        self._turns, self._observations = tuple(histories), tuple(observations)
        if self._mode == AutoresetMode.NEXT_STEP:
            self._renewing = np.logical_or(terminated, truncated)
        unmasked = {k: infos[k] for k in infos if k[:1] != "_" and f"_{k}" not in infos}
        return observations, rewards, terminated, truncated, {**merge_infos(own), **unmasked}

    def _played(
        self,
        number: int,
        action: Action,
        observation: Observation,
        reward: float,
        ends: tuple[Any, Any],
        info: Mapping[str, Any],
    ) -> _Played:
        is_final = self._mode == AutoresetMode.SAME_STEP and any(ends)
        if is_final:
            observation, info = info["final_obs"], info["final_info"]
        turn = Turn(
            observation=self._observations[number],
            completion=as_completion(action),
            reward=reward,
            reward_terms=info.get("reward_terms", {}),
            terminated=bool(ends[0]),
            truncated=bool(ends[1]),
            info=info,
        )
        return _Played(number, turn, observation, is_final)

    def _reward(self, played: Sequence[_Played]) -> list[Turn]:
        contexts = [
            Context((*self._turns[entry.number], entry.turn), entry.observation)
            for entry in played
            if "error" not in entry.turn.info
        ]
        granted = iter(self.composition.score(contexts) if contexts else ())
        return [
            entry.turn
            if "error" in entry.turn.info
            else reward_turn(entry.turn, next(granted), add=self.add)
            for entry in played
        ]


@overload
def turn_reward(
    env: gym.Env[Any, Any], rewards: Sequence[RewardSpec], *, add: bool = ...
) -> TurnReward: ...
@overload
def turn_reward(
    env: VectorEnv[Any, Any, Any], rewards: Sequence[RewardSpec], *, add: bool = ...
) -> VectorTurnReward: ...
def turn_reward(
    env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any],
    rewards: Sequence[RewardSpec],
    *,
    add: bool = False,
) -> TurnReward | VectorTurnReward:
    """Wrap one environment in `TurnReward`, or a vector in `VectorTurnReward`."""
    if isinstance(env, VectorEnv):
        return VectorTurnReward(env, rewards, add=add)
    return TurnReward(env, rewards, add=add)


def reward_turn(turn: Turn, granted: Granted, *, add: bool) -> Turn:
    """Return the turn with what it was granted, in place of its own reward or added to it.

    Raises:
        RewardError: Under `add`, if the turn has one of the granted terms already, or its own
            terms do not sum to its reward.
    """
    terms = {**_own_terms(turn, granted), **granted.terms} if add else granted.terms
    info = {**turn.info, "reward_terms": terms}
    if granted.metrics:
        info["metrics"] = {**info.get("metrics", {}), **granted.metrics}
    return Turn(
        observation=turn.observation,
        completion=turn.completion,
        reward=float(sum(terms.values())),
        reward_terms=terms,
        terminated=turn.terminated,
        truncated=turn.truncated,
        info=info,
    )


def _own_terms(turn: Turn, granted: Granted) -> Mapping[str, float]:
    own = turn.reward_terms if "reward_terms" in turn.info else {OWN_TERM: turn.reward}
    doubled = sorted(own.keys() & granted.terms.keys())
    if doubled:
        raise RewardError(
            f"expected names that the environment's own terms do not have, got {doubled}; "
            "rename the added terms, or replace the reward (add=False)"
        )
    total = sum(own.values())
    if abs(total - turn.reward) > _TOLERANCE * max(1.0, abs(turn.reward)):
        raise RewardError(
            f"expected the environment's terms to sum to its reward {turn.reward}, got {total}; "
            "a wrapper between the two changed the reward: put it outside this one"
        )
    return own
