"""The input hash of an article; lifetime counts of attempts that workers processed, failed and skipped."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    text = sa.Text(collation="C") if op.get_context().dialect.name == "postgresql" else sa.Text()
    op.add_column("submissions", sa.Column("input_hash", text))
    op.create_table(
        "ends",
        sa.Column("kind", text, primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True),
        sa.Column("ended", text, primary_key=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE ends SET (fillfactor = 50)")  # room for a row's next version on its page
