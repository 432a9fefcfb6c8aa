"""What the routes use, opened by `app.py` for as long as the API runs. A route names what it needs:

`async def list_topics(projection: Projection, workers: Workers) -> Topics`
"""

from dataclasses import dataclass
from typing import Annotated

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


def _resources(request: Request) -> Resources:
    resources: Resources = request.app.state.resources
    return resources


# async, or FastAPI runs them in a thread: +0.2 ms per request
async def _projection(request: Request) -> ProjectionQueries:
    return _resources(request).projection


async def _publisher(request: Request) -> EventPublisher:
    return _resources(request).publisher


async def _workers(request: Request) -> WorkerRegistry:
    return _resources(request).workers


async def _back_pressure(request: Request) -> BackPressure:
    return _resources(request).back_pressure


async def _dismissed_failures(request: Request) -> DismissedFailures:
    return _resources(request).dismissed_failures


async def _enriches(request: Request) -> bool:
    return _resources(request).enriches


Projection = Annotated[ProjectionQueries, Depends(_projection)]
Publishing = Annotated[EventPublisher, Depends(_publisher)]
Workers = Annotated[WorkerRegistry, Depends(_workers)]
Admission = Annotated[BackPressure, Depends(_back_pressure)]
Dismissals = Annotated[DismissedFailures, Depends(_dismissed_failures)]
Enriches = Annotated[bool, Depends(_enriches)]
