"""A GRPO trainer of TRL whose loss takes one advantage a turn, and clip ranges a turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from rmgym.advantages.a2tgpo import LOG_RATIO_CAP
from rmgym.integrations.credit import Credit, Floats
from rmgym.integrations.episodes import trainer_module, without_tokens
from rmgym.integrations.trl_tools import ToolEpisode, join_calls
from rmgym.trajectory import Trajectory, TrajectoryGroup

EXTRA = "trl"
CLIPPED = ("grpo", "bnpo", "dr_grpo", "dapo", "luspo")
"""Loss types of TRL that clip the ratio."""
Ratio: TypeAlias = Literal["token", "turn"]


class Played(NamedTuple):
    """What one row of a batch holds."""

    trajectory: Trajectory | None
    """None for an episode that a broken backend ended."""
    turn_index: Sequence[int]
    """Turn of each completion token, -1 outside turns; padding left out."""


class TurnCredit(NamedTuple):
    """What one row's turns earn."""

    advantages: Floats
    clip_scales: Floats | None


def episode_return(trajectory: Sequence[Trajectory | None], **_: Any) -> list[float | None]:
    """Return the sum of each episode's rewards, for TRL's log; None for a failed episode."""
    return [None if each is None else each.episode_return for each in trajectory]


@cache
def turn_credit_trainer() -> Any:
    """Return the class `TurnCreditGRPOTrainer`, a `trl.GRPOTrainer` with turn-level advantages.

    Two more arguments than its parent: `credit`, a `Credit` (centred returns by default), and
    `ratio`, "token" as in GRPO or "turn": the geometric mean over the turn's tokens, as A2TGPO has
    it. Where the estimator gives clip scales, `epsilon` and `epsilon_high` are multiplied by them,
    token by token. Reward functions are for the log alone; without any, the episode's return is.

    Raises:
        MissingExtraError: If TRL is not installed.
    """
    trl = trainer_module("trl", "TurnCreditGRPOTrainer", EXTRA)

    base: Any = trl.GRPOTrainer

    class TurnCreditGRPOTrainer(base):
        """GRPO with the advantages of `credit` in place of its own."""

        def __init__(
            self, *args: Any, credit: Credit | None = None, ratio: Ratio = "token", **kwargs: Any
        ) -> None:
            if kwargs.get("rollout_func") is not None and len(args) < 2:
                kwargs["reward_funcs"] = kwargs.get("reward_funcs") or episode_return
            self.credit = credit or Credit()
            self.ratio = ratio
            self._said: list[list[dict[str, Any]]] = []
            self._turn_inputs: dict[str, Any] | None = None
            super().__init__(*args, **kwargs)
            _check_arguments(self)

        def _tool_call_loop(self, *args: Any, **kwargs: Any) -> Any:
            found = super()._tool_call_loop(*args, **kwargs)
            self._said = found[1]
            return found

        def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
            out: dict[str, Any] = super()._generate_and_score_completions(inputs)
            if self.environments:
                played = _played_by_tools(self.environments, self._said, out)
            else:
                played = _played_by_rollout(inputs)
            return out | _token_tensors(self, played, out["completion_ids"])

        def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
            with _clip_range(self, inputs), _turn_inputs(self, inputs):
                return super()._compute_loss(model, inputs)

        def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
            found = super()._get_per_token_logps_and_entropies(*args, **kwargs)
            if self._turn_inputs is None:
                return found
            return (turn_mean_logps(found[0], self._turn_inputs), *found[1:])

    return TurnCreditGRPOTrainer


def turn_credit(
    trajectories: Sequence[Trajectory | None], attempts: int, credit: Credit
) -> list[TurnCredit | None]:
    """Return the credit of each trajectory among the attempts at its task.

    Args:
        trajectories: The attempts at one task after those at another; None for a failed one, which
            is left out of its group.
        attempts: How many there are of each.
        credit: How turns earn it.

    Raises:
        ValueError: If attempts at different tasks stand in one group.
    """
    places: list[int] = []
    groups: list[TrajectoryGroup] = []
    for start in range(0, len(trajectories), attempts):
        own = {
            start + i: each
            for i, each in enumerate(trajectories[start : start + attempts])
            if each is not None
        }
        if own:
            task = next(iter(own.values())).task_id
            groups.append(TrajectoryGroup(task_id=task, trajectories=tuple(own.values())))
            places += own
    found: list[TurnCredit | None] = [None] * len(trajectories)
    if not groups:
        return found
    given = credit.advantages(groups)
    scales: list[Floats | None] = [None] * len(places)
    if "clip_scale" in given.extras:
        scales = [*given.extra("clip_scale")]
    for place, advantages, scale in zip(places, given.per_trajectory(), scales, strict=True):
        found[place] = TurnCredit(advantages, scale)
    return found


def turn_mean_logps(logps: Any, inputs: dict[str, Any]) -> Any:
    """Return log-probabilities whose ratio to the old ones is that of the whole turn.

    The log-ratio of every token becomes the mean over its turn, at most 10; gradients follow.

    Args:
        logps: Shape (B, T), of the policy as it is.
        inputs: `turn_index`, shape (B, T), -1 outside turns, and `old_per_token_logps` or None.
    """
    torch = trainer_module("torch", "turn_mean_logps", EXTRA)
    old = inputs.get("old_per_token_logps")
    old = logps.detach() if old is None else old
    index = inputs["turn_index"] + 1
    shape = (logps.shape[0], int(index.max()) + 1)
    sums = torch.zeros(shape, dtype=logps.dtype, device=logps.device)
    sums = sums.scatter_add(1, index, logps - old)
    counts = torch.zeros_like(sums).scatter_add(1, index, torch.ones_like(logps))
    means = (sums / counts.clamp(min=1.0)).clamp(max=LOG_RATIO_CAP)
    return old + means.gather(1, index)


