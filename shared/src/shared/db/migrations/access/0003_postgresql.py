"""PostgreSQL compares text by code point, as SQLite does. SQLite is not changed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TEXTS = sa.text(
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
    " AND table_name = ANY(:tables) AND data_type = 'text'"
)
TABLES = ["seen", "api_keys", "idempotency_keys"]


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        for table, column in op.get_bind().execute(TEXTS, {"tables": TABLES}).all():
            op.execute(f'ALTER TABLE {table} ALTER COLUMN {column} TYPE text COLLATE "C"')
