"""Decides how to handle an error: one pure function. Only `worker/delivery.py` applies its decision."""

from dataclasses import dataclass
from datetime import datetime

from shared.errors import InvalidEvent, Outage, Refused, Transient
from shared.resilience.backoff import RetryPolicy, backoff_delay


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
