"""Requests to an OpenAI-compatible server: in flight together, paced, tried again, with a limit."""

from __future__ import annotations

import asyncio
import json
import os
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from math import isfinite
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from rmgym.errors import BackendError, MissingExtraError, PolicyError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

ResultT = TypeVar("ResultT")
_LONGEST_WAIT = 60.0
"""Seconds that a server may ask for with Retry-After, and the longest backoff."""
_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where a server is and how it is asked.

    Raises:
        ValueError: If a limit does not fit.
    """

    base_url: str | None = None
    """Its address with `/v1`; None for what `OPENAI_BASE_URL` says, else OpenAI's."""
    api_key: str | None = None
    """None for what `OPENAI_API_KEY` says; a server with an address of its own may need none."""
    timeout: float = 120.0
    """Seconds for one request, its answer read to the end."""
    retries: int = 4
    """How often a request is sent again after a lost connection, a timeout, 408, 409, 429 or 5xx.
    Other refusals and answers that cannot be read are not tried again."""
    backoff: float = 0.5
    """Seconds before the first retry; doubles with each, and a random part is taken off. The
    server's `Retry-After` comes first."""
    concurrency: int = 256
    """Requests in flight at most."""
    requests_per_second: float | None = None
    """Requests begun in a second at most, retries included; None for no bound."""

    def __post_init__(self) -> None:
        """Check the limits."""
        rate = self.requests_per_second
        if rate is not None and not (isfinite(rate) and rate > 0):
            raise ValueError(f"expected requests_per_second above 0 or None, got {rate}")
        if not self.timeout > 0 or self.concurrency < 1 or self.retries < 0 or self.backoff < 0:
            raise ValueError(
                "expected timeout above 0, concurrency of at least 1, retries and backoff of at "
                f"least 0, got {self.timeout}, {self.concurrency}, {self.retries}, {self.backoff}"
            )


