"""Responses to requests with an Idempotency-Key: claimed before the request runs, stored for a day."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.errors import Conflict, InvalidValue
from shared.db.engine import Database
from shared.db.tables import idempotency_keys as keys

LEASE = timedelta(seconds=60)  # an older claim without a response belonged to a dead replica
KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that must not run twice. `owner`: the caller's id; `fingerprint`: hash of target and body."""

    owner: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class StoredResponse:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class IdempotencyStore:
    """Shared by all replicas, through the database. `lease`: longer than any request takes."""

    def __init__(self, database: Database, lease: timedelta = LEASE) -> None:
        self._database = database
        self._lease = lease

    async def claim(self, once: IdempotentRequest) -> str | StoredResponse:
        """A claim, if the request is to run now, or the stored response.

        Raises InvalidValue if the key was used for a different request, Conflict while the request is in progress.
        """
        try:
            return await self._database.run(lambda connection: self._claim(connection, once))
        except IntegrityError as error:  # another replica inserted between our read and write
            raise _in_progress() from error

    def _claim(self, connection: Connection, once: IdempotentRequest) -> str | StoredResponse:
        now = datetime.now(UTC)
        connection.execute(delete(keys).where(keys.c.claimed_at < now - KEPT_FOR))
        claimed = {"claim": uuid4().hex, "claimed_at": now}
        row = connection.execute(select(keys).where(_of(once))).one_or_none()
        if row is None:
            new = {"owner": once.owner, "key": once.key, "fingerprint": once.fingerprint}
            connection.execute(insert(keys).values(new | claimed))
            return str(claimed["claim"])
        if answer := _answer(row, once):
            return answer
        is_abandoned = and_(keys.c.claim == row.claim, keys.c.status.is_(None), keys.c.claimed_at < now - self._lease)
        if not connection.execute(update(keys).where(_of(once), is_abandoned).values(claimed)).rowcount:
            raise _in_progress()
        return str(claimed["claim"])

    async def store(self, once: IdempotentRequest, claim: str, answer: StoredResponse) -> None:
        """Stores the response, unless the claim was taken over."""
        values = {"status": answer.status, "headers": answer.headers, "body": answer.body}
        stored = update(keys).where(_of(once), keys.c.claim == claim).values(values)
        await self._database.run(lambda connection: connection.execute(stored))

    async def release(self, once: IdempotentRequest, claim: str) -> None:
        """Drops the claim: the request had no effect and can be repeated at once."""
        released = delete(keys).where(_of(once), keys.c.claim == claim)
        await self._database.run(lambda connection: connection.execute(released))


def _answer(row: Row[tuple[object, ...]], once: IdempotentRequest) -> StoredResponse | None:
    """Raises InvalidValue."""
    if row.fingerprint != once.fingerprint:
        raise InvalidValue("Idempotency-Key", "already used for a different request")
    if row.status is None:
        return None
    return StoredResponse(row.status, [(name, value) for name, value in row.headers], row.body)


def _of(once: IdempotentRequest) -> ColumnElement[bool]:
    return and_(keys.c.owner == once.owner, keys.c.key == once.key)


def _in_progress() -> Conflict:
    return Conflict("a request with this Idempotency-Key is in progress", retry_after=1)
