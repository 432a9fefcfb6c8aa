"""What the routes use, opened by `app.py` for as long as the API runs."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.projection import ProjectionQueries
from api.seen import Seen
from api.workers import Workers
from shared.transport.base import Transport


@dataclass(frozen=True, slots=True)
class ApiContext:
    instance: str
    transport: Transport
    projection: ProjectionQueries
    seen: Seen
    workers: Workers


def _context(request: Request) -> ApiContext:
    context: ApiContext = request.app.state.context
    return context


Context = Annotated[ApiContext, Depends(_context)]
