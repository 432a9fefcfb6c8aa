"""Which failures were marked as seen, in the `access` schema."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert  # its SQL is valid in SQLite too

from shared.db.engine import Database
from shared.db.tables import seen

TOPIC_FAILURES = "topic failures"


class DismissedFailures:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def up_to(self) -> datetime | None:
        """End time of the newest failure marked as seen."""
        query = select(seen.c.up_to).where(seen.c.what == TOPIC_FAILURES)
        return await self._database.run(lambda connection: connection.scalar(query))

    async def mark(self, up_to: datetime) -> None:
        marked = insert(seen).values(what=TOPIC_FAILURES, up_to=up_to)
        marked = marked.on_conflict_do_update(index_elements=[seen.c.what], set_={"up_to": up_to})
        await self._database.run(lambda connection: connection.execute(marked))
