"""SkyRL: a generator that keeps turn rewards, an environment class, and advantage estimators.

SkyRL carries rewards token by token. `TurnCreditGenerator` plays rmgym environments over SkyRL's
inference engines and puts each turn's reward on its last token; `register_estimator` makes turn
advantages of them:

    from rmgym.integrations.skyrl import Credit, TurnCreditGenerator, register_estimator
    credit = Credit(estimator="igpo", outcome="em")
    register_estimator("rmgym_igpo", credit)   # trainer.algorithm.advantage_estimator=rmgym_igpo
    generator = TurnCreditGenerator(
        env="rmgym/Search-v0", credit=credit, inference_engine_client=client, tokenizer=tokenizer)

SkyRL hands estimators a mask of all response tokens, so an advantage also stands on what a turn was
given; SkyRL's loss mask leaves that out. Keep `use_kl_in_reward` and `step_wise_trajectories` off.
Written for SkyRL 0.4 (Python 3.12); needs `pip install 'rmgym[skyrl]'`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rmgym.advantages.recorded import turn_reward
from rmgym.errors import BackendError, DataError
from rmgym.integrations.credit import Credit, TokenRow, whole_rows
from rmgym.integrations.episodes import MakeEnv, trainer_module
from rmgym.integrations.token_loop import Sampled, TokenBudget, play_episode
from rmgym.integrations.token_rewards import NONE, ZERO, turn_numbers_by_marks
from rmgym.rollout.engine import env_maker
from rmgym.rollout.seats import EnvHost
from rmgym.trajectory import Completion, Trajectory, Turn

if TYPE_CHECKING:
    TurnCreditGenerator: Any
    """Plays rmgym environments for SkyRL's trainer; see `generator_class`."""

EXTRA = "skyrl"
Columns: TypeAlias = dict[str, Any]

__all__ = [
    "Credit",
    "TurnCreditGenerator",
    "environment_class",
    "episode_rows",
    "generator_columns",
    "register_estimator",
]


def __getattr__(name: str) -> Any:
    if name == "TurnCreditGenerator":
        return generator_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def episode_rows(
    env: MakeEnv, seeds: Sequence[int], *, env_class: str = "rmgym"
) -> list[dict[str, Any]]:
    """Return dataset rows, one a seed; write them as Parquet for SkyRL."""
    world = env_maker(env)()
    rows = []
    for seed in seeds:
        opening, _ = world.reset(seed=seed)
        rows.append(
            {"prompt": [dict(said) for said in opening], "env_class": env_class, "seed": seed}
        )
    world.close()
    return rows


def generator_columns(rows: Sequence[TokenRow | None], *, filler: int) -> Columns:
    """Return rows as a SkyRL `GeneratorOutput`, rewards token by token.

    Args:
        rows: One an episode; None for a failed one, which gets no reward and no trainable token.
        filler: Token that stands for a failed episode.

    Raises:
        ValueError: If an episode has several token sequences.
    """
    whole_rows([row for row in rows if row is not None], "SkyRL")
    logprobs = [[0.0] if row is None else row.logprobs for row in rows]
    known = [list(each) for each in logprobs if each is not None]
    return {
        "prompt_token_ids": [[filler] if row is None else list(row.prompt_ids) for row in rows],
        "response_ids": [[filler] if row is None else list(row.completion_ids) for row in rows],
        "rewards": [[0.0] if row is None else list(row.rewards) for row in rows],
        "loss_masks": [[0] if row is None else list(row.loss_mask) for row in rows],
        "rollout_logprobs": known if len(known) == len(rows) else None,
    }


def register_estimator(name: str, credit: Credit) -> None:
    """Make `trainer.algorithm.advantage_estimator=name` compute the advantages of `credit`.

    Raises:
        MissingExtraError: If SkyRL is not installed.
        ValueError: If the estimator needs more than turn rewards and outcomes.
    """
    algorithms = trainer_module(
        "skyrl.backends.skyrl_train.utils.ppo_utils", "register_estimator", EXTRA
    )
    estimator = credit.over_tokens

    def estimate(
        token_level_rewards: Any, response_mask: Any, index: Any, **_: Any
    ) -> tuple[Any, Any]:
        rewards = token_level_rewards.detach().cpu().double().numpy()
        mask = response_mask.cpu().numpy() > 0
        turns = turn_numbers_by_marks(rewards, mask, estimator.has_outcome)
        found = estimator(rewards, turns, list(index))
        return (
            token_level_rewards.new_tensor(found.advantages),
            token_level_rewards.new_tensor(found.returns),
        )

    algorithms.register_advantage_estimator(name)(estimate)


