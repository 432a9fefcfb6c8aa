"""Waits for an unreachable server, with exponential backoff."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from shared.errors import TopicflowError
from shared.resilience.retry import RetryPolicy, backoff_delay

log = structlog.get_logger()


async def until_it_answers(name: str, call: Callable[[], Awaitable[None]], unreachable: type[TopicflowError]) -> None:
    """Repeat the call while it raises `unreachable`; logs the first failure."""
    failures = 0
    while True:
        try:
            await call()
        except unreachable as error:
            failures += 1
            if failures == 1:
                log.warning("waiting_for_dependency", dependency=name, error=str(error))
            await asyncio.sleep(backoff_delay(failures, RetryPolicy(first_pause=0.1, longest_pause=2.0)))
        else:
            return
