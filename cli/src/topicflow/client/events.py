"""What the server's event stream tells: a Snapshot first, then Changes, and a Resync where it left something out."""

import json
from typing import Literal

from pydantic import AwareDatetime, ValidationError

from topicflow.client.models import Model, ProcessingStatus, Status, WaitingFor

Kind = Literal["topic", "article", "scan"]


class SubmissionState(Model):
    """`name`: title, URN or name of the scan; None when removed. `at`: the time of its newest event."""

    id: str
    kind: Kind
    name: str | None
    status: Status
    attempt: int
    at: AwareDatetime | None = None
    error_message: str | None = None
    waiting_for: WaitingFor | None = None


class KindCounts(Model):
    """All topics, or all articles, by status; and whether something works on them."""

    pending_count: int
    processing_count: int
    completed_count: int
    failed_count: int
    total_count: int
    live_workers: int
    waiting_for: WaitingFor | None = None
    simulated: bool | None = None

    @property
    def open_count(self) -> int:
        return self.pending_count + self.processing_count


class Counts(Model):
    topics: KindCounts
    articles: KindCounts


class Snapshot(Model):
    """The first event of a stream. `submissions`: the present states of the requested ids that the server knows."""

    processing_status: ProcessingStatus
    counts: Counts
    submissions: tuple[SubmissionState, ...]


class Changes(Model):
    """`submissions`: those that changed, at most 200, in their newest state; none if only `counts` changed."""

    counts: Counts
    submissions: tuple[SubmissionState, ...]


class Resync(Model):
    """More changed than the stream can tell: read what you follow again. Changes after it follow as before."""

    counts: Counts


Event = Snapshot | Changes | Resync
_BY_NAME: dict[str, type[Event]] = {"snapshot": Snapshot, "changes": Changes, "resync": Resync}


def event_of(name: str, data: str) -> Event | None:
    """None for an event that only newer clients know. Raises ValueError if it is not one of topicflow's."""
    kind = _BY_NAME.get(name)
    try:
        return kind.model_validate(json.loads(data)) if kind else None
    except ValidationError as error:
        raise ValueError(f"{name}: {error.error_count()} invalid fields") from error
