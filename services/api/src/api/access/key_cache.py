"""Per-replica cache of the active API keys, refreshed every few seconds instead of per request."""

import asyncio
import time

from api.access.api_keys import ApiKey, ApiKeys
from api.access.callers import BODY_BYTES, MOST_BODY_BYTES, Caller

CURRENT_FOR = 4.0  # seconds; with the time of a refresh, a revocation takes effect within 5
PAUSE = 0.1  # seconds between refreshes (1 ms each): limits the load from requests with unknown keys


class KeyCache:
    """`requests_per_second`: default for keys without one."""

    def __init__(self, keys: ApiKeys, requests_per_second: int) -> None:
        self._keys = keys
        self._requests_per_second = requests_per_second
        self._known: dict[str, tuple[ApiKey, Caller]] = {}
        self._read_at = float("-inf")  # monotonic, start of the last refresh
        self._reading = asyncio.Lock()

    async def is_live(self, id_: str) -> bool:
        """Whether this key is not revoked. Raises DatabaseUnreachable."""
        if time.monotonic() - self._read_at > CURRENT_FOR:
            await self._read(time.monotonic())
        return id_ in self._known

    async def caller(self, sent: str) -> Caller | None:
        """The owner of a token, None if it is unknown. Raises DatabaseUnreachable."""
        kind, _, key = sent.partition("_")
        id_, _, secret = key.partition("_")
        if kind != "tf" or not secret:
            return None
        if id_ not in self._known or time.monotonic() - self._read_at > CURRENT_FOR:
            await self._read(time.monotonic())
        key_of_id, caller = self._known.get(id_, (None, None))
        return caller if key_of_id and key_of_id.is_opened_by(secret) else None

    async def _read(self, since: float) -> None:
        """Concurrent callers share one refresh."""
        async with self._reading:
            if self._read_at < since:
                await asyncio.sleep(self._read_at + PAUSE - time.monotonic())
                began = time.monotonic()
                self._known = {key.id: (key, self._caller(key)) for key in await self._keys.live()}
                self._read_at = began

    def _caller(self, key: ApiKey) -> Caller:
        return Caller(
            id=key.id,
            name=key.name,
            scopes=frozenset(key.scopes),
            requests_per_second=key.requests_per_second or self._requests_per_second,
            body_bytes=min(key.body_bytes or BODY_BYTES, MOST_BODY_BYTES),
        )
