"""The first tables.

Text is compared by code point on PostgreSQL too, as in SQLite and Python: sort orders and cursors must not depend on
the server's locale, and it is faster.
"""

import sqlalchemy as sa
from alembic import op

from shared.db.tables import UtcTime

revision = "0001"
down_revision = None
VISIBLE = "status != 'removed'"
HAS_LZ4 = sa.text("SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")
UPDATED_BY_EVERY_BATCH = ("positions", "status_counts", "facet_counts", "usage_totals", "ends")


def upgrade() -> None:
    is_postgresql = op.get_context().dialect.name == "postgresql"
    text = sa.Text(collation="C") if is_postgresql else sa.Text()
    _submissions(text)
    _contents(text)
    _facets(text)
    _facet_counts(text)
    _history(text)
    _usage(text)
    _usage_totals(text)
    _status_counts(text)
    _ends(text)
    _positions()
    _dead_letters(text)
    if is_postgresql:
        _tune_postgresql()


def _tune_postgresql() -> None:
    if op.get_bind().scalar(HAS_LZ4):
        op.execute("ALTER TABLE contents ALTER COLUMN content SET COMPRESSION lz4")
    for table in UPDATED_BY_EVERY_BATCH:  # room for a row's next version on its page, so that no index is written
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _submissions(text: sa.Text) -> None:
    op.create_table(
        "submissions",
        sa.Column("id", text, nullable=False),
        sa.Column("kind", text, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("name", text),
        sa.Column("name_normal", text),
        sa.Column("legacy_id", sa.BigInteger()),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("status", text, nullable=False),
        sa.Column("removed_attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime()),
        sa.Column("updated_at", UtcTime()),
        sa.Column("submitted_at", UtcTime()),
        sa.Column("submitted_by", text),
        sa.Column("started_at", UtcTime()),
        sa.Column("ended_at", UtcTime()),
        sa.Column("run", text),
        sa.Column("worker", text),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("waiting_reason", text),
        sa.Column("waiting_since", UtcTime()),
        sa.Column("waiting_until", UtcTime()),
        sa.Column("error_code", text),
        sa.Column("error_message", text),
        sa.Column("dead_lettered", sa.Boolean(), nullable=False),
        sa.Column("content_attempt", sa.Integer(), nullable=False),
        sa.Column("content_at", UtcTime()),
        sa.Column("content_run", text),
        sa.Column("content_id", text),
        sa.Column("simulated", sa.Boolean()),
        sa.Column("difficulty", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("input_hash", text),
        sa.PrimaryKeyConstraint("id"),
    )
    _partial_index("submissions_by_content", "submissions", ["content_id"], "content_id IS NOT NULL")
    _partial_index("submissions_by_difficulty", "submissions", ["kind", "difficulty", "created_at", "id"], VISIBLE)
    _partial_index("submissions_by_legacy_id", "submissions", ["kind", "legacy_id"], "legacy_id IS NOT NULL")
    _partial_index("submissions_by_name", "submissions", ["kind", "name_normal", "id", "status"], VISIBLE)
    _partial_index("submissions_by_status", "submissions", ["kind", "status", "created_at", "id"], VISIBLE)
    _partial_index("submissions_by_update", "submissions", ["kind", "updated_at", "id"], VISIBLE)
    _partial_index("submissions_failed", "submissions", ["kind", "ended_at", "id"], "status = 'failed'")
    _partial_index("submissions_newest", "submissions", ["kind", "created_at", "id"], VISIBLE)


def _contents(text: sa.Text) -> None:
    op.create_table(
        "contents",
        sa.Column("id", text, nullable=False),
        sa.Column("content", text, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _facets(text: sa.Text) -> None:
    op.create_table(
        "facets",
        sa.Column("facet", text, nullable=False),
        sa.Column("value", text, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("id", text, nullable=False),
        sa.PrimaryKeyConstraint("facet", "value", "created_at", "id"),
        sqlite_with_rowid=False,
    )


def _facet_counts(text: sa.Text) -> None:
    op.create_table(
        "facet_counts",
        sa.Column("facet", text, nullable=False),
        sa.Column("value", text, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("submissions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facet", "value", "partition"),
        sqlite_with_rowid=False,
    )


def _history(text: sa.Text) -> None:
    op.create_table(
        "history",
        sa.Column("id", text, nullable=False),
        sa.Column("event_id", text, nullable=False),
        sa.Column("event", text, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("time", UtcTime(), nullable=False),
        sa.Column("run", text),
        sa.Column("worker", text),
        sa.Column("error", text),
        sa.PrimaryKeyConstraint("id", "event_id"),
        sqlite_with_rowid=False,
    )


def _usage(text: sa.Text) -> None:
    op.create_table(
        "usage",
        sa.Column("id", text, nullable=False),
        sa.Column("call_id", text, nullable=False),
        sa.Column("kind", text, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("run", text, nullable=False),
        sa.Column("time", UtcTime(), nullable=False),
        sa.Column("model", text, nullable=False),
        sa.Column("prompt_version", text, nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("tokens_cached", sa.BigInteger(), nullable=False),
        sa.Column("tokens_thought", sa.BigInteger(), nullable=False),
        sa.Column("cost", sa.Float()),
        sa.Column("priced_as", text, nullable=False, server_default=""),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("shared_by", sa.Integer(), nullable=False),
        sa.Column("finish_reason", text, nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("wasted", text, nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id", "call_id"),
        sqlite_with_rowid=False,
    )


def _usage_totals(text: sa.Text) -> None:
    op.create_table(
        "usage_totals",
        sa.Column("day", text, nullable=False),
        sa.Column("kind", text, nullable=False),
        sa.Column("model", text, nullable=False),
        sa.Column("priced_as", text, nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("wasted", text, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("sixtieths", sa.BigInteger(), nullable=False),
        sa.Column("unpriced_sixtieths", sa.BigInteger(), nullable=False),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("tokens_cached", sa.BigInteger(), nullable=False),
        sa.Column("tokens_thought", sa.BigInteger(), nullable=False),
        sa.Column("nano_dollars", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "kind", "model", "priced_as", "simulated", "wasted", "partition"),
        sqlite_with_rowid=False,
    )


def _status_counts(text: sa.Text) -> None:
    op.create_table(
        "status_counts",
        sa.Column("kind", text, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("status", text, nullable=False),
        sa.Column("submissions", sa.BigInteger(), nullable=False),
        sa.Column("timed", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("kind", "partition", "status"),
    )


def _ends(text: sa.Text) -> None:
    op.create_table(
        "ends",
        sa.Column("kind", text, nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("ended", text, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "partition", "ended"),
    )


def _positions() -> None:
    op.create_table(
        "positions",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("positions", sa.JSON(), nullable=False),
        sa.Column("as_of", UtcTime()),
        sa.PrimaryKeyConstraint("partition"),
    )


def _dead_letters(text: sa.Text) -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", text, nullable=False),
        sa.Column("stream", text, nullable=False),
        sa.Column("position", text, nullable=False),
        sa.Column("submission", text, nullable=False),
        sa.Column("error", text, nullable=False),
        sa.Column("message", text, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("time", UtcTime(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("dead_letters_newest", "dead_letters", ["time"])
