"""Filters and sort orders of lists, durations of submissions; clusters events and calls by submission.

Fills the new columns and tables from existing data.
"""
# ruff: noqa: S608  # these statements contain no external input

import sqlalchemy as sa
from alembic import op

from shared.db.tables import UtcTime

revision = "0002"
down_revision = "0001"

VISIBLE = "status != 'removed'"
INDEXES = {
    "submissions_newest": (["kind", "created_at", "id"], VISIBLE),
    "submissions_by_update": (["kind", "updated_at", "id"], VISIBLE),
    "submissions_by_title": (["kind", "title_normal", "id", "status"], VISIBLE),
    "submissions_by_status": (["kind", "status", "created_at", "id"], VISIBLE),
    "submissions_by_difficulty": (["kind", "difficulty", "created_at", "id"], VISIBLE),
    "submissions_failed": (["kind", "ended_at", "id"], "status = 'failed'"),
    "submissions_by_content": (["content_id"], "content_id IS NOT NULL"),
    "submissions_by_legacy_id": (["kind", "legacy_id"], "legacy_id IS NOT NULL"),
}
REPLACED = ("newest", "by_status", "by_end", "by_content", "by_legacy_id")
FACETS = {
    "category": "category",
    "subcategory": "subcategory",
    "company": "company",
    "complexity_level": "complexity",
    "tags": "tag",
    "technologies": "technology",
}


def upgrade() -> None:
    op.add_column("submissions", sa.Column("difficulty", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("status_counts", sa.Column("timed", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("status_counts", sa.Column("milliseconds", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "facets",
        sa.Column("facet", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("facet", "value", "created_at", "id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "facet_counts",
        sa.Column("facet", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("submissions", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facet", "value", "partition"),
        sqlite_with_rowid=False,
    )
    if op.get_context().dialect.name == "sqlite":  # no PostgreSQL database is older than this revision
        _fill()
    _cluster_by_submission()
    for name in REPLACED:
        op.drop_index(f"submissions_{name}", "submissions")
    for name, (columns, where) in INDEXES.items():
        op.create_index(name, "submissions", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _cluster_by_submission() -> None:
    """Keeps the columns; puts the submission's id first in the key."""
    metadata = sa.MetaData()
    for name, key, index in (
        ("history", "event_id", "history_by_submission"),
        ("usage", "call_id", "usage_by_submission"),
    ):
        op.drop_index(index, name)
        if op.get_context().dialect.name != "sqlite":
            op.drop_constraint(f"{name}_pkey", name)
            op.create_primary_key(f"{name}_pkey", name, ["id", key])
            continue
        op.rename_table(name, f"{name}_before")
        before = sa.Table(f"{name}_before", metadata, autoload_with=op.get_bind())
        columns = [sa.Column(c.name, c.type, nullable=c.nullable) for c in before.c]
        op.create_table(name, *columns, sa.PrimaryKeyConstraint("id", key), sqlite_with_rowid=False)
        names = ", ".join(column.name for column in columns)
        op.execute(f"INSERT INTO {name} ({names}) SELECT {names} FROM {name}_before")
        op.drop_table(f"{name}_before")


def _fill() -> None:
    usable = "typeof(value) = 'text' AND trim(value) != '' AND length(value) <= 200 AND coalesce(key, 0) < 50"
    for field, facet in FACETS.items():
        values = f"FROM contents JOIN submissions USING (id), json_each(content, '$.{field}') WHERE {usable}"
        op.execute(f"INSERT OR IGNORE INTO facets SELECT '{facet}', value, created_at, contents.id {values}")
    op.execute(
        "INSERT INTO facet_counts SELECT facet, value, partition, count(*) FROM facets JOIN submissions USING (id)"
        " GROUP BY facet, value, partition"
    )
    of_content = "SELECT json_extract(content, '$.difficulty') FROM contents WHERE contents.id = submissions.id"
    op.execute(f"UPDATE submissions SET difficulty = coalesce(({of_content}), 0) WHERE content_attempt > 0")
    took = "sum(round((julianday(ended_at) - julianday(started_at)) * 86400000))"
    timed = "s.status = 'completed' AND s.started_at IS NOT NULL"
    same = f"s.kind = status_counts.kind AND s.partition = status_counts.partition AND {timed}"
    for column, value in (("timed", "count(*)"), ("milliseconds", took)):
        query = f"SELECT {value} FROM submissions s WHERE {same}"
        op.execute(f"UPDATE status_counts SET {column} = coalesce(({query}), 0) WHERE status = 'completed'")
