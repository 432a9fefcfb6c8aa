"""What was paid today, told to every worker: so that a day's limits outlive restarts and count what all of them use."""

import asyncio
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection

from shared.db.engine import Database, DatabaseUnreachable
from shared.errors import BrokerUnreachable
from shared.events import UsageTotals
from shared.llm.quota_day import day_of
from shared.messaging.broker import Transport
from shared.messaging.cloudevents import encode
from status_projector import statements

log = structlog.get_logger()
EVERY = 1.0  # seconds


async def tell_for_ever(transport: Transport, database: Database, source: str) -> None:
    """Until cancelled: whatever grew since it was told last. Several projectors may tell the same: sums only grow."""
    told: set[UsageTotals] = set()
    while True:
        try:
            told = await _tell(transport, database, source, told)
        except (BrokerUnreachable, DatabaseUnreachable) as error:
            log.debug("usage is not told", error=str(error))
        await asyncio.sleep(EVERY)


async def _tell(transport: Transport, database: Database, source: str, told: set[UsageTotals]) -> set[UsageTotals]:
    """Answers what is known by now. Raises BrokerUnreachable, DatabaseUnreachable."""
    day = day_of(datetime.now(UTC))

    def read(connection: Connection) -> set[UsageTotals]:
        return statements.get_usage_totals(connection, day)

    totals = await database.run(read)
    await transport.publish([encode(grown, source=source) for grown in totals - told])
    return totals
