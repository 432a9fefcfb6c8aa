"""The model whose price was used if the answering model has no known price."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

KEY = ("day", "kind", "model", "priced_as", "simulated", "wasted", "partition")
SUMS = ("sixtieths", "unpriced_sixtieths", "tokens_in", "tokens_out", "tokens_cached", "tokens_thought", "nano_dollars")


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    text = sa.Text(collation="C") if dialect == "postgresql" else sa.Text()
    op.add_column("usage", sa.Column("priced_as", text, nullable=False, server_default=""))
    types: dict[str, Any] = dict.fromkeys(KEY, text) | {"simulated": sa.Boolean(), "partition": sa.Integer()}
    op.rename_table("usage_totals", "usage_totals_before")
    if dialect == "postgresql":
        op.execute("ALTER INDEX usage_totals_pkey RENAME TO usage_totals_before_pkey")
    op.create_table(
        "usage_totals",
        *(sa.Column(name, types[name], nullable=False) for name in KEY),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in SUMS),
        sa.PrimaryKeyConstraint(*KEY),
        sqlite_with_rowid=False,
    )
    columns = ", ".join((*KEY, *SUMS))
    before = columns.replace("priced_as", "''")
    op.execute(f"INSERT INTO usage_totals ({columns}) SELECT {before} FROM usage_totals_before")  # noqa: S608 - constants
    op.drop_table("usage_totals_before")
    if dialect == "postgresql":
        op.execute("ALTER TABLE usage_totals SET (fillfactor = 50)")  # room for a row's next version on its page
