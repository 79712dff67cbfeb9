"""verl: an agent loop that keeps turn rewards, and advantage estimators that use them.

verl carries one tensor of rewards to its estimators, `rm_scores`. The agent loop fills it at the
ends of turns, and the estimator reads turns from the response mask:

    # my_credit.py, named in the environment variable VERL_USE_EXTERNAL_MODULES
    from rmgym.integrations.verl import Credit, register_estimator
    register_estimator("rmgym_igpo", Credit(estimator="igpo", outcome="em"))

    # agent_loops.yaml, for actor_rollout_ref.rollout.agent.agent_loop_config_path
    - name: rmgym
      _target_: rmgym.integrations.verl.TurnAgentLoop
      env: rmgym/Search-v0
      outcome: em

with `algorithm.adv_estimator=rmgym_igpo`, and a dataset of `episode_rows` (columns `prompt`,
`agent_name`, `extra_info` with the seed). verl carries no clip range a token, so A2TGPO's clip
scales stay behind. Written for verl 0.9; needs `pip install 'rmgym[verl]'`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from rmgym.errors import BackendError, DataError
from rmgym.integrations.credit import Credit, TokenRow, whole_rows
from rmgym.integrations.episodes import MakeEnv, trainer_module
from rmgym.integrations.token_loop import Sampled, TokenBudget, play_episode
from rmgym.integrations.token_rewards import turn_numbers
from rmgym.rollout.engine import env_maker

if TYPE_CHECKING:
    TurnAgentLoop: Any
    """An agent loop that plays an rmgym environment; see `agent_loop_class`."""
    TurnRewardOutput: Any
    """`AgentLoopOutput` with rewards at the ends of turns; see `output_class`."""

EXTRA = "verl"
logger = logging.getLogger(__name__)

__all__ = [
    "Credit",
    "TurnAgentLoop",
    "TurnRewardOutput",
    "episode_rows",
    "output_fields",
    "register_estimator",
]


def __getattr__(name: str) -> Any:
    if name == "TurnAgentLoop":
        return agent_loop_class()
    if name == "TurnRewardOutput":
        return output_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def episode_rows(
    env: MakeEnv, seeds: Sequence[int], *, agent_name: str = "rmgym"
) -> list[dict[str, Any]]:
    """Return dataset rows, one a seed; write them as Parquet for verl.

    Args:
        env: An id, or a function that makes an environment.
        seeds: One episode each.
        agent_name: Name of the agent loop in the configuration.
    """
    world = env_maker(env)()
    rows = []
    for seed in seeds:
        opening, _ = world.reset(seed=seed)
        rows.append(
            {
                "prompt": [dict(said) for said in opening],
                "agent_name": agent_name,
                "data_source": "rmgym",
                "reward_model": {"style": "rmgym", "ground_truth": ""},
                "extra_info": {"index": seed, "seed": seed},
            }
        )
    world.close()
    return rows


def output_fields(row: TokenRow) -> dict[str, Any]:
    """Return a row under verl's names; `rm_scores` is what `TurnRewardOutput` puts in its place.

    Raises:
        ValueError: If the episode has several token sequences.
    """
    whole_rows([row], "verl")
    fields: dict[str, Any] = {
        "prompt_ids": list(row.prompt_ids),
        "response_ids": list(row.completion_ids),
        "response_mask": list(row.loss_mask),
        "rm_scores": list(row.rewards),
    }
    if row.logprobs is not None:
        fields["response_logprobs"] = list(row.logprobs)
    return fields


def register_estimator(name: str, credit: Credit) -> None:
    """Make `algorithm.adv_estimator=name` compute the advantages of `credit`.

    Groups are verl's `uid`s. A penalty that verl adds to the rewards counts as a reward of its
    turn.

    Raises:
        MissingExtraError: If verl is not installed.
        ValueError: If the estimator needs more than turn rewards and outcomes.
    """
    algorithms = trainer_module("verl.trainer.ppo.core_algos", "register_estimator", EXTRA)
    estimator = credit.over_tokens

    def estimate(
        token_level_rewards: Any, response_mask: Any, index: Any, **_: Any
    ) -> tuple[Any, Any]:
        rewards = token_level_rewards.detach().cpu().double().numpy()
        turns = turn_numbers(response_mask.cpu().numpy() > 0)
        found = estimator(rewards, turns, list(index))
        return (
            token_level_rewards.new_tensor(found.advantages),
            token_level_rewards.new_tensor(found.returns),
        )

    algorithms.register_adv_est(name)(estimate)


@cache
def output_class() -> Any:
    """Return the class `TurnRewardOutput`: an `AgentLoopOutput` with `turn_scores` a token.

    Raises:
        MissingExtraError: If verl is not installed.
    """
    loops = _loops("TurnRewardOutput")
    torch = trainer_module("torch", "TurnRewardOutput", EXTRA)

    base: Any = loops.AgentLoopOutput

    class TurnRewardOutput(base):
        """What an agent loop gives; `rm_scores` hold rewards at the ends of turns."""

        turn_scores: list[float]
        """One a response token."""

        def as_dict(self) -> dict[str, Any]:
            out: dict[str, Any] = super().as_dict()
            out.pop("turn_scores", None)
            out["rm_scores"] = torch.tensor(self.turn_scores, dtype=torch.float32)
            return out

    return TurnRewardOutput


_Base: Any = object


class _Loop(_Base):
    """Plays one episode of an rmgym environment."""

    def __init__(
        self,
        *args: Any,
        env: MakeEnv,
        outcome: str | None = None,
        terms: Sequence[str] | None = None,
        chat_template: str | None = None,
        **kwargs: Any,
    ) -> None:
        from rmgym.agents.renderer import Renderer

        super().__init__(*args, **kwargs)
        self.env = env
        self.credit = Credit(outcome=outcome, terms=None if terms is None else tuple(terms))
        self.renderer = Renderer(self.tokenizer, chat_template=chat_template)

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> Any:
        """Play the episode of a dataset row; return its output, or none if it failed."""
        request = f"{row.get('uid', 'rmgym')}_{row.get('session_id', 0)}_{id(self)}"

        async def generate(prompt: tuple[int, ...], room: int | None) -> Sampled:
            asked = {**sampling_params, "stop_token_ids": list(self.renderer.stop_ids)}
            if room is not None:
                asked["max_tokens"] = min(room, sampling_params.get("max_tokens") or room)
            said = await self.server_manager.generate(
                request_id=request, prompt_ids=list(prompt), sampling_params=asked
            )
            return _sampled(said, self.renderer.stop_ids)

        budget = TokenBudget(response=self.rollout_config.response_length)
        try:
            played = await play_episode(
                self.env, _seed_of(row), generate, self.renderer, budget=budget
            )
        except BackendError as error:
            logger.warning("an episode is left out: %s", error)
            return []
        fields = output_fields(whole_rows(self.credit.token_rows(played), "verl")[0])
        return output_class()(
            turn_scores=fields.pop("rm_scores"),
            reward_score=played.episode_return,
            num_turns=2 * len(played.turns),
            metrics=_loops("TurnAgentLoop").AgentLoopMetrics(),
            extra_fields={
                "reward_extra_info": {**played.term_sums},
                "stop_reason": played.stop_reason,
            },
            **fields,
        )


@cache
def agent_loop_class() -> Any:
    """Return the class `TurnAgentLoop`, which plays an rmgym environment over verl's servers.

    Its arguments beside verl's own: `env` (an id), `outcome` and `terms` (as in `Credit`),
    `chat_template` (append-only, instead of the tokenizer's own). It tokenises by itself: prompts
    grow by appending, whatever the model family. An episode that a broken backend ended gives no
    output, and is then no part of its group.

    Raises:
        MissingExtraError: If verl is not installed.
    """
    return type("TurnAgentLoop", (_Loop, _loops("TurnAgentLoop").AgentLoopBase), {})


def _sampled(said: Any, stop_ids: Sequence[int]) -> Sampled:
    ids = tuple(said.token_ids)
    stopped = bool(ids) and ids[-1] in stop_ids
    logprobs = None if said.log_probs is None else tuple(said.log_probs)
    return Sampled(ids, logprobs, "stop" if stopped else "length")


def _seed_of(row: Mapping[str, Any]) -> int:
    facts = row.get("extra_info") or {}
    if "seed" not in facts:
        raise DataError(
            "expected the seed of the episode in extra_info, got none; make the dataset with "
            "rmgym.integrations.verl.episode_rows"
        )
    return int(facts["seed"])


def _loops(what: str) -> Any:
    return trainer_module("verl.experimental.agent_loop.agent_loop", what, EXTRA)
