"""API keys in the `access` schema: create, list, revoke. A key is shown once; only the hash of its secret is stored."""

import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest

from sqlalchemy import ColumnElement, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from shared.db.engine import Database
from shared.db.tables import api_keys
from shared.errors import CannotGoOn, TopicflowError

LIVE: ColumnElement[bool] = api_keys.c.revoked_at.is_(None)


class NameTaken(TopicflowError): ...


class NoSuchKey(TopicflowError): ...


class NoKeys(CannotGoOn):
    exit_code = 2


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`requests_per_second`, `body_bytes`: None for the API's default."""

    id: str
    name: str
    hash: str = field(repr=False)
    scopes: list[str]
    requests_per_second: int | None
    body_bytes: int | None
    created_at: datetime
    revoked_at: datetime | None = None

    def is_opened_by(self, secret: str) -> bool:
        return compare_digest(self.hash, _hash(secret))


class ApiKeys:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, name: str, scopes: Iterable[str], requests_per_second: int | None = None, body_bytes: int | None = None
    ) -> tuple[ApiKey, str]:
        """The key, and the token its holder sends: `tf_<id>_<secret>`. Raises NameTaken."""
        secret = secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        key = ApiKey(
            secrets.token_hex(8), name, _hash(secret), sorted(set(scopes)), requests_per_second, body_bytes, now
        )
        try:
            await self._database.run(lambda connection: connection.execute(insert(api_keys).values(asdict(key))))
        except IntegrityError as error:
            raise NameTaken(f"an API key named {name} already exists: revoke it or choose another name") from error
        return key, f"tf_{key.id}_{secret}"

    async def all(self) -> list[ApiKey]:
        """Oldest first, including revoked keys."""
        return await self._read()

    async def live(self) -> list[ApiKey]:
        return await self._read(LIVE)

    async def must_exist(self) -> None:
        """Raises NoKeys if there is no active key."""
        if not await self.live():
            raise NoKeys(
                "listening beyond loopback requires an API key, and none exists: run `topicflow keys create NAME` first"
            )

    async def revoke(self, name_or_id: str) -> ApiKey:
        """Takes effect on every replica within 5 s. Raises NoSuchKey."""
        matches = or_(api_keys.c.id == name_or_id, api_keys.c.name == name_or_id)
        revoked = update(api_keys).where(LIVE, matches).values(revoked_at=datetime.now(UTC)).returning(api_keys)
        row = await self._database.run(lambda connection: connection.execute(revoked).mappings().first())
        if row is None:
            raise NoSuchKey(f"there is no active API key {name_or_id!r}")
        return ApiKey(**row)

    async def _read(self, *conditions: ColumnElement[bool]) -> list[ApiKey]:
        query = select(api_keys).where(*conditions).order_by(api_keys.c.created_at, api_keys.c.id)
        rows = await self._database.run(lambda connection: connection.execute(query).mappings().all())
        return [ApiKey(**row) for row in rows]


def _hash(secret: str) -> str:
    """Plain SHA-256 is enough: the secret is 256 random bits, so guessing is infeasible."""
    return sha256(secret.encode()).hexdigest()
