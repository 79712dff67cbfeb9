"""OpenRLHF: an agent executor that keeps turn rewards, and experiences with turn advantages.

OpenRLHF sums the rewards of a trajectory to one number and keeps which tokens the model sampled.
The executor sends the turn rewards along in the label, and the experience maker makes turn
advantages of them:

    # agent_func.py, for --train.agent_func_path
    from rmgym.integrations.openrlhf import Credit, agent_executor, use_turn_credit
    credit = Credit(estimator="igpo", outcome="em")
    AgentExecutor = agent_executor("rmgym/Search-v0", credit)

    def setup():                      # in every worker, before the trainer is made
        use_turn_credit(credit)

The trainer lives in a Ray worker: start it with
`ray.init(runtime_env={"worker_process_setup_hook": agent_func.setup})`. The dataset's label is the
seed of the episode. Written for OpenRLHF 0.11; needs `pip install 'rmgym[openrlhf]'`.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np

from rmgym.errors import BackendError, DataError
from rmgym.integrations.credit import Credit, TokenRow, whole_rows
from rmgym.integrations.episodes import MakeEnv, trainer_module
from rmgym.integrations.token_loop import Sampled, TokenBudget, play_episode
from rmgym.integrations.token_rewards import (
    Floats,
    Ints,
    TokenCredit,
    TurnRewards,
    place,
    turn_numbers,
)

EXTRA = "openrlhf"
KEY = "rmgym_turn_rewards"
"""Under it, the label holds what each turn earned."""

__all__ = ["Credit", "agent_executor", "executor_output", "experience_maker", "use_turn_credit"]


def executor_output(
    row: TokenRow, rewards: TurnRewards, *, prompt: Any = None, label: Any = None
) -> dict[str, Any]:
    """Return a row as `AgentExecutorBase.execute` does, its turn rewards in the label.

    Raises:
        ValueError: If the episode has several token sequences.
    """
    whole_rows([row], "OpenRLHF")
    start = len(row.prompt_ids)
    logprobs = None
    if row.logprobs is not None:
        logprobs = [0.0] * start + list(row.logprobs)
    return {
        "prompt": prompt,
        "label": {"label": label, KEY: (rewards.turns, rewards.outcome)},
        "images": None,
        "mm_train_inputs": None,
        "reward": rewards.total,
        "scores": rewards.total if rewards.outcome is None else rewards.outcome,
        "observation_tokens": [*row.prompt_ids, *row.completion_ids],
        "action_ranges": [(start + first, start + end) for first, end in row.turn_spans],
        "rollout_log_probs": logprobs,
        "truncated": False,
        "extra_logs": {},
    }


def agent_executor(
    env: MakeEnv, credit: Credit | None = None, *, chat_template: str | None = None
) -> Any:
    """Return a class to be exported as `AgentExecutor`.

    An episode that a broken backend ended gives a row without a trainable token and reward NaN:
    its reward is not known.

    Args:
        env: An id, or a function that makes an environment.
        credit: Which reward terms are turn rewards, and which the outcome.
        chat_template: An append-only template to use instead of the tokenizer's own.

    Raises:
        MissingExtraError: If OpenRLHF is not installed.
    """
    agents = trainer_module("openrlhf.utils.agent", "agent_executor", EXTRA)
    from rmgym.agents.renderer import Renderer

    how = credit or Credit()
    base: Any = agents.AgentExecutorBase

    class AgentExecutor(base):
        """Plays one episode of an rmgym environment a sample."""

        renderers: dict[int, Any] = {}  # noqa: RUF012  # one a tokenizer, shared by all samples

        async def execute(
            self,
            prompt: Any,
            label: Any,
            sampling_params: Any,
            max_length: int,
            hf_tokenizer: Any,
            llm_engine: Any,
            images: Any = None,
        ) -> dict[str, Any]:
            """Return the finished sample."""
            renderer = self.renderers.get(id(hf_tokenizer))
            if renderer is None:
                renderer = Renderer(hf_tokenizer, chat_template=chat_template)
                self.renderers[id(hf_tokenizer)] = renderer

            async def generate(ids: tuple[int, ...], room: int | None) -> Sampled:
                asked = deepcopy(sampling_params)
                asked.max_tokens = min(room or max_length, asked.max_tokens or max_length)
                asked.stop_token_ids = list(renderer.stop_ids)
                said = await llm_engine.generate(list(ids), asked, multi_modal_data=None)
                return _sampled(said.outputs[0], sampling_params.logprobs is not None)

            budget = TokenBudget(sequence=max_length)
            try:
                played = await play_episode(env, _seed(label), generate, renderer, budget=budget)
            except BackendError as error:
                return _failed(error, prompt, label, sampling_params, hf_tokenizer.eos_token_id)
            row = whole_rows(how.token_rows(played), "OpenRLHF")[0]
            out = executor_output(row, how.rewards(played), prompt=prompt, label=label)
            return out | {"truncated": played.turns[-1].truncated}

    return AgentExecutor


def experience_maker(credit: Credit) -> Any:
    """Return a `RemoteExperienceMaker` whose advantages are those of `credit`.

    Raises:
        MissingExtraError: If OpenRLHF is not installed.
        ValueError: If the estimator needs more than turn rewards and outcomes.
    """
    makers = trainer_module(
        "openrlhf.trainer.ppo_utils.experience_maker", "experience_maker", EXTRA
    )
    estimator = credit.over_tokens

    base: Any = makers.RemoteExperienceMaker

    class TurnCreditExperienceMaker(base):
        """Experiences with turn advantages."""

        def compute_advantages_and_returns(self, experiences: list[Any]) -> list[Any]:
            """Return the experiences with the advantages of `credit`.

            Raises:
                ValueError: If a KL penalty is part of the reward.
            """
            if self.kl_ctl.value and not self.args.algo.kl.use_loss:
                raise ValueError(
                    "expected the KL penalty in the loss (--algo.kl.use_loss) or none, got one in "
                    "the reward, where it has no turn"
                )
            made: list[Any] = super().compute_advantages_and_returns(experiences)
            attempts = self.args.rollout.n_samples_per_prompt
            masks = [exp.action_mask.cpu().numpy() > 0 for exp in made]
            labels = [label for exp in made for label in exp.labels]
            groups = [number // attempts for exp in made for number in exp.index]
            rewards, turns = _token_rewards(masks, labels)
            found = estimator(rewards, turns, groups)
            _enter(made, found)
            return made

    return TurnCreditExperienceMaker


def use_turn_credit(credit: Credit) -> None:
    """Make the PPO trainer of this process take the advantages of `credit`.

    Raises:
        MissingExtraError: If OpenRLHF is not installed.
    """
    trainer = trainer_module("openrlhf.trainer.ppo_trainer", "use_turn_credit", EXTRA)
    trainer.RemoteExperienceMaker = experience_maker(credit)


def _token_rewards(masks: Sequence[Any], labels: Sequence[Any]) -> tuple[Floats, Ints]:
    """Return rewards and turns of all rows, padded to one length."""
    width = max(mask.shape[1] for mask in masks)
    rows = [np.pad(row, (0, width - row.size)) for mask in masks for row in mask]
    turns = turn_numbers(np.array(rows))
    rewards = np.zeros(turns.shape)
    for row, label in enumerate(labels):
        if not isinstance(label, dict) or KEY not in label:
            raise DataError(
                "expected samples of rmgym's agent executor, whose labels hold turn rewards, got "
                f"the label {str(label)[:60]!r}"
            )
        granted, outcome = label[KEY]
        if granted:
            rewards[row] = place(TurnRewards(tuple(granted), outcome), turns[row])
    return rewards, turns


def _enter(experiences: Sequence[Any], credit: TokenCredit) -> None:
    first = 0
    for experience in experiences:
        rows, width = experience.action_mask.shape
        part = slice(first, first + rows), slice(width)
        like = experience.advantages
        experience.advantages = like.new_tensor(credit.advantages[part])
        experience.returns = like.new_tensor(credit.returns[part])
        first += rows


def _sampled(said: Any, has_logprobs: bool) -> Sampled:
    ids = tuple(said.token_ids)
    logprobs = None
    if has_logprobs:
        logprobs = tuple(
            float(choices[token].logprob) for token, choices in zip(ids, said.logprobs, strict=True)
        )
    return Sampled(ids, logprobs, "length" if said.finish_reason == "length" else "stop")


def _failed(
    error: BackendError, prompt: Any, label: Any, sampling_params: Any, filler: int
) -> dict[str, Any]:
    return {
        "prompt": prompt,
        "label": {"label": label, KEY: ((), None), "error": f"{type(error).__name__}: {error}"},
        "images": None,
        "mm_train_inputs": None,
        "reward": float("nan"),
        "scores": float("nan"),
        "observation_tokens": [filler, filler],
        "action_ranges": [],
        "rollout_log_probs": None if sampling_params.logprobs is None else [0.0, 0.0],
        "truncated": False,
        "extra_logs": {},
    }


def _seed(label: Any) -> int:
    try:
        return int(label)
    except (TypeError, ValueError):
        raise DataError(
            f"expected the seed of the episode as the label, got {str(label)[:60]!r}; name the "
            "seed column with --data.label_key"
        ) from None
