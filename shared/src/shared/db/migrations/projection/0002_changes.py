"""The change feed: in which batch each submission last changed, and the generation of these tables."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("submissions", sa.Column("changed_in", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("submissions", sa.Column("changed", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("submissions_changed", "submissions", ["changed_in", "changed"])
    is_postgresql = op.get_context().dialect.name == "postgresql"
    text = sa.Text(collation="C") if is_postgresql else sa.Text()
    generation = op.create_table("generation", sa.Column("id", text, nullable=False), sa.PrimaryKeyConstraint("id"))
    op.bulk_insert(generation, [{"id": uuid4().hex}])
