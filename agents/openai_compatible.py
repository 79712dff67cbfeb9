"""Any OpenAI-compatible server as a policy, and vLLM's as a scorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from rmgym.agents.openai_messages import (
    UnreadableError,
    integers,
    need,
    plain_messages,
    prompt_request,
    read_completion,
    read_prompt_logprobs,
    sendable,
    tool_messages,
)
from rmgym.agents.openai_transport import ServerSettings, Transport, together
from rmgym.errors import PolicyError, ScorerError
from rmgym.protocols import Target, TargetLogprobs
from rmgym.trajectory import Completion, Context


class _Client:
    """What a policy and a scorer on a server share."""

    def __init__(self, model: str, transport: Transport) -> None:
        self.model = model
        self.transport = transport

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OpenAIPolicy(_Client):
    """A model behind `/v1/chat/completions`.

    A batch is as many requests, in flight together; the server batches them. `aact` is the same for
    an event loop, which the asynchronous rollout prefers. The chat template is the server's: it
    renders the whole conversation again at every turn, so keep `prompt_ids` of a server that gives
    them if you train on the turns. Can be pickled.

    Args:
        model: Its name on the server.
        base_url: The server's address with `/v1`; None for `OPENAI_BASE_URL`, else OpenAI's.
        api_key: None for `OPENAI_API_KEY`; a server of your own may need none.
        tools: JSON schemas for the server to render, as `env.tools` gives them; use them with
            `action_format="tool_call"`. Without them the tools are what the conversation says.
        temperature: Of sampling; 0 is greedy.
        max_tokens: Most tokens of one turn; None for the server's bound.
        token_ids: Ask for sampled ids, prompt ids and log-probabilities (vLLM's
            `return_token_ids`); a server that does not give them is an error.
        extra: More fields of the request, such as `top_p`, `seed`, `stop` or vLLM's own.
        policy_version: Kept in the completions; set the attribute when the weights change.
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
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        temperature: float = 1.0,
        max_tokens: int | None = None,
        token_ids: bool = False,
        extra: Mapping[str, Any] | None = None,
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
        super().__init__(model, Transport(settings, PolicyError))
        self.tools = tuple(tools or ())
        self.token_ids = token_ids
        self.policy_version = policy_version
        self._fields: dict[str, Any] = {"model": model, "temperature": temperature}
        if max_tokens is not None:
            self._fields["max_tokens"] = max_tokens
        if self.tools:
            self._fields["tools"] = [dict(tool) for tool in self.tools]
        if token_ids:
            self._fields |= {"logprobs": True, "return_token_ids": True}
        self._fields |= extra or {}

    def act(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return one completion per context, in order.

        Raises:
            PolicyError: If the server could not be reached, refused, or answered what cannot be
                read; says what came.
        """
        return self.transport.run(self._complete_all(contexts))

    async def aact(self, contexts: Sequence[Context]) -> list[Completion]:
        """Return the same as `act`, to any event loop."""
        return await self.transport.arun(self._complete_all(contexts))

    async def _complete_all(self, contexts: Sequence[Context]) -> list[Completion]:
        return await together([self._complete(context) for context in contexts])

    async def _complete(self, context: Context) -> Completion:
        write = tool_messages if self.tools else plain_messages
        version = self.policy_version
        body = {**self._fields, "messages": write(context.messages)}
        answer = await self.transport.post("/chat/completions", body)
        try:
            return read_completion(answer, wants_ids=self.token_ids, policy_version=version)
        except UnreadableError as error:
            raise PolicyError(f"{self.model} at {self.transport.root_url}: {error}") from error


class OpenAIScorer(_Client):
    """Log-probabilities from a server that gives those of a prompt: vLLM's `prompt_logprobs`.

    The server renders the conversation by its chat template and tokenises lead and text together
    (`/tokenize`), and `/v1/completions` scores the ids; a token that covers the end of the lead and
    the start of the text belongs to the text. With prefix caching on, targets of one conversation
    share its computation. Can be pickled.

    Args:
        model: Its name on the server.
        base_url: The server's address with `/v1`.
        api_key: None for `OPENAI_API_KEY`; a server of your own may need none.
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
        timeout: float = 120.0,
        retries: int = 4,
        backoff: float = 0.5,
        concurrency: int = 64,
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
        super().__init__(model, Transport(settings, ScorerError))

    def logprobs(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        """Return the token log-probabilities of each target after its context.

        Raises:
            ValueError: If there is not one target per context.
            ScorerError: If the server could not be reached, refused, or does not give the
                log-probabilities of a prompt; says what came.
        """
        if len(contexts) != len(targets):
            raise ValueError(
                f"expected one target per context, got {len(targets)} for {len(contexts)}"
            )
        return self.transport.run(self._score_all(contexts, targets))

    async def _score_all(
        self, contexts: Sequence[Context], targets: Sequence[Target]
    ) -> list[TargetLogprobs]:
        pairs = zip(contexts, targets, strict=True)
        return await together([self._score(context, target) for context, target in pairs])

    async def _score(self, context: Context, target: Target) -> TargetLogprobs:
        if not target.text:
            return TargetLogprobs((), ())
        messages = plain_messages(context.messages)
        try:
            given, lead, said = await together(
                [
                    self._tokenize({"messages": messages, "add_generation_prompt": True}),
                    self._tokenize_text(target.lead),
                    self._tokenize_text(target.lead + target.text),
                ]
            )
            led = await self._led(lead, said, target)
            logprobs = await self._read_prompt((*given, *said[:led]), said[led:])
            return TargetLogprobs(said[led:], logprobs)
        except UnreadableError as error:
            raise ScorerError(f"{self.model} at {self.transport.root_url}: {error}") from error

    async def _led(self, lead: Sequence[int], said: Sequence[int], target: Target) -> int:
        """Return how many of the tokens that were said belong to the lead alone."""
        pairs = zip(lead, said, strict=False)
        led = next((i for i, (own, joint) in enumerate(pairs) if own != joint), len(lead))
        if led == len(lead):
            return led
        length = len(sendable(target.lead))
        while led < len(said) and len(await self._detokenize(said[: led + 1])) <= length:
            led += 1
        return led

    async def _tokenize_text(self, text: str) -> tuple[int, ...]:
        if not text:
            return ()
        return await self._tokenize({"prompt": sendable(text), "add_special_tokens": False})

    async def _detokenize(self, ids: Sequence[int]) -> str:
        body = {"model": self.model, "tokens": list(ids)}
        answer = await self.transport.post(f"{self.transport.root_url}/detokenize", body)
        return need(answer, "prompt", str)

    async def _tokenize(self, fields: Mapping[str, Any]) -> tuple[int, ...]:
        body = {"model": self.model, **fields}
        answer = await self.transport.post(f"{self.transport.root_url}/tokenize", body)
        return integers(need(answer, "tokens", list), "tokens")

    async def _read_prompt(self, given: Sequence[int], scored: Sequence[int]) -> tuple[float, ...]:
        body = prompt_request(self.model, (*given, *scored))
        answer = await self.transport.post("/completions", body)
        return read_prompt_logprobs(answer, (*given, *scored), len(given))