class _Generator:
    """Plays one episode a prompt; each keeps its turn rewards."""

    def __init__(
        self,
        *,
        env: MakeEnv,
        inference_engine_client: Any,
        tokenizer: Any,
        credit: Credit | None = None,
        max_sequence: int | None = None,
        model: str | None = None,
        chat_template: str | None = None,
    ) -> None:
        from rmgym.agents.renderer import Renderer

        self.env = env
        self.client = inference_engine_client
        self.tokenizer = tokenizer
        self.credit = credit or Credit()
        self.budget = TokenBudget(sequence=max_sequence)
        self.model = model
        self.renderer = Renderer(tokenizer, chat_template=chat_template)

    async def generate(self, input_batch: Any, disable_tqdm: bool = False) -> Any:
        """Return a `GeneratorOutput` in the order of the batch."""
        extras = input_batch["env_extras"] or []
        if len(extras) != len(input_batch["prompts"]) or any("seed" not in e for e in extras):
            raise DataError(
                "expected the seed of each episode in the dataset's column `seed`; make the "
                "dataset with rmgym.integrations.skyrl.episode_rows"
            )
        sampling = input_batch.get("sampling_params")
        played = await asyncio.gather(
            *(self._play(int(e["seed"]), i, sampling) for i, e in enumerate(extras))
        )
        rows = [None if p is None else self.credit.token_rows(p) for p in played]
        flat = [None if own is None else whole_rows(own, "SkyRL")[0] for own in rows]
        columns = generator_columns(flat, filler=self.tokenizer.eos_token_id)
        return columns | {
            "stop_reasons": ["error" if p is None else _stop_reason(p) for p in played],
            "rollout_metrics": _metrics(played),
            "trajectory_ids": None,
            "is_last_step": None,
        }

    async def _play(self, seed: int, number: int, sampling: Any) -> Trajectory | None:
        session = f"rmgym-{seed}-{number}-{id(sampling)}"

        async def generate(prompt: tuple[int, ...], room: int | None) -> Sampled:
            asked = sampling
            if sampling is not None and room is not None:
                asked = {**sampling, "max_tokens": min(room, sampling.get("max_tokens", room))}
            request = {
                "prompts": None,
                "prompt_token_ids": [list(prompt)],
                "session_ids": [session],
                "sampling_params": asked,
            }
            named = {} if self.model is None else {"model": self.model}
            said = await self.client.generate(request, **named)
            logprobs = said.get("response_logprobs")
            return Sampled(
                tuple(said["response_ids"][0]),
                None if logprobs is None else tuple(logprobs[0]),
                "stop" if said["stop_reasons"][0] == "stop" else "length",
            )

        try:
            return await play_episode(self.env, seed, generate, self.renderer, budget=self.budget)
        except BackendError:
            return None


@cache
def generator_class() -> Any:
    """Return the class `TurnCreditGenerator`, a generator of SkyRL over rmgym environments.

    Its arguments: `env`, `inference_engine_client`, `tokenizer`, `credit`, `max_sequence` (tokens
    after which an episode is truncated), `model` (name that requests carry), `chat_template`
    (append-only, instead of the tokenizer's own).

    Raises:
        MissingExtraError: If SkyRL is not installed.
    """
    generators = trainer_module("skyrl.train.generators.base", "TurnCreditGenerator", EXTRA)
    return type("TurnCreditGenerator", (_Generator, generators.GeneratorInterface), {})


def environment_class(env: MakeEnv, credit: Credit | None = None) -> Any:
    """Return a `BaseTextEnv` of skyrl-gym, for SkyRL's own generator.

        skyrl_gym.register("rmgym", entry_point=environment_class("rmgym/Search-v0"))

    That generator takes one reward a turn and tokenises what the environment says by itself; with
    `credit.outcome`, the last turn's reward is the outcome alone.

    Raises:
        MissingExtraError: If skyrl-gym is not installed.
    """
    text_env = trainer_module("skyrl_gym.envs.base_text_env", "environment_class", EXTRA)
    make = env_maker(env)
    how = credit or Credit()

    base: Any = text_env.BaseTextEnv

    class RmgymTextEnv(base):
        """One episode of an rmgym environment."""

        def __init__(self, env_config: Any = None, extras: dict[str, Any] | None = None) -> None:
            super().__init__()
            if "seed" not in (extras or {}):
                raise DataError("expected the seed of the episode in extras, got none")
            self.seed = int((extras or {})["seed"])
            self.host = EnvHost(make)
            self.terms: dict[str, float] = {}

        def init(self, prompt: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
            """Begin the episode; what it opens with takes the prompt's place."""
            observation, info = self.host.begin(self.seed)
            return [dict(said) for said in observation], {"task_id": info.get("task_id")}

        def step(self, action: str) -> Any:
            """Play one turn."""
            out = self.host.play(Completion(text=action))
            done = bool(out.terminated or out.truncated)
            terms = out.info.get("reward_terms", {})
            for name, value in terms.items():
                self.terms[name] = self.terms.get(name, 0.0) + value
            return text_env.BaseTextEnvStepOutput(
                observations=[] if done else [dict(said) for said in out.observation],
                reward=_turn_reward(float(out.reward), terms, done, how),
                done=done,
                metadata={"reward_terms": dict(terms)},
            )

        def get_metrics(self) -> dict[str, Any]:
            """Return the sum of each reward term."""
            return dict(self.terms)

        def close(self) -> None:
            """Close the environment."""
            self.host.close()

    return RmgymTextEnv


def _turn_reward(reward: float, terms: dict[str, float], done: bool, credit: Credit) -> float:
    turn = Turn(observation=(), completion=Completion(text=""), reward=reward, reward_terms=terms)
    granted = turn_reward(turn, credit.outcome, credit.terms)
    if done and credit.outcome is not None:
        if granted is not None or credit.outcome not in terms:
            raise DataError(
                f"expected a last turn that earns the outcome {credit.outcome!r} alone, got "
                f"{sorted(terms)}: SkyRL's own generator has one reward a turn; use "
                "TurnCreditGenerator"
            )
        return terms[credit.outcome] or ZERO
    return NONE if granted is None else granted or ZERO


def _stop_reason(trajectory: Trajectory) -> str:
    cut = trajectory.stop_reason == "max_tokens"
    return "length" if cut or trajectory.turns[-1].completion.finish_reason != "stop" else "stop"


def _metrics(played: Sequence[Trajectory | None]) -> dict[str, float]:
    done = [each for each in played if each is not None]
    names = sorted({name for each in done for name in each.term_sums})
    found = {
        f"rmgym/{name}": float(np.mean([each.term_sums.get(name, 0.0) for each in done]))
        for name in names
    }
    return {**found, "rmgym/failed_episodes": float(len(played) - len(done))}
