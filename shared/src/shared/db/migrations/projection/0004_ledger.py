"""Wasted calls, and usage totals by day, so that the cost of reading them does not grow with the ledger.

The totals are filled from existing data, which does not tell what was wasted.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

KEY = ("day", "kind", "model", "simulated", "wasted", "partition")
SUMS = ("sixtieths", "unpriced_sixtieths", "tokens_in", "tokens_out", "tokens_cached", "tokens_thought", "nano_dollars")
DAY = {"sqlite": "substr(time, 1, 10)", "postgresql": "to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD')"}
FILL_IN = """
    INSERT INTO usage_totals
    SELECT {day}, kind, model, {false}, '', 0,
        sum(60 / shared_by), sum(CASE WHEN cost IS NULL THEN 60 / shared_by ELSE 0 END),
        sum(tokens_in), sum(tokens_out), sum(tokens_cached), sum(tokens_thought),
        sum(CAST(round(coalesce(cost, 0) * 1e9) AS bigint))
    FROM usage GROUP BY 1, kind, model
"""


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    text = sa.Text(collation="C") if dialect == "postgresql" else sa.Text()
    op.add_column("usage", sa.Column("simulated", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("usage", sa.Column("wasted", text, nullable=False, server_default=""))
    types: dict[str, Any] = dict.fromkeys(KEY, text) | {"simulated": sa.Boolean(), "partition": sa.Integer()}
    op.create_table(
        "usage_totals",
        *(sa.Column(name, types[name], nullable=False) for name in KEY),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in SUMS),
        sa.PrimaryKeyConstraint(*KEY),
        sqlite_with_rowid=False,
    )
    op.execute(FILL_IN.format(day=DAY[dialect], false="0" if dialect == "sqlite" else "false"))
    if dialect == "postgresql":
        op.execute("ALTER TABLE usage_totals SET (fillfactor = 50)")  # room for a row's next version on its page
