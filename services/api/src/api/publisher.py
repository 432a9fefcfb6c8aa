"""Publishes the events of this replica: not before the broker is ready for them, and new work only if there is room."""

import asyncio
from collections.abc import Sequence
from functools import partial

from api.access.admission import BackPressure
from api.coalesce import Coalescer
from shared.errors import BrokerUnreachable
from shared.messaging.broker import Publisher
from shared.messaging.cloudevents import Record


class EventPublisher:
    """`source`: the instance that its events name.

    `provisioned`: the broker was reached, is safe and has its streams and groups. Nothing is published before: a stream
    that has entries and no group looks as if the group had been lost.
    """

    def __init__(self, publisher: Publisher, back_pressure: BackPressure, source: str) -> None:
        self.source = source
        self.provisioned = asyncio.Event()
        self._back_pressure = back_pressure
        self._publishing = Coalescer(partial(_publish, publisher))

    def require_provisioned(self) -> None:
        """Raises BrokerUnreachable."""
        if not self.provisioned.is_set():
            raise BrokerUnreachable("the broker was not reached yet")

    async def publish(self, records: Sequence[Record]) -> None:
        """Raises BrokerUnreachable."""
        self.require_provisioned()
        await self._publishing.ask(records)

    async def publish_work(self, records: Sequence[Record], stored: int = 0) -> None:
        """`stored`: submissions of the same request that were published before. Raises NoRoom, BrokerUnreachable."""
        await self._back_pressure.require_room(records, stored)
        await self.publish(records)


async def _publish(publisher: Publisher, batches: Sequence[Sequence[Record]]) -> None:
    await publisher.publish([record for records in batches for record in records])