class Transport:
    """One client over one event loop in a thread, whoever calls and from wherever.

    Pickles as its settings: a copy in another process opens connections of its own.

    Args:
        settings: Where and how.
        error: Which exception says that the server failed.
    """

    def __init__(
        self, settings: ServerSettings, error: Callable[[str], BackendError] = PolicyError
    ) -> None:
        self.settings = settings
        self.error = error
        self._client = _make_client(settings)
        self._rng = np.random.default_rng()
        self._next_start = 0.0
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __reduce__(self) -> tuple[type[Transport], tuple[ServerSettings, Any]]:
        return type(self), (self.settings, self.error)

    @property
    def root_url(self) -> str:
        """The server's address without `/v1`, where vLLM has routes of its own."""
        return str(self._client.base_url).rstrip("/").removesuffix("/v1")

    def run(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Return what a coroutine returns in the client's loop; an interrupt cancels it."""
        future = self._submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def arun(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Return the same to a coroutine of any loop; cancelling that one cancels this one."""
        return await asyncio.wrap_future(self._submit(coroutine))

    def close(self) -> None:
        """Close the connections and end the thread; a later request opens new ones."""
        with self._lock:
            running, self._loop = self._loop is not None, None
        if running:
            self._stop()
            self._thread.join()
            self._client = _make_client(self.settings)

    def _submit(self, coroutine: Coroutine[Any, Any, ResultT]) -> Future[ResultT]:
        with self._lock:
            if self._loop is None:
                loop = self._loop = asyncio.new_event_loop()
                self._slots = asyncio.Semaphore(self.settings.concurrency)
                self._thread = Thread(
                    target=_serve, args=(loop, self._client), name="rmgym openai", daemon=True
                )
                self._thread.start()
                self._stop = weakref.finalize(self, loop.call_soon_threadsafe, loop.stop)
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send a JSON body; return the JSON object that came.

        Args:
            path: Below the base URL, such as "/chat/completions"; or a whole URL.
            body: What is sent.

        Raises:
            BackendError: Of the transport's kind, if the server refused, could not be reached, or
                answered something else than a JSON object; says what came.
        """
        from openai import APIError

        attempt = 0
        while True:
            try:
                content = await self._post_once(path, body)
            except (APIError, TimeoutError) as error:
                attempt += 1
                if attempt > self.settings.retries or not _is_passing(error):
                    raise self.error(self._describe(path, error, attempt)) from error
                await asyncio.sleep(self._wait(error, attempt))
            else:
                return self._read(path, content)

    async def _post_once(self, path: str, body: Mapping[str, Any]) -> bytes:
        from httpx2 import Response

        async with self._slots:
            await self._pace()
            async with asyncio.timeout(self.settings.timeout):
                response = await self._client.post(path, body=dict(body), cast_to=Response)
                return bytes(response.content)

    async def _pace(self) -> None:
        """Wait for this request's turn under the rate limit."""
        if self.settings.requests_per_second is None:
            return
        now = asyncio.get_running_loop().time()
        start = max(now, self._next_start)
        self._next_start = start + 1 / self.settings.requests_per_second
        await asyncio.sleep(start - now)

    def _wait(self, error: Exception, attempt: int) -> float:
        """Return how many seconds to wait before the next attempt."""
        asked = _retry_after(error)
        if asked is not None:
            return min(asked, _LONGEST_WAIT)
        longest = min(self.settings.backoff * 2 ** (attempt - 1), _LONGEST_WAIT)
        return float(longest * self._rng.uniform(0.5, 1.0))

    def _describe(self, path: str, error: Exception, attempts: int) -> str:
        times = f" in {attempts} attempts" if attempts > 1 else ""
        if isinstance(error, TimeoutError):
            came = f"none within {self.settings.timeout} s{times}"
        elif hasattr(error, "response"):
            status = error.response.status_code
            came = f"status {status}{times}: {shown(error.response.text)}"
        else:
            cause = _first_cause(error)
            came = f"none{times}: {type(cause).__name__}: {shown(str(cause))}"
        return f"expected an answer from {self._address(path)}, got {came}"

    def _address(self, path: str) -> str:
        return path if "://" in path else str(self._client.base_url).rstrip("/") + path

    def _read(self, path: str, content: bytes) -> dict[str, Any]:
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            came = shown(content.decode("utf-8", "replace")) if content else "an empty body"
            raise self.error(f"expected a JSON object from {self._address(path)}, got {came}")
        return found


async def together(coroutines: Sequence[Any]) -> list[Any]:
    """Return what coroutines return, in order; if one fails, cancel the others and raise it."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


def shown(value: object) -> str:
    """Return the beginning of something unexpected, for an error message."""
    text = value if isinstance(value, str) else json.dumps(value, default=repr)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def _make_client(settings: ServerSettings) -> AsyncOpenAI:
    try:
        import openai

        http = openai.DefaultAioHttpClient()
    except (ImportError, RuntimeError) as missing:
        raise MissingExtraError("an OpenAI-compatible server", "openai") from missing
    key = settings.api_key or os.environ.get("OPENAI_API_KEY")
    if key is None and settings.base_url is not None:
        key = "none"  # the client insists on one, a server of one's own does not
    return openai.AsyncOpenAI(
        base_url=settings.base_url,
        api_key=key,
        max_retries=0,
        timeout=None,  # the transport's own covers the whole request
        http_client=http,
    )


def _serve(loop: asyncio.AbstractEventLoop, client: AsyncOpenAI) -> None:
    """Run the loop until it is stopped, then leave nothing open."""
    asyncio.set_event_loop(loop)
    loop.run_forever()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(client.close())
    loop.close()


def _first_cause(error: BaseException) -> BaseException:
    """Return what happened in the end; between it and the client's error names get lost."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _is_passing(error: Exception) -> bool:
    """Return whether the same request may be answered later."""
    status = getattr(error, "status_code", None)
    return status is None or status in (408, 409, 429) or status >= 500


def _retry_after(error: Exception) -> float | None:
    response = getattr(error, "response", None)
    asked = response.headers.get("retry-after", "") if response is not None else ""
    try:
        seconds = float(asked)
    except ValueError:
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None
