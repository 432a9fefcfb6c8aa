"""Exponential backoff: the retry policy, its delays, and waiting for an unreachable server."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from math import inf

import structlog

from shared.errors import TopicflowError

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Tries per attempt, pauses in seconds; `bugs_in_a_row` submissions ending in bugs pause the worker."""

    tries: int = 3
    first_pause: float = 0.5
    longest_pause: float = 30.0
    bugs_in_a_row: int = 5


def backoff_delay(times: int, policy: RetryPolicy) -> float:
    """Seconds to wait after `times` ≥ 1 failures: doubling, capped, with jitter of up to half."""
    longest = min(policy.longest_pause, policy.first_pause * 2.0 ** min(times - 1, 20))
    return longest * random.uniform(0.5, 1.0)


class Backoff:
    """Pauses that grow with each failure in a row. `longest`: seconds, if shorter than the policy's."""

    def __init__(self, policy: RetryPolicy, longest: float = inf) -> None:
        self._policy = replace(policy, longest_pause=min(longest, policy.longest_pause))
        self.failures = 0

    async def wait(self) -> None:
        """After a failure."""
        self.failures += 1
        await asyncio.sleep(backoff_delay(self.failures, self._policy))

    def reset(self) -> bool:
        """After a success; returns whether it ends a row of failures."""
        had_failures, self.failures = self.failures > 0, 0
        return had_failures


async def until_it_answers(name: str, call: Callable[[], Awaitable[None]], unreachable: type[TopicflowError]) -> None:
    """Repeat the call while it raises `unreachable`; logs the first failure."""
    backoff = Backoff(RetryPolicy(first_pause=0.1, longest_pause=2.0))
    while True:
        try:
            return await call()
        except unreachable as error:
            if not backoff.failures:
                log.warning("waiting_for_dependency", dependency=name, error=str(error))
            await backoff.wait()
