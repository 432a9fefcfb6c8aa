"""What the routes use, opened by `app.py` for as long as the API runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.access.admission import BackPressure
from api.access.dismissed_failures import DismissedFailures
from api.access.idempotency_store import IdempotencyStore
from api.access.key_cache import KeyCache
from api.coalesce import Coalescer
from api.projection.repository import ProjectionQueries
from api.worker_registry import WorkerRegistry
from shared.errors import BrokerUnreachable
from shared.messaging.broker import Transport
from shared.messaging.cloudevents import Record


@dataclass(frozen=True, slots=True)
class ApiContext:
    """`provisioned`: the broker was reached, is safe and has its streams and groups.

    `needs_key`: the API listens beyond loopback. `enriches`: articles are worked on here.
    """

    instance: str
    transport: Transport
    publishing: Coalescer[Sequence[Record], None]
    provisioned: asyncio.Event
    projection: ProjectionQueries
    seen: DismissedFailures
    workers: WorkerRegistry
    back_pressure: BackPressure
    needs_key: bool
    known_keys: KeyCache
    answers: IdempotencyStore
    enriches: bool

    def must_be_provisioned(self) -> None:
        """Raises BrokerUnreachable."""
        if not self.provisioned.is_set():
            raise BrokerUnreachable("the broker was not reached yet")

    async def publish(self, records: Sequence[Record]) -> None:
        """Not before provisioning: a stream that has entries and no group looks as if the group had been lost."""
        self.must_be_provisioned()
        await self.publishing.ask(records)

    async def publish_work(self, records: Sequence[Record], stored: int = 0) -> None:
        """Publishes work events. `stored`: submissions of the same request that were published before.

        Raises ProblemError 503 while there is no room for them.
        """
        await self.back_pressure.must_have_room(records, stored)
        await self.publish(records)


async def _context(request: Request) -> ApiContext:  # async, or FastAPI runs it in a thread: +0.2 ms a request
    context: ApiContext = request.app.state.context
    return context


Context = Annotated[ApiContext, Depends(_context)]
