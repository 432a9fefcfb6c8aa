"""Which failures somebody has seen: the API's own, in the `access` schema."""

from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.engine import querying
from shared.db.tables import seen

TOPIC_FAILURES = "topic failures"


class Seen:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def up_to(self) -> datetime | None:
        """When the newest failure that was seen ended."""
        with querying():
            async with self._engine.connect() as connection:
                found: datetime | None = await connection.scalar(
                    select(seen.c.up_to).where(seen.c.what == TOPIC_FAILURES)
                )
        return found

    async def mark(self, up_to: datetime) -> None:
        with querying():
            async with self._engine.begin() as connection:
                await connection.execute(delete(seen).where(seen.c.what == TOPIC_FAILURES))
                await connection.execute(insert(seen).values(what=TOPIC_FAILURES, up_to=up_to))
