"""Collation, compression and fill factor on PostgreSQL. SQLite is not changed.

Text is compared by code point, as in SQLite and Python: sort orders and cursors must not depend on the server's locale,
and it is faster.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TEXTS = sa.text(
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
    " AND table_name = ANY(:tables) AND data_type = 'text'"
)
TABLES = ["submissions", "contents", "facets", "facet_counts", "history", "usage", "status_counts", "dead_letters"]
HAS_LZ4 = sa.text("SELECT 'lz4' = ANY(enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")
UPDATED_BY_EVERY_BATCH = ("positions", "status_counts", "facet_counts")


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, column in op.get_bind().execute(TEXTS, {"tables": TABLES}).all():
        op.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE text COLLATE "C"')
    if op.get_bind().scalar(HAS_LZ4):
        op.execute("ALTER TABLE contents ALTER COLUMN content SET COMPRESSION lz4")
    for table in UPDATED_BY_EVERY_BATCH:  # room for a row's next version on its page, so that no index is written
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")
