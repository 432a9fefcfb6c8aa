"""Limits per caller: requests per second and body size."""

import math
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.callers import Caller
from api.problems import ProblemError

BURST = 2.0  # seconds of requests allowed in one burst


class LimitedRate:
    """A token bucket per key, in each replica."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._buckets: dict[str, _Bucket] = {}  # by id of a valid key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (rate := _caller_of(scope).requests_per_second):
            bucket = self._buckets.get(_caller_of(scope).id)
            if bucket is None:
                bucket = self._buckets[_caller_of(scope).id] = _Bucket(rate)
            if wait := bucket.take():
                detail = f"the rate limit of this API key is {rate} requests per second"
                raise ProblemError(429, detail, headers={"Retry-After": str(math.ceil(wait))})
        await self._app(scope, receive, send)


class LimitedBody:
    """Stops reading a body that is too large, regardless of its Content-Length."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read, most = 0, _caller_of(scope).body_bytes

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise ProblemError(413, f"the body is larger than {_bytes(most)}")
            return message

        await self._app(scope, limited, send)


class _Bucket:
    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._tokens = rate * BURST
        self._at = time.monotonic()

    def take(self) -> float:
        """Takes a token and returns 0, or returns the seconds until one is available."""
        now = time.monotonic()
        self._tokens = min(self._rate * BURST, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0


def _caller_of(scope: Scope) -> Caller:
    caller: Caller = scope["state"]["caller"]
    return caller


def _bytes(n: int) -> str:
    return f"{n // 1024**2} MiB" if n % 1024**2 == 0 else f"{n} bytes"
