"""The first tables.

Text is compared by code point on PostgreSQL too, as in SQLite and Python: sort orders and cursors must not depend on
the server's locale, and it is faster.
"""

import sqlalchemy as sa
from alembic import op

from shared.db.tables import UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    is_postgresql = op.get_context().dialect.name == "postgresql"
    text = sa.Text(collation="C") if is_postgresql else sa.Text()
    _seen(text)
    _api_keys(text)
    _idempotency_keys(text)


def _partial_index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _seen(text: sa.Text) -> None:
    op.create_table(
        "seen",
        sa.Column("what", text, nullable=False),
        sa.Column("up_to", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("what"),
    )


def _api_keys(text: sa.Text) -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", text, nullable=False),
        sa.Column("name", text, nullable=False),
        sa.Column("hash", text, nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("requests_per_second", sa.Integer()),
        sa.Column("body_bytes", sa.Integer()),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("revoked_at", UtcTime()),
        sa.PrimaryKeyConstraint("id"),
    )
    _partial_index("api_keys_live_name", "api_keys", ["name"], "revoked_at IS NULL", unique=True)


def _idempotency_keys(text: sa.Text) -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", text, nullable=False),
        sa.Column("key", text, nullable=False),
        sa.Column("fingerprint", text, nullable=False),
        sa.Column("claim", text, nullable=False),
        sa.Column("claimed_at", UtcTime(), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("headers", sa.JSON(none_as_null=True)),
        sa.Column("body", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("owner", "key"),
    )
    op.create_index("idempotency_keys_oldest", "idempotency_keys", ["claimed_at"])
