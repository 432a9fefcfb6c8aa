"""The tables. `projection`: derived from the streams, written by the status-projector only. `access`: the API's own."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    false,
    text,
)

projection = MetaData()
access = MetaData(schema="access")
LIVE = text("revoked_at IS NULL")


class UtcTime(TypeDecorator[datetime]):
    """A point in time: timezone-aware in Python, UTC in the database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value if dialect.name == "postgresql" else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """None if the driver converts it: a call in Python takes longer than reading the value."""
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)


class LongText(Text):
    """Text of kilobytes, sent to PostgreSQL as bytes because quoting and unquoting it takes longer."""


@lru_cache(20_000)  # formatting takes 1.5 µs, and most times occur in several columns and rows
def utc_text(time: datetime | None) -> str | None:
    """What `UtcTime` stores in SQLite, for statements that bypass SQLAlchemy's types. PostgreSQL accepts it, too: its
    connections are in UTC. Raises OverflowError."""
    if time is None:
        return None
    formatted = time.isoformat(" ", "microseconds")
    return formatted[:26] if formatted.endswith("+00:00") else utc_text(time.astimezone(UTC))


def _index(name: str, *columns: str, where: str) -> Index:
    """A partial index of the rows that queries select: smaller, and other rows cost nothing."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


VISIBLE = "status != 'removed'"

submissions = Table(
    "submissions",
    projection,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("name", Text),  # title, URN, or the name of a scan
    Column("name_normal", Text),  # for searching
    Column("legacy_id", BigInteger),
    Column("attempt", Integer, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("removed_attempt", Integer, nullable=False),
    Column("created_at", UtcTime),
    Column("updated_at", UtcTime),
    Column("submitted_at", UtcTime),
    Column("submitted_by", Text),
    Column("started_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("run", Text),
    Column("worker", Text),
    Column("tries", Integer, nullable=False),
    Column("waiting_reason", Text),
    Column("waiting_since", UtcTime),
    Column("waiting_until", UtcTime),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("dead_lettered", Boolean, nullable=False),
    Column("content_attempt", Integer, nullable=False),
    Column("content_at", UtcTime),
    Column("content_run", Text),
    Column("content_id", Text),  # the id of a submission with the content's own title
    Column("simulated", Boolean),
    Column("difficulty", Integer, nullable=False, server_default="0"),  # of the content; 0: none
    Column("input_hash", Text),  # of an article's text, in its newest attempt
    Column("changed_in", Integer, nullable=False, server_default="0"),  # partition of the batch that last changed it
    Column("changed", BigInteger, nullable=False, server_default="0"),  # `positions.version` that this batch stored
    _index("submissions_newest", "kind", "created_at", "id", where=VISIBLE),
    _index("submissions_by_update", "kind", "updated_at", "id", where=VISIBLE),
    _index("submissions_by_name", "kind", "name_normal", "id", "status", where=VISIBLE),  # covers a search
    _index("submissions_by_status", "kind", "status", "created_at", "id", where=VISIBLE),
    _index("submissions_by_difficulty", "kind", "difficulty", "created_at", "id", where=VISIBLE),
    _index("submissions_failed", "kind", "ended_at", "id", where="status = 'failed'"),
    _index("submissions_by_content", "content_id", where="content_id IS NOT NULL"),
    _index("submissions_by_legacy_id", "kind", "legacy_id", where="legacy_id IS NOT NULL"),
    Index("submissions_changed", "changed_in", "changed"),
)

contents = Table(
    "contents",
    projection,
    Column("id", Text, primary_key=True),
    Column("content", LongText, nullable=False),  # JSON, returned as stored
)

facets = Table(  # for filters: one row per value and content, clustered by value, then time
    "facets",
    projection,
    Column("facet", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("created_at", UtcTime, primary_key=True),
    Column("id", Text, primary_key=True),
    sqlite_with_rowid=False,
)

facet_counts = Table(
    "facet_counts",
    projection,
    Column("facet", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("submissions", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

history = Table(
    "history",
    projection,
    Column("id", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("event", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("run", Text),
    Column("worker", Text),
    Column("error", Text),
    sqlite_with_rowid=False,  # one tree instead of three, clustered by submission
)

usage = Table(
    "usage",
    projection,
    Column("id", Text, primary_key=True),
    Column("call_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("run", Text, nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("model", Text, nullable=False),
    Column("prompt_version", Text, nullable=False),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("tokens_cached", BigInteger, nullable=False),
    Column("tokens_thought", BigInteger, nullable=False),
    Column("cost", Float),
    Column("priced_as", Text, nullable=False, server_default=""),  # the model whose price was used; "": its own
    Column("seconds", Float, nullable=False),
    Column("shared_by", Integer, nullable=False),
    Column("finish_reason", Text, nullable=False),
    Column("simulated", Boolean, nullable=False, server_default=false()),
    Column("wasted", Text, nullable=False, server_default=""),  # why the call was wasted; "": it was not
    sqlite_with_rowid=False,
)

usage_totals = Table(
    "usage_totals",
    projection,
    Column("day", Text, primary_key=True),  # a quota day, such as 2026-11-24
    Column("kind", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("priced_as", Text, primary_key=True),
    Column("simulated", Boolean, primary_key=True),
    Column("wasted", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("sixtieths", BigInteger, nullable=False),  # of calls: up to six share one, so shares are integers
    Column("unpriced_sixtieths", BigInteger, nullable=False),  # of calls without a known price
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
    Column("tokens_cached", BigInteger, nullable=False),
    Column("tokens_thought", BigInteger, nullable=False),
    Column("nano_dollars", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

status_counts = Table(
    "status_counts",
    projection,
    Column("kind", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("status", Text, primary_key=True),
    Column("submissions", BigInteger, nullable=False),
    Column("timed", BigInteger, nullable=False, server_default="0"),  # submissions whose duration is known
    Column("milliseconds", BigInteger, nullable=False, server_default="0"),  # their total, from start to completion
)

ends = Table(
    "ends",
    projection,
    Column("kind", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("ended", Text, primary_key=True),  # processed, failed or skipped
    Column("attempts", BigInteger, nullable=False),  # ended by workers; never decreases
)

positions = Table(
    "positions",
    projection,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("positions", JSON, nullable=False),  # by stream: where reading continues
    Column("as_of", UtcTime),  # time of the newest projected event
)

generation = Table(  # one row: tables that are made anew begin another count of versions
    "generation",
    projection,
    Column("id", Text, primary_key=True),
)

dead_letters = Table(
    "dead_letters",
    projection,
    Column("id", Text, primary_key=True),
    Column("stream", Text, nullable=False),
    Column("position", Text, nullable=False),
    Column("submission", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("dead_letters_newest", "time"),
)

seen = Table(
    "seen",
    access,
    Column("what", Text, primary_key=True),
    Column("up_to", UtcTime, nullable=False),
)

api_keys = Table(
    "api_keys",
    access,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False),  # SHA-256 of the secret
    Column("scopes", JSON, nullable=False),
    Column("requests_per_second", Integer),  # NULL: the API's setting
    Column("body_bytes", Integer),
    Column("created_at", UtcTime, nullable=False),
    Column("revoked_at", UtcTime),
    Index("api_keys_live_name", "name", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
)

idempotency_keys = Table(
    "idempotency_keys",
    access,
    Column("owner", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("claim", Text, nullable=False),  # changes with each takeover
    Column("claimed_at", UtcTime, nullable=False),
    Column("status", Integer),  # NULL until there is a response
    Column("headers", JSON(none_as_null=True)),
    Column("body", LargeBinary),
    Index("idempotency_keys_oldest", "claimed_at"),
)
