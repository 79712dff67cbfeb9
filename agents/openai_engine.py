"""A vLLM server as an engine: token ids in, token ids and log-probabilities out, over HTTP.

With `rmgym.agents.renderer` it makes policies and scorers that never tokenise what was sampled
again, as an engine in this process does; `OpenAIPolicy` leaves the rendering to the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from rmgym.agents.engine import EngineError, EngineOutput, Ids, Sampling, Span, check_sequences
from rmgym.agents.language_model import LanguageModelPolicy
from rmgym.agents.openai_messages import (
    UnreadableError,
    first_choice,
    integers,
    need,
    number,
    prompt_request,
    read_finish_reason,
    read_prompt_logprobs,
)
from rmgym.agents.openai_transport import ServerSettings, Transport, together
from rmgym.trajectory import Completion, Context


class OpenAIEngine:
    """A model behind `/v1/completions`, asked with token ids: vLLM's server gives them back.

    Log-probabilities are the model's own, which are vLLM's default (`--logprobs-mode
    raw_logprobs`). Can be pickled.

    Args:
        model: Its name on the server.
        base_url: The server's address with `/v1`.
        api_key: None for `OPENAI_API_KEY`; a server of your own may need none.
        policy_version: Which weights it holds; set the attribute when they change.
        timeout: Seconds for one request.
        retries: How often a request is sent again; see `ServerSettings`.
        backoff: Seconds before the first retry, doubled with each.
        concurrency: Requests in flight at most.
        requests_per_second: Requests begun in a second at most; None for no bound.

    Raises:
        MissingExtraError: If the openai package is missing.
        ValueError: If a limit does not fit.
    """

    def __init__(
        self,
        model: str,
        base_url: str,
        api_key: str | None = None,
        *,
        policy_version: int | None = None,
        timeout: float = 120.0,
        retries: int = 4,
        backoff: float = 0.5,
        concurrency: int = 256,
        requests_per_second: float | None = None,
    ) -> None:
        settings = ServerSettings(
            base_url=base_url,
            api_key=api_key,
            timeout=timeout,
            retries=retries,
            backoff=backoff,
            concurrency=concurrency,
            requests_per_second=requests_per_second,
        )
        self.model = model
        self.transport = Transport(settings, EngineError)
        self.policy_version = policy_version

    def generate(self, prompts: Sequence[Ids], samplings: Sequence[Sampling]) -> list[EngineOutput]:
        """Return one completion per prompt, in order; the requests are in flight together.

        Raises:
            ValueError: If there is not one sampling per prompt.
            EngineError: If the server could not be reached, refused, or answered what cannot be
                read; says what came.
        """
        if len(prompts) != len(samplings):
            raise ValueError(
                f"expected one sampling per prompt, got {len(samplings)} for {len(prompts)} prompts"
            )
        pairs = zip(prompts, samplings, strict=True)
        return self.transport.run(together([self._sample(ids, how) for ids, how in pairs]))

    def logprobs(self, sequences: Sequence[Ids], spans: Sequence[Span]) -> list[tuple[float, ...]]:
        """Return the log-probability of each token of each span, given all tokens before it.

        Raises:
            ValueError: If a span does not lie in its sequence behind the first token.
            EngineError: If the server could not be reached, refused, or does not score prompts.
        """
        check_sequences(sequences, spans)
        pairs = zip(sequences, spans, strict=True)
        return self.transport.run(together([self._score(ids, span) for ids, span in pairs]))

    async def _sample(self, prompt: Ids, sampling: Sampling) -> EngineOutput:
        answer = await self.transport.post("/completions", self._request(prompt, sampling))
        try:
            choice = first_choice(answer)
            said = need(choice, "logprobs", dict)
            logprobs = [number(x, "a token_logprob") for x in need(said, "token_logprobs", list)]
            ids = integers(need(choice, "token_ids", list), "token_ids")
            if len(logprobs) != len(ids):
                raise UnreadableError(
                    f"expected one logprob per token id, got {len(logprobs)} for {len(ids)} ids"
                )
            reason = read_finish_reason(choice)
        except UnreadableError as error:
            raise self._unreadable(error) from error
        return EngineOutput(ids=ids, logprobs=tuple(logprobs), finish_reason=reason)

    def _request(self, prompt: Ids, sampling: Sampling) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self.model,
            "prompt": list(prompt),
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stop": list(sampling.stop),
            "include_stop_str_in_output": True,
            "stop_token_ids": list(sampling.stop_ids),
            "ignore_eos": True,  # what ends a turn is for `stop_ids` to say
            "skip_special_tokens": False,
            "logprobs": 0,
            "return_token_ids": True,
        }
        return request if sampling.seed is None else {**request, "seed": sampling.seed}

    async def _score(self, ids: Ids, span: Span) -> tuple[float, ...]:
        if span.start == span.end:
            return ()
        asked = ids[: span.end]
        answer = await self.transport.post("/completions", prompt_request(self.model, asked))
        try:
            return read_prompt_logprobs(answer, asked, span.start)
        except UnreadableError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: UnreadableError) -> EngineError:
        return EngineError(f"{self.model} at {self.transport.root_url}: {error}")

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ServedPolicy(LanguageModelPolicy):
    """A `LanguageModelPolicy` on a server, which the asynchronous rollout asks turn by turn.

    Each conversation waits for its own turn alone and for no batch: the server batches them.
    Arguments are those of `LanguageModelPolicy`, the engine an `OpenAIEngine`.
    """

    _threads: ThreadPoolExecutor | None = None

    async def aact(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return the same as `act`, to any event loop.

        Raises:
            RendererError: If a conversation cannot be rendered.
            PolicyError: If the server cannot answer.
        """
        if self._threads is None:
            self._threads = ThreadPoolExecutor(1024, thread_name_prefix="rmgym served")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.act, contexts)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_threads": None}
