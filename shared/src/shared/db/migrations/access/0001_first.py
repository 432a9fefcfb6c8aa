"""The first tables."""

import sqlalchemy as sa
from alembic import op

from shared.db.tables import UtcTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "seen",
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("up_to", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("what"),
    )
