"""Publishes today's usage to every worker, so that daily limits survive restarts and cover all workers together."""

import asyncio
from datetime import UTC, datetime

import structlog
from sqlalchemy import Connection

from shared.db.engine import Database, DatabaseUnreachable
from shared.errors import BrokerUnreachable
from shared.events import UsageReported
from shared.llm.quota_day import day_of
from shared.messaging.broker import Publisher
from shared.messaging.cloudevents import encode
from status_projector import statements

log = structlog.get_logger()
EVERY = 1.0  # seconds


async def publish_usage_forever(publisher: Publisher, database: Database, source: str) -> None:
    """Publish the totals that grew, until cancelled. Duplicates from other projectors are harmless: sums only grow."""
    published: set[UsageReported] = set()
    while True:
        try:
            published = await _publish(publisher, database, source, published)
        except (BrokerUnreachable, DatabaseUnreachable) as error:
            log.debug("usage_not_published", error=str(error))
        await asyncio.sleep(EVERY)


async def _publish(
    publisher: Publisher, database: Database, source: str, published: set[UsageReported]
) -> set[UsageReported]:
    """Returns the current totals. Raises BrokerUnreachable, DatabaseUnreachable."""
    day = day_of(datetime.now(UTC))

    def read(connection: Connection) -> set[UsageReported]:
        return statements.get_usage_totals(connection, day)

    totals = await database.run(read)
    await publisher.publish([encode(grown, source=source) for grown in totals - published])
    return totals
