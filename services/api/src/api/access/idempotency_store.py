"""What requests with an Idempotency-Key were answered: claimed before one runs, kept for a day afterwards."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from api.problems import ProblemError
from shared.db.engine import Database
from shared.db.tables import idempotency_keys as keys

LEASE = timedelta(seconds=60)  # a claim that is older and unanswered was a replica's that died
KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that must not run twice: whose it is, the key it was given, what it asks."""

    owner: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class StoredResponse:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class IdempotencyStore:
    """Every replica's, through the database. `lease` is longer than any request takes."""

    def __init__(self, database: Database, lease: timedelta = LEASE) -> None:
        self._database = database
        self._lease = lease

    async def claim(self, once: IdempotentRequest) -> str | StoredResponse:
        """The claim under which the request is to run now, or what it was answered before.

        Raises Problem 422 where the key was another request's, 409 while the request runs elsewhere.
        """
        try:
            return await self._database.run(lambda connection: self._claim(connection, once))
        except IntegrityError as error:  # another replica's came between reading and writing
            raise _being_answered() from error

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
        is_left = and_(keys.c.claim == row.claim, keys.c.status.is_(None), keys.c.claimed_at < now - self._lease)
        if not connection.execute(update(keys).where(_of(once), is_left).values(claimed)).rowcount:
            raise _being_answered()
        return str(claimed["claim"])

    async def store(self, once: IdempotentRequest, claim: str, answer: StoredResponse) -> None:
        """Unless the claim was taken over meanwhile."""
        values = {"status": answer.status, "headers": answer.headers, "body": answer.body}
        stored = update(keys).where(_of(once), keys.c.claim == claim).values(values)
        await self._database.run(lambda connection: connection.execute(stored))

    async def release(self, once: IdempotentRequest, claim: str) -> None:
        """Nothing was done: the request may be sent again at once."""
        released = delete(keys).where(_of(once), keys.c.claim == claim)
        await self._database.run(lambda connection: connection.execute(released))


def _answer(row: Row[tuple[object, ...]], once: IdempotentRequest) -> StoredResponse | None:
    """Raises Problem 422."""
    if row.fingerprint != once.fingerprint:
        raise ProblemError(422, "Idempotency-Key: was used for another request")
    if row.status is None:
        return None
    return StoredResponse(row.status, [(name, value) for name, value in row.headers], row.body)


def _of(once: IdempotentRequest) -> ColumnElement[bool]:
    return and_(keys.c.owner == once.owner, keys.c.key == once.key)


def _being_answered() -> ProblemError:
    return ProblemError(409, "a request with this Idempotency-Key is being answered", headers={"Retry-After": "1"})