def _check_arguments(trainer: Any) -> None:
    if trainer.ratio not in ("token", "turn"):
        raise ValueError(f"expected ratio 'token' or 'turn', got {trainer.ratio!r}")
    if trainer.importance_sampling_level != "token":
        raise ValueError(
            "expected importance_sampling_level='token', which turn advantages need, got "
            f"{trainer.importance_sampling_level!r}; ratio='turn' averages over turns"
        )
    if trainer.ratio == "turn" and (trainer.beta != 0.0 or trainer.loss_type not in CLIPPED):
        raise ValueError(
            f"expected beta=0.0 and a loss type of {CLIPPED} with ratio='turn', got beta="
            f"{trainer.beta} and {trainer.loss_type!r}: other parts of the loss need the "
            "log-probabilities of single tokens"
        )


def _played_by_rollout(inputs: Sequence[dict[str, Any]]) -> list[Played]:
    if any("trajectory" not in row or "turn_index" not in row for row in inputs):
        raise ValueError(
            "expected a rollout_func of rmgym.integrations.trl (rollout_function), or its "
            "environment_factory: turn advantages need the episodes"
        )
    return [Played(row["trajectory"], row["turn_index"]) for row in inputs]


def _played_by_tools(
    environments: Sequence[Any], said: Sequence[Sequence[dict[str, Any]]], out: dict[str, Any]
) -> list[Played]:
    masks = (out["completion_mask"] * out["tool_mask"]).cpu().numpy()
    found = []
    for environment, messages, mask in zip(environments, said, masks, strict=True):
        if not isinstance(environment, ToolEpisode):
            raise TypeError(
                "expected environments of rmgym.integrations.trl.environment_factory, got "
                f"{type(environment).__name__}"
            )
        trajectory = environment.trajectory
        if trajectory is None:
            found.append(Played(None, [-1] * len(mask)))
        else:
            known = environment._tool_names
            found.append(Played(*join_calls(trajectory, messages, mask, known)))
    return found


def _token_tensors(trainer: Any, played: Sequence[Played], completion_ids: Any) -> dict[str, Any]:
    """Return advantages, turn index and, if there are any, clip scales, of shape (B, T)."""
    torch = trainer_module("torch", "TurnCreditGRPOTrainer", EXTRA)
    gather_object = trainer_module("accelerate.utils", "TurnCreditGRPOTrainer", EXTRA).gather_object
    mode = "train" if trainer.model.training else "eval"
    attempts = trainer.num_generations if mode == "train" else trainer.num_generations_eval
    own = [None if p.trajectory is None else without_tokens(p.trajectory) for p in played]
    everyone = gather_object(own)
    first = trainer.accelerator.process_index * len(own)
    credit = turn_credit(everyone, attempts, trainer.credit)[first : first + len(own)]
    _log_terms(trainer._metrics[mode], everyone)
    rows, tokens = completion_ids.shape
    advantages, scales = np.zeros((rows, tokens)), np.ones((rows, tokens))
    index = np.full((rows, tokens), -1)
    for row, (episode, earned) in enumerate(zip(played, credit, strict=True)):
        turns = np.asarray(episode.turn_index, dtype=np.int64)
        index[row, : len(turns)] = turns
        if earned is not None:
            advantages[row, : len(turns)] = np.append(earned.advantages, 0.0)[turns]
            if earned.clip_scales is not None:
                scales[row, : len(turns)] = np.append(earned.clip_scales, 1.0)[turns]
    made: dict[str, Any] = {"advantages": advantages, "turn_index": index}
    if any(earned is not None and earned.clip_scales is not None for earned in credit):
        made["clip_scales"] = scales
    kinds = {"turn_index": torch.int64}
    return {
        name: torch.as_tensor(array, dtype=kinds.get(name, torch.float32)).to(completion_ids.device)
        for name, array in made.items()
    }


def _log_terms(metrics: Any, trajectories: Sequence[Trajectory | None]) -> None:
    done = [each for each in trajectories if each is not None]
    metrics["episodes/failed"].append(float(len(trajectories) - len(done)))
    names = sorted({name for each in done for name in each.term_sums})
    for name in names:
        sums = [each.term_sums.get(name, 0.0) for each in done]
        metrics[f"reward_terms/{name}"].append(float(np.mean(sums)))
    if done:
        metrics["episodes/turns"].append(float(np.mean([len(each.turns) for each in done])))


@contextmanager
def _clip_range(trainer: Any, inputs: dict[str, Any]) -> Iterator[None]:
    """Scale the clip range token by token while the loss is computed."""
    scales = inputs.get("clip_scales")
    if scales is None:
        yield
        return
    if trainer.loss_type not in CLIPPED:
        raise ValueError(
            f"expected a loss type of {CLIPPED} with clip scales, got {trainer.loss_type!r}"
        )
    low, high = trainer.epsilon_low, trainer.epsilon_high
    trainer.epsilon_low, trainer.epsilon_high = low * scales, high * scales
    try:
        yield
    finally:
        trainer.epsilon_low, trainer.epsilon_high = low, high


@contextmanager
def _turn_inputs(trainer: Any, inputs: dict[str, Any]) -> Iterator[None]:
    """Have log-probabilities averaged over turns while the loss is computed."""
    trainer._turn_inputs = inputs if trainer.ratio == "turn" else None
    try:
        yield
    finally:
        trainer._turn_inputs = None
