"""Scans of the catalogue: started by people or by the clock, one at a time however many replicas there are."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import RowMapping

from api.access.scopes import Caller, require_scope
from api.dependencies import ApiContext, Context
from api.problems import ProblemError
from api.projection.filters import SubmissionQuery
from api.projection.freshness import freshness
from api.submissions.commands import contents_of, projected, waiting_for
from shared.db.engine import DatabaseUnreachable
from shared.errors import BrokerUnreachable
from shared.events import CatalogScanRequested, WaitingFor
from shared.ids import scan_id
from shared.messaging.cloudevents import encode
from shared.status import Status
from shared.streams import ENRICHER

router = APIRouter()
log = structlog.get_logger()
GIVEN_UP_AFTER = timedelta(minutes=10)  # without progress
LOOK_EVERY = 1.0  # seconds, at most


class Scan(BaseModel):
    """The latest one. `seen`: articles on the pages that were read; `submitted`: those that were not enriched yet."""

    id: str
    scan: str
    status: Status
    pages: int
    seen: int
    submitted: int
    started_at: datetime | None
    ended_at: datetime | None
    error_message: str | None
    waiting_for: WaitingFor | None


class ScanNow(Scan):
    as_of: datetime | None
    projection_lag_seconds: float | None


@dataclass(frozen=True, slots=True)
class _Last:
    row: RowMapping | None

    @property
    def is_under_way(self) -> bool:
        if self.row is None or self.row["status"] not in {"pending", "processing"}:
            return False
        return bool(datetime.now(UTC) - self.row["updated_at"] < GIVEN_UP_AFTER)

    @property
    def next_name(self) -> str:
        """Made of the last one's number: who starts one at the same time starts the same one."""
        number = self.row["title"].rpartition(" ")[2] if self.row and self.row["title"] else "0"
        return f"scan {int(number) + 1 if number.isdecimal() else 1}"


@router.post("/articles/scan", status_code=202)
async def scan_articles(context: Context, caller: Annotated[Caller, require_scope("operate")]) -> Scan:
    """Read the catalogue page by page and submit what is not enriched yet; the one that is under way, if one is."""
    last = await _last(context)
    if not last.is_under_way:
        await projected(context, await _start(context, last))
        last = await _last(context)
    if last.row is None:
        raise ProblemError(503, "the scan is started, and not projected yet")
    return _shown(context, last.row)


@router.get("/articles/scan", dependencies=[require_scope("read")])
async def latest_scan(context: Context) -> ScanNow:
    age = await freshness(context.projection, context.transport)
    last = await _last(context)
    if last.row is None:
        raise ProblemError(404, "there was no scan yet")
    return ScanNow(**_shown(context, last.row).model_dump(), **age)


async def scan_for_ever(context: ApiContext, interval: float) -> None:
    """Until cancelled: starts one whenever the last one has ended so many seconds ago."""
    while True:
        try:
            last = await _last(context)
            if not last.is_under_way and _is_time(last.row, interval):
                await projected(context, started := await _start(context, last))
                log.info("a scan of the catalogue starts", scan=started.scan)
        except (BrokerUnreachable, DatabaseUnreachable, ProblemError) as error:
            log.debug("no scan is started", error=str(error))
        await asyncio.sleep(min(LOOK_EVERY, interval))


def _is_time(row: RowMapping | None, interval: float) -> bool:
    if row is None:
        return True
    return bool(datetime.now(UTC) - (row["ended_at"] or row["updated_at"]) >= timedelta(seconds=interval))


async def _last(context: ApiContext) -> _Last:
    rows = (await context.projection.page(SubmissionQuery(kind="scan"), limit=1)).rows
    return _Last(rows[0] if rows else None)


async def _start(context: ApiContext, last: _Last) -> CatalogScanRequested:
    name = last.next_name
    requested = CatalogScanRequested(id=scan_id(name), attempt=1, scan=name, submitted_at=datetime.now(UTC))
    await context.publish_work([encode(requested, source=context.instance)])
    return requested


def _shown(context: ApiContext, row: RowMapping) -> Scan:
    progress = contents_of(row) or {"pages": 0, "seen": 0, "submitted": 0}
    return Scan(
        id=row["id"],
        scan=row["title"] or "",
        status=row["status"],
        started_at=row["created_at"],
        ended_at=row["ended_at"],
        error_message=row["error_message"],
        waiting_for=waiting_for(row, context.workers.waiting_for(ENRICHER)),
        **progress,
    )
