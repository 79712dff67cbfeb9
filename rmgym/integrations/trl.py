"""TRL: rollouts, tool environments, and a GRPO trainer that takes turn-level advantages.

Two ways in. `rollout_function` plays whole conversations of any rmgym environment with the model
that is being trained; `environment_factory` gives TRL the environment's tools and leaves the loop
to TRL. Both work with `TurnCreditGRPOTrainer`, which replaces GRPO's one advantage an episode by
one a turn, of any estimator of `rmgym.advantages`:

    trainer = TurnCreditGRPOTrainer(
        model=model, args=args, processing_class=tokenizer,
        train_dataset=episode_dataset("rmgym/Search-v0", seeds=range(512)),
        rollout_func=rollout_function("rmgym/Search-v0", trainer_policy(max_new_tokens=128)),
        credit=Credit(estimator="igpo", outcome="em"),
    )

Written for TRL 1.16, whose two hooks are experimental; needs `pip install 'rmgym[trl]'`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from rmgym.errors import DataError
from rmgym.integrations.credit import Credit, CreditRow, whole_rows
from rmgym.integrations.episodes import Ended, EpisodePlayer, MakeEnv, trainer_module
from rmgym.integrations.trl_tools import environment_factory
from rmgym.integrations.trl_trainer import EXTRA, turn_credit_trainer
from rmgym.messages import Message
from rmgym.protocols import Policy
from rmgym.rollout.engine import env_maker
from rmgym.samples import to_samples
from rmgym.trajectory import Trajectory

if TYPE_CHECKING:
    TurnCreditGRPOTrainer: Any
    """`GRPOTrainer` with turn-level advantages; see `turn_credit_trainer`."""

MakePolicy: TypeAlias = Callable[[Any], Policy]
"""From the trainer to what plays."""
Columns: TypeAlias = dict[str, list[Any]]

__all__ = [
    "Credit",
    "TurnCreditGRPOTrainer",
    "environment_factory",
    "episode_dataset",
    "recorded_rollout",
    "rollout_columns",
    "rollout_function",
    "trainer_policy",
]


def __getattr__(name: str) -> Any:
    if name == "TurnCreditGRPOTrainer":
        return turn_credit_trainer()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def episode_dataset(env: MakeEnv, seeds: Sequence[int]) -> Any:
    """Return a `datasets.Dataset` with one row a seed: what the episode opens with.

    A rollout function is shown the prompts alone, so each message names the seed.

    Raises:
        MissingExtraError: If TRL is not installed.
    """
    datasets = trainer_module("datasets", "episode_dataset", EXTRA)
    world = env_maker(env)()
    rows = []
    for seed in seeds:
        opening, _ = world.reset(seed=seed)
        rows.append({"prompt": [{**said, "seed": seed} for said in opening], "seed": seed})
    world.close()
    return datasets.Dataset.from_list(rows)


def rollout_function(
    env: MakeEnv, make_policy: MakePolicy, *, max_tokens: int | None = None
) -> Callable[[list[Any], Any], Columns]:
    """Return a `rollout_func` that plays one episode a prompt, all in step.

    TRL hands over each prompt as often as it wants attempts at it. An episode that a broken backend
    ended becomes a row without a trainable token, and no part of its group.

    Args:
        env: An id, or a function that makes an environment.
        make_policy: Makes the policy once, from the trainer; it must sample, since the attempts of
            a group begin alike.
        max_tokens: Tokens after which an episode is truncated; see `EpisodePlayer`.
    """
    player = EpisodePlayer(env, max_tokens=max_tokens)
    made: list[Policy] = []

    def play(prompts: list[Any], trainer: Any) -> Columns:
        if not made:
            made.append(make_policy(trainer))
        episodes = player.play(made[0], [_seed_of(prompt) for prompt in prompts])
        return rollout_columns(episodes, filler=trainer.processing_class.eos_token_id)

    return play


def recorded_rollout(trajectories: Sequence[Trajectory]) -> Callable[[list[Any], Any], Columns]:
    """Return a `rollout_func` that hands out recorded episodes, each to a prompt of its seed.

    For training on what was played before, and for tests. Attempts at one seed are handed out in
    their order, from the first again when all are out.

    Raises:
        ValueError: If a trajectory has no token ids.
    """
    by_seed: dict[int | None, list[Trajectory]] = {}
    for trajectory in trajectories:
        by_seed.setdefault(trajectory.seed, []).append(trajectory)
    handed_out: dict[int, int] = {}

    def play(prompts: list[Any], trainer: Any) -> Columns:
        chosen: list[Ended] = []
        for seed in map(_seed_of, prompts):
            if seed not in by_seed:
                raise DataError(f"expected a recorded episode of seed {seed}, got none")
            number = handed_out.get(seed, 0)
            handed_out[seed] = number + 1
            chosen.append(by_seed[seed][number % len(by_seed[seed])])
        return rollout_columns(chosen, filler=trainer.processing_class.eos_token_id)

    return play


def rollout_columns(episodes: Sequence[Ended], *, filler: int) -> Columns:
    """Return episodes as a `rollout_func` does, one row each.

    `prompt_ids`, `completion_ids`, `logprobs` and `env_mask` are TRL's; `trajectory` and
    `turn_index` come back to `TurnCreditGRPOTrainer` and to reward functions.

    Args:
        episodes: Trajectories, and failures in the place of those that never ended.
        filler: Token that stands for a failed episode, outside the loss.

    Raises:
        ValueError: If an episode has no token ids or several token sequences, or the policy
            recorded no log-probabilities.
    """
    rows = [_columns_of(episode, filler) for episode in episodes]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def credit_columns(rows: Sequence[CreditRow]) -> Columns:
    """Return credited rows under the names that TRL has for their parts.

    `advantages` and `clip_scales` are what `TurnCreditGRPOTrainer` gives the loss.
    """
    rows = whole_rows(rows, "TRL")
    return {
        "prompt_ids": [list(row.prompt_ids) for row in rows],
        "completion_ids": [list(row.completion_ids) for row in rows],
        "env_mask": [list(row.loss_mask) for row in rows],
        "logprobs": [None if row.logprobs is None else list(row.logprobs) for row in rows],
        "advantages": [list(row.advantages) for row in rows],
        "clip_scales": [None if r.clip_scales is None else list(r.clip_scales) for r in rows],
    }


def trainer_policy(
    *, max_new_tokens: int = 256, temperature: float | None = None, chat_template: str | None = None
) -> MakePolicy:
    """Return what makes a policy of the model that is being trained.

    Args:
        max_new_tokens: Most tokens a turn.
        temperature: Of sampling; the trainer's when None.
        chat_template: An append-only template to use instead of the tokenizer's own.
    """
    from rmgym.agents.engine import Sampling
    from rmgym.agents.language_model import LanguageModelPolicy
    from rmgym.agents.renderer import Renderer
    from rmgym.agents.transformers_engine import TransformersEngine

    def make(trainer: Any) -> Policy:
        tokenizer = trainer.processing_class
        model = trainer.accelerator.unwrap_model(trainer.model)
        heat = trainer.args.temperature if temperature is None else temperature
        return LanguageModelPolicy(
            TransformersEngine(model, tokenizer, policy_version=None),
            Renderer(tokenizer, chat_template=chat_template),
            sampling=Sampling(temperature=heat, max_new_tokens=max_new_tokens),
        )

    return make


def _columns_of(episode: Ended, filler: int) -> dict[str, Any]:
    if not isinstance(episode, Trajectory):
        return {
            "prompt_ids": [filler],
            "completion_ids": [filler],
            "logprobs": [0.0],
            "env_mask": [0],
            "turn_index": [-1],
            "trajectory": None,
        }
    samples = to_samples(episode)
    if len(samples) != 1 or samples[0].logprobs is None:
        raise ValueError(
            f"task {episode.task_id!r}: expected one token sequence with log-probabilities, got "
            f"{len(samples)} {'without' if samples[0].logprobs is None else ''}; play with a "
            "policy that records them and a chat template that only appends"
        )
    sample = samples[0]
    start = int(sample.loss_mask.argmax())
    return {
        "prompt_ids": sample.token_ids[:start].tolist(),
        "completion_ids": sample.token_ids[start:].tolist(),
        "logprobs": samples[0].logprobs[start:].tolist(),
        "env_mask": sample.loss_mask[start:].tolist(),
        "turn_index": sample.turn_index[start:].tolist(),
        "trajectory": episode,
    }


def _seed_of(prompt: Sequence[Message]) -> int:
    seed = prompt[0].get("seed") if prompt and isinstance(prompt[0], dict) else None
    if not isinstance(seed, int):
        raise DataError(
            "expected prompts whose messages name the seed of their episode, got "
            f"{str(prompt)[:80]!r}; make the dataset with episode_dataset"
        )
    return seed
