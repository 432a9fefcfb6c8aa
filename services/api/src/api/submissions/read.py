"""Reading one submission of any kind: its row, content, history, and what it waits for."""

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel
from sqlalchemy import RowMapping

from api.errors import NoSuchSubmission
from api.projection.repository import ProjectionQueries
from shared.events import Kind, WaitingFor

HowMany = Annotated[int, Query(ge=1, le=1000)]


class HistoryEvent(BaseModel):
    event: str
    attempt: int
    time: datetime
    run: str | None
    worker: str | None
    model: str | None
    tokens_in: int | None
    tokens_out: int | None
    cost: float | None
    error: str | None


class History(BaseModel):
    id: str
    events: list[HistoryEvent]
    is_complete: bool  # False: older events than the `limit` newest exist


async def load_submission(projection: ProjectionQueries, kind: Kind, id_: str, called: str = "") -> RowMapping:
    """The submission's row. An unknown id is looked up again once everything stored so far is projected.

    `called`: the name in the error message. Raises NoSuchSubmission.
    """
    row = await projection.submission(kind, id_)
    if row is None:
        await projection.wait_until_current()
        row = await projection.submission(kind, id_)
    if row is None:
        raise NoSuchSubmission(f"there is no {kind} {(called or id_)[:80]!r}")
    return row


def contents_of(row: RowMapping) -> dict[str, Any] | None:
    return json.loads(row["content"]) if row["content"] else None


async def history_of(projection: ProjectionQueries, id_: str, limit: int) -> History:
    """The newest events across all attempts, in chronological order, with the cost of each."""
    rows = await projection.history(id_, limit + 1)
    events = [HistoryEvent.model_validate(dict(row)) for row in reversed(rows[:limit])]
    return History(id=id_, events=events, is_complete=len(rows) <= limit)


def waiting_for(row: RowMapping, all_wait_for: WaitingFor | None) -> WaitingFor | None:
    """What a pending submission waits for: its own reason, or the one common to all."""
    if row["status"] != "pending":
        return None
    if reason := row["waiting_reason"]:
        message = all_wait_for.message if all_wait_for and all_wait_for.reason == reason else ""
        return WaitingFor(reason=reason, since=row["waiting_since"], until=row["waiting_until"], message=message)
    return all_wait_for
