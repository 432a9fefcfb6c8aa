"""The handlers of a consumer group, by the type of event that each of them handles."""

from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from shared.errors import InvalidEvent
from shared.events import WorkRequested
from shared.worker.run import Reported, Run

E = TypeVar("E", bound=WorkRequested)


class Handlers:
    def __init__(self) -> None:
        self._by_type: dict[type[WorkRequested], Callable[[Any, Run], Awaitable[Reported | None]]] = {}

    def on(self, event_type: type[E], handler: Callable[[E, Run], Awaitable[Reported | None]]) -> Self:
        """The handler returns what it reports, None if there is nothing to report."""
        self._by_type[event_type] = handler
        return self

    async def __call__(self, event: WorkRequested, run: Run) -> Reported | None:
        """Raises InvalidEvent, which dead-letters the event, if there is no handler for its type."""
        handler = self._by_type.get(type(event))
        if handler is None:
            raise InvalidEvent(f"nothing here handles {type(event).__name__}")
        return await handler(event, run)
