"""Calls the API: returns responses, or raises an error that says what the user can do."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import urlsplit

import httpx

from local_processes.plain_text import one_line
from topicflow.client.problems import problem_of
from topicflow.errors import ServiceUnavailable, SilentStream, Unreachable, WrongUse

DEFAULT_URL = "http://127.0.0.1:8000"
PREFIX = "/api/v1"
TIMEOUT = 30.0  # seconds
PATIENCE = 600.0  # seconds that a request is retried while the API sends Retry-After
SHORT_PATIENCE = 15.0  # seconds, if it sends none
LONGEST_WAIT = 60.0  # seconds; a longer Retry-After is reported instead of waited for


def base_url(given: str) -> str:
    """Without a trailing slash and `/api/v1`. Raises WrongUse if it is not an HTTP URL."""
    address = urlsplit(given)
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise WrongUse(f"not an API base URL: {given!r} (example: {DEFAULT_URL})")
    return given.rstrip("/").removesuffix(PREFIX)


class ApiClient:
    """`async with ApiClient(url) as api`. Every call raises the errors of `problem_of`, or Unreachable."""

    def __init__(
        self, url: str = DEFAULT_URL, key: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.url = base_url(url)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        is_local = urlsplit(self.url).hostname in {"127.0.0.1", "localhost", "::1"}  # then no proxy is used
        self._http = httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=TIMEOUT, trust_env=not is_local, transport=transport
        )

    async def get(self, path: str, /, **query: str | int | None) -> httpx.Response:
        return await self._call("GET", PREFIX + path, params={k: v for k, v in query.items() if v is not None})

    async def post(self, path: str, body: Mapping[str, Any], *, idempotency_key: str | None = None) -> httpx.Response:
        """An idempotency key makes repeating the request safe."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return await self._call("POST", PREFIX + path, json=body, headers=headers)

    async def post_at_length(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """For requests over all topics, which may take minutes."""
        return await self._call("POST", PREFIX + path, json=body, timeout=httpx.Timeout(TIMEOUT, read=PATIENCE))

    async def delete(self, path: str) -> httpx.Response:
        return await self._call("DELETE", PREFIX + path)

    async def health(self) -> httpx.Response:
        return await self._call("GET", "/health")

    async def post_patiently(
        self, path: str, body: Mapping[str, Any], on_wait: Callable[[ServiceUnavailable], None] = lambda _: None
    ) -> httpx.Response:
        """Sends a request and retries it while the API is temporarily unavailable; calls `on_wait` with each reason.
        Raises the last ServiceUnavailable."""
        key, waited, pause = str(uuid.uuid4()), 0.0, 1.0
        while True:
            try:
                return await self.post(path, body, idempotency_key=key)
            except ServiceUnavailable as error:
                after = error.retry_after
                wait, patience = (pause, SHORT_PATIENCE) if after is None else (max(1.0, after), PATIENCE)
                if wait > LONGEST_WAIT or waited + wait > patience:
                    raise
                on_wait(error)
            await asyncio.sleep(wait)
            waited, pause = waited + wait, pause * 2

    async def missing(self) -> list[str]:
        """The dependencies that the API cannot reach (broker, database); [] if it is ready. Raises Unreachable."""
        try:
            answer = await self._http.get("/ready", timeout=3)
        except httpx.TransportError as error:
            raise Unreachable(f"nothing answers at {self.url}") from error
        dependencies = {name: state for name, state in answer_of(answer).items() if isinstance(state, dict)}
        return [name for name, state in dependencies.items() if state.get("status") != "ok"]

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, Sequence[str]], headers: Mapping[str, str], silence: float
    ) -> AsyncGenerator[httpx.Response, None]:
        """An answer whose body is read as it comes; reading it raises httpx.ReadTimeout after `silence` seconds."""
        timeout = httpx.Timeout(TIMEOUT, read=silence)
        response = await self._call("GET", PREFIX + path, stream=True, params=query, headers=headers, timeout=timeout)
        try:
            yield response
        finally:
            await asyncio.shield(response.aclose())  # cut short by a cancellation, it would leave the connection open

    async def _call(self, method: str, path: str, *, stream: bool = False, **request: Any) -> httpx.Response:
        """`request`: as httpx takes it."""
        try:
            response = await self._http.send(self._http.build_request(method, path, **request), stream=stream)
            if not response.is_success:
                await response.aread()
                raise problem_of(response)
        except httpx.ConnectError as error:
            raise Unreachable(f"nothing answers at {self.url}: is `topicflow up` running?") from error
        except httpx.ReadTimeout as error:
            raise (SilentStream if stream else Unreachable)(f"nothing comes from {self.url}") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unreachable(f"no answer from {self.url}: {one_line(error) or type(error).__name__}") from error
        return response

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._http.aclose()


def answer_of(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of a response. Raises Unreachable if something other than topicflow answers."""
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Unreachable(f"{response.request.url} was not answered by topicflow")
    return cast("dict[str, Any]", answer)
