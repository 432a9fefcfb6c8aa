"""The ids of articles that the old system enriched: of its Redis set, or of a file with one a line; only read."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from local_processes.plain_text import one_line
from shared.settings import without_secrets
from topicflow.errors import NotAllowed, Unreachable, WrongUse

SET = "enrichment:processed"
AT_ONCE = 500  # members that one look asks for
SECONDS = 30.0  # that an answer may take


class OldArticles(Protocol):
    """`count`: how many there are, before they are read."""

    @property
    def count(self) -> int: ...

    def ids(self) -> AsyncIterator[str]:
        """Each once."""


def is_redis(source: str) -> bool:
    return source.startswith(("redis://", "rediss://"))


def is_list(path: Path) -> bool:
    """Text that is not called a database. What cannot be read is none."""
    try:
        with path.open("rb") as file:
            return path.suffix != ".db" and not file.read(16).startswith(b"SQLite format 3")
    except OSError:
        return False


@asynccontextmanager
async def opened(source: str) -> AsyncIterator[OldArticles]:
    """Raises WrongUse; of Redis, and in the body too, Unreachable and NotAllowed."""
    if not is_redis(source):
        yield _Lines(Path(source))
        return
    try:
        shown = without_secrets(source)
        client = Redis.from_url(
            source, protocol=2, decode_responses=True, encoding_errors="replace", socket_timeout=SECONDS
        )
    except (ValueError, TypeError) as error:
        raise WrongUse("this is no URL of a Redis: expected redis://:password@host:6379/0") from error
    async with client:
        with _asking(shown):
            count = await client.scard(SET)
        if not count:
            raise WrongUse(f"there is no set {SET} at {shown}: is the number of the database right (redis://host/0)?")
        yield _Members(client, shown, count)


class _Members:
    def __init__(self, client: Redis, shown: str, count: int) -> None:
        self._client = client
        self._shown = shown
        self.count = count

    async def ids(self) -> AsyncIterator[str]:
        """SSCAN tells some twice while the set grows or shrinks."""
        seen: set[str] = set()
        cursor = 0
        while True:
            with _asking(self._shown):
                cursor, members = await self._client.sscan(SET, cursor, count=AT_ONCE)
            for member in map(str, members):
                if member not in seen:
                    seen.add(member)
                    yield member
            if not cursor:
                return


class _Lines:
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
def _asking(shown: str) -> Iterator[None]:
    """`shown`: where the Redis is, without secrets."""
    try:
        yield
    except (AuthenticationError, NoPermissionError) as error:
        raise NotAllowed(f"{shown} does not let us read {SET}: {one_line(error)}") from error
    except ResponseError as error:
        raise WrongUse(f"cannot read {SET} at {shown}: {one_line(error)}") from error
    except (RedisError, OSError) as error:
        raise Unreachable(f"no answer from {shown}: {type(error).__name__}") from error
