"""Reads the ids of the articles that the old system enriched, from its Redis set or from a file with one per line."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from local_processes.plain_text import one_line
from shared.settings import without_secrets
from topicflow.errors import NotAllowed, Unreachable, WrongUse

PROCESSED_SET = "enrichment:processed"
SCAN_COUNT = 500  # members per SSCAN
TIMEOUT = 30.0  # seconds per command


class OldArticles(Protocol):
    """`count`: the number of ids, known before they are read."""

    @property
    def count(self) -> int: ...

    def ids(self) -> AsyncIterator[str]:
        """Every id once."""


def is_redis(source: str) -> bool:
    return source.startswith(("redis://", "rediss://"))


def is_list(path: Path) -> bool:
    """Whether this is a text file, by its name and its first bytes. False if it cannot be read."""
    try:
        with path.open("rb") as file:
            return path.suffix != ".db" and not file.read(16).startswith(b"SQLite format 3")
    except OSError:
        return False


@asynccontextmanager
async def open_articles(source: str) -> AsyncIterator[OldArticles]:
    """Raises WrongUse; for Redis also Unreachable and NotAllowed, in the body too."""
    if not is_redis(source):
        yield _FileArticles(Path(source))
        return
    try:
        location = without_secrets(source)
        client = Redis.from_url(
            source, protocol=2, decode_responses=True, encoding_errors="replace", socket_timeout=TIMEOUT
        )
    except (ValueError, TypeError) as error:
        raise WrongUse("not a Redis URL: expected redis://:password@host:6379/0") from error
    async with client:
        with _translated_errors(location):
            count = await client.scard(PROCESSED_SET)
        if not count:
            raise WrongUse(f"there is no set {PROCESSED_SET} at {location}: check the database number (redis://host/0)")
        yield _RedisArticles(client, location, count)


class _RedisArticles:
    def __init__(self, client: Redis, location: str, count: int) -> None:
        self._client = client
        self._location = location
        self.count = count

    async def ids(self) -> AsyncIterator[str]:
        """SSCAN may return a member twice while the set grows or shrinks."""
        seen: set[str] = set()
        cursor = 0
        while True:
            with _translated_errors(self._location):
                cursor, members = await self._client.sscan(PROCESSED_SET, cursor, count=SCAN_COUNT)
            for member in map(str, members):
                if member not in seen:
                    seen.add(member)
                    yield member
            if not cursor:
                return


class _FileArticles:
    def __init__(self, path: Path) -> None:
        try:
            lines = path.read_bytes().decode("utf-8", "replace").splitlines()
        except OSError as error:
            raise WrongUse(f"cannot read {path}: {one_line(error.strerror)}") from error
        self._ids = list(dict.fromkeys(stripped for line in lines if (stripped := line.strip())))
        self.count = len(self._ids)

    async def ids(self) -> AsyncIterator[str]:
        for id_ in self._ids:
            yield id_


@contextmanager
def _translated_errors(location: str) -> Iterator[None]:
    """`location`: the Redis URL without secrets."""
    try:
        yield
    except (AuthenticationError, NoPermissionError) as error:
        raise NotAllowed(f"{location} denies access to {PROCESSED_SET}: {one_line(error)}") from error
    except ResponseError as error:
        raise WrongUse(f"cannot read {PROCESSED_SET} at {location}: {one_line(error)}") from error
    except (RedisError, OSError) as error:
        raise Unreachable(f"no answer from {location}: {type(error).__name__}") from error
