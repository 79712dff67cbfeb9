"""A policy and a scorer out of any engine and the one renderer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rmgym.agents.engine import (
    Branch,
    BranchEngine,
    Engine,
    EngineError,
    EngineOutput,
    Ids,
    Sampling,
    Span,
    stream_seed,
)
from rmgym.agents.renderer import Renderer, without_ids
from rmgym.errors import PolicyError, ScorerError
from rmgym.protocols import Target, TargetLogprobs
from rmgym.trajectory import Completion, Context, Trajectory


class LanguageModelPolicy:
    """Plays by sampling from an engine; keeps no episode state.

    Without a seed every completion draws fresh entropy. With one, a completion depends on the seed
    and the prompt alone, so that any batching gives the same episodes; then the attempts at one
    task need seeds of their own, `act(contexts, seeds=...)`, or they are all the same.

    Args:
        engine: What samples.
        renderer: What turns a context into the prompt.
        tools: JSON schemas (`env.tools`) for the chat template to render; those of the renderer
            when None.
        sampling: How to sample; the renderer's stop tokens are added.

    Raises:
        RendererError: If the chat template cannot render the tools.
    """

    def __init__(
        self,
        engine: Engine,
        renderer: Renderer,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        self.engine = engine
        self.renderer = renderer if tools is None else renderer.with_tools(tools)
        asked = sampling or Sampling()
        stop_ids = tuple(sorted({*asked.stop_ids, *self.renderer.stop_ids}))
        self.sampling = replace(asked, stop_ids=stop_ids)

    def act(
        self, contexts: Sequence[Context], *, seeds: Sequence[int] | None = None
    ) -> list[Completion]:
        """Return one completion per context, in order.

        Args:
            contexts: The conversations.
            seeds: One per context, in place of the sampling's own.

        Raises:
            ValueError: If there is not one seed per context.
            RendererError: If a conversation cannot be rendered.
            PolicyError: If the engine cannot answer.
        """
        if seeds is not None and len(seeds) != len(contexts):
            raise ValueError(
                f"expected one seed per context, got {len(seeds)} for {len(contexts)} contexts"
            )
        prompts = [self.renderer.prompt(context) for context in contexts]
        own = [self.sampling.seed] * len(contexts) if seeds is None else seeds
        samplings = [
            self.sampling if seed is None else replace(self.sampling, seed=stream_seed(seed, ids))
            for seed, ids in zip(own, prompts, strict=True)
        ]
        version = self.engine.policy_version
        try:
            outputs = self.engine.generate(prompts, samplings)
        except EngineError as error:
            raise PolicyError(str(error)) from error
        return [
            self._completion(prompt, output, version)
            for prompt, output in zip(prompts, outputs, strict=True)
        ]

    def _completion(self, prompt: Ids, output: EngineOutput, version: int | None) -> Completion:
        return Completion(
            text=self.renderer.text(output.ids),
            prompt_ids=prompt,
            completion_ids=output.ids,
            logprobs=output.logprobs,
            finish_reason=output.finish_reason,
            policy_version=version,
        )


class LanguageModelScorer:
    """Gives the log-probabilities of targets as if the agent said them next.

    Lead and text are tokenised together, as the agent would write them, and only the tokens that
    hold some of the text are scored. Recorded ids are kept: with another tokenizer than the one
    that played, set `keep_ids=False`.

    Args:
        engine: What scores.
        renderer: What turns a context into the prompt, with the policy's tools.
        keep_ids: Whether recorded ids stand for what was said, or its text tokenised again.
    """

    def __init__(self, engine: Engine, renderer: Renderer, *, keep_ids: bool = True) -> None:
        self.engine = engine
        self.renderer = renderer
        self.keep_ids = keep_ids

    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        """Return the token log-probabilities of each target after its context.

        Raises:
            ValueError: If there is not one target per context.
            RendererError: If a conversation cannot be rendered, or its ids are another tokenizer's.
            ScorerError: If the engine cannot answer.
        """
        _check_count(len(targets), len(contexts), "context")
        prompts = [self.renderer.prompt(self._read(context)) for context in contexts]
        return self._score(prompts, [self.renderer.target(target) for target in targets])

    def potentials(
        self, trajectories: Sequence[Trajectory], targets: Sequence[Target]
    ) -> list[list[TargetLogprobs]]:
        """Return the target's log-probabilities before each turn of each trajectory, in order.

        In one pass over each trajectory, the target hung as a branch on every turn boundary, where
        the engine can (`BranchEngine`); else every prefix by itself. The numbers are the same.

        Raises:
            ValueError: If there is not one target per trajectory.
            RendererError: If a conversation cannot be rendered, or its ids are another tokenizer's.
            ScorerError: If the engine cannot answer.
        """
        _check_count(len(targets), len(trajectories), "trajectory")
        scored = [self.renderer.target(target) for target in targets]
        prompts = [self._prompts(trajectory) for trajectory in trajectories]
        if isinstance(self.engine, BranchEngine) and self.engine.can_branch:
            found = iter(self._score_branches(self.engine, prompts, scored))
        else:
            repeated = [t for own, t in zip(prompts, scored, strict=True) for _ in own]
            found = iter(self._score([p for own in prompts for p in own], repeated))
        return [[next(found) for _ in own] for own in prompts]

    def _read(self, context: Context) -> Context:
        if self.keep_ids:
            return context
        return Context(without_ids(context.turns), context.observation)

    def _prompts(self, trajectory: Trajectory) -> list[Ids]:
        turns = trajectory.turns if self.keep_ids else without_ids(trajectory.turns)
        for turn in turns:
            self.renderer.check_ids(turn)
        return self.renderer.prompts(turns)

    def _score(
        self, prompts: Sequence[Ids], targets: Sequence[tuple[Ids, int]]
    ) -> list[TargetLogprobs]:
        spans = [
            Span(len(prompt) + first, len(prompt) + len(ids))
            for prompt, (ids, first) in zip(prompts, targets, strict=True)
        ]
        sequences = [p + ids for p, (ids, _) in zip(prompts, targets, strict=True)]
        try:
            found = self.engine.logprobs(sequences, spans)
        except EngineError as error:
            raise ScorerError(str(error)) from error
        return [
            TargetLogprobs(ids[first:], logprobs)
            for (ids, first), logprobs in zip(targets, found, strict=True)
        ]

    def _score_branches(
        self,
        engine: BranchEngine,
        prompts: Sequence[Sequence[Ids]],
        targets: Sequence[tuple[Ids, int]],
    ) -> list[TargetLogprobs]:
        trunks: list[Ids] = []
        branches: list[list[Branch]] = []
        for own, (ids, first) in zip(prompts, targets, strict=True):
            for run in _runs(own):
                trunks.append(run[-1])
                branches.append([Branch(len(prompt), ids, first) for prompt in run])
        try:
            found = engine.branch_logprobs(trunks, branches)
        except EngineError as error:
            raise ScorerError(str(error)) from error
        return [
            TargetLogprobs(branch.ids[branch.first_scored :], logprobs)
            for own, scores in zip(branches, found, strict=True)
            for branch, logprobs in zip(own, scores, strict=True)
        ]


def _runs(prompts: Sequence[Ids]) -> Iterator[list[Ids]]:
    """Split prompts where one does not extend the one before."""
    run: list[Ids] = []
    for prompt in prompts:
        if run and prompt[: len(run[-1])] != run[-1]:
            yield run
            run = []
        run.append(prompt)
    if run:
        yield run


def _check_count(got: int, expected: int, per: str) -> None:
    if got != expected:
        raise ValueError(f"expected one target per {per}, got {got} for {expected}")
