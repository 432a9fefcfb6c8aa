"""What the routes use, opened by `app.py` for as long as the API runs. A route names what it needs:

`async def list_topics(projection: Projection, workers: Workers) -> Topics`
"""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from api.access.admission import BackPressure
from api.access.authentication import AccessRules
from api.access.dismissed_failures import DismissedFailures
from api.access.idempotency_store import IdempotencyStore
from api.projection.repository import ProjectionQueries
from api.publisher import EventPublisher
from api.worker_registry import WorkerRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """`enriches`: articles are worked on here."""

    projection: ProjectionQueries
    publisher: EventPublisher
    workers: WorkerRegistry
    back_pressure: BackPressure
    dismissed_failures: DismissedFailures
    enriches: bool
    access: AccessRules
    idempotency: IdempotencyStore


def _resource(name: str) -> Any:
    async def resource(request: Request) -> Any:  # async, or FastAPI runs it in a thread: +0.2 ms per request
        return getattr(request.app.state.resources, name)

    return Depends(resource)


Projection = Annotated[ProjectionQueries, _resource("projection")]
Publishing = Annotated[EventPublisher, _resource("publisher")]
Workers = Annotated[WorkerRegistry, _resource("workers")]
Admission = Annotated[BackPressure, _resource("back_pressure")]
Dismissals = Annotated[DismissedFailures, _resource("dismissed_failures")]
Access = Annotated[AccessRules, _resource("access")]
Enriches = Annotated[bool, _resource("enriches")]
