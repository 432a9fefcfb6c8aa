"""What PostgreSQL is told about the tables; nothing changes in SQLite.

Texts are compared by their code points, as SQLite does it and Python: orders and cursors must not depend on the
server's language, and it is faster.
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
MOVED_WITH_EVERY_BATCH = ("positions", "status_counts", "facet_counts")


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for table, column in op.get_bind().execute(TEXTS, {"tables": TABLES}).all():
        op.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE text COLLATE "C"')
    if op.get_bind().scalar(HAS_LZ4):
        op.execute("ALTER TABLE contents ALTER COLUMN content SET COMPRESSION lz4")
    for table in MOVED_WITH_EVERY_BATCH:  # room for the next version of a row on its page: no index is written then
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")
