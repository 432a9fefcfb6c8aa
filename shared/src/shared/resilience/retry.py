"""Decides how to handle an error: one pure function. Only `worker/delivery.py` applies its decision."""

import random
from dataclasses import dataclass
from datetime import datetime

from shared.errors import InvalidEvent, Outage, Refused, Transient


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Tries per attempt, pauses in seconds; `bugs_in_a_row` submissions ending in bugs pause the worker."""

    tries: int = 3
    first_pause: float = 0.5
    longest_pause: float = 30.0
    bugs_in_a_row: int = 5


@dataclass(frozen=True, slots=True)
class Retry:
    after: float
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for an outage to end."""

    reason: str
    message: str
    after: float | None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Dead-letter the record."""

    code: str
    message: str


Decision = Retry | Pause | Fail | DeadLetter


def backoff_delay(times: int, policy: RetryPolicy) -> float:
    """Seconds to wait after `times` ≥ 1 failures: doubling, capped, with jitter of up to half."""
    longest = min(policy.longest_pause, policy.first_pause * 2.0 ** min(times - 1, 20))
    return longest * random.uniform(0.5, 1.0)


def decide(error: Exception, tries: int, policy: RetryPolicy, bugs_in_a_row: int = 0) -> Decision:
    """`tries`: earlier tries of this attempt; `bugs_in_a_row` includes this error."""
    match error:
        case Outage():
            return Pause(error.reason, str(error), error.retry_after, error.until)
        case Transient() if tries + 1 < policy.tries:
            return Retry(backoff_delay(tries + 1, policy), error.code, str(error))
        case Transient() | Refused():
            return Fail(error.code, str(error))
        case InvalidEvent():
            return DeadLetter("invalid_event", str(error))
    if bugs_in_a_row >= policy.bugs_in_a_row:
        return Pause("bug", f"{bugs_in_a_row} submissions in a row failed with an unexpected error: {error!r}", None)
    return DeadLetter("bug", f"{type(error).__name__}: {error}")
