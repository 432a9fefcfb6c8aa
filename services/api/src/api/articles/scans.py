"""Catalogue scans: started by request or on a schedule, one at a time across all replicas."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import RowMapping

from api.access.callers import Caller
from api.access.scopes import require_scope
from api.dependencies import Projection, Publishing, Workers
from api.errors import NoRoom, NoSuchSubmission, NotProjectedYet
from api.projection.filters import SubmissionQuery
from api.projection.repository import ProjectionQueries
from api.publisher import EventPublisher
from api.submissions.commands import projected
from api.submissions.read import contents_of, waiting_for
from api.worker_registry import WorkerRegistry
from shared.db.engine import DatabaseUnreachable
from shared.errors import BrokerUnreachable
from shared.events import CatalogScanRequested, WaitingFor
from shared.ids import scan_id
from shared.messaging.cloudevents import encode
from shared.status import Status
from shared.streams import ENRICHER

router = APIRouter()
log = structlog.get_logger()
ABANDONED_AFTER = timedelta(minutes=10)  # without progress
POLL_INTERVAL = 1.0  # seconds, at most


class Scan(BaseModel):
    """The latest scan. `seen`: articles on the pages read; `submitted`: those not yet enriched."""

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
    def is_running(self) -> bool:
        if self.row is None or self.row["status"] not in {"pending", "processing"}:
            return False
        return bool(datetime.now(UTC) - self.row["updated_at"] < ABANDONED_AFTER)

    @property
    def next_name(self) -> str:
        """The last scan's number plus one, so that concurrent starts are the same scan."""
        number = self.row["name"].rpartition(" ")[2] if self.row and self.row["name"] else "0"
        return f"scan {int(number) + 1 if number.isdecimal() else 1}"


@router.post("/articles/scan", status_code=202)
async def scan_articles(
    projection: Projection,
    publisher: Publishing,
    workers: Workers,
    caller: Annotated[Caller, require_scope("operate")],
) -> Scan:
    """Start a catalogue scan, which submits all articles not yet enriched. Returns the running scan if there is one."""
    last = await _last(projection)
    if not last.is_running:
        await projected(projection, await _start(publisher, last))
        last = await _last(projection)
    if last.row is None:
        raise NotProjectedYet("the scan was started but is not projected yet")
    return _scan_of(workers, last.row)


@router.get("/articles/scan", dependencies=[require_scope("read")])
async def latest_scan(projection: Projection, workers: Workers) -> ScanNow:
    """The latest catalogue scan and its progress."""
    age = await projection.freshness()
    last = await _last(projection)
    if last.row is None:
        raise NoSuchSubmission("no scan was started yet")
    return ScanNow(**_scan_of(workers, last.row).model_dump(), **age)


async def scan_for_ever(projection: ProjectionQueries, publisher: EventPublisher, interval: float) -> None:
    """Until cancelled: starts a scan `interval` seconds after the end of the last one."""
    while True:
        try:
            last = await _last(projection)
            if not last.is_running and _is_time(last.row, interval):
                await projected(projection, started := await _start(publisher, last))
                log.info("scan_started", scan=started.scan)
        except (BrokerUnreachable, DatabaseUnreachable, NoRoom) as error:
            log.debug("scan_not_started", error=str(error))
        await asyncio.sleep(min(POLL_INTERVAL, interval))


def _is_time(row: RowMapping | None, interval: float) -> bool:
    if row is None:
        return True
    return bool(datetime.now(UTC) - (row["ended_at"] or row["updated_at"]) >= timedelta(seconds=interval))


async def _last(projection: ProjectionQueries) -> _Last:
    rows = (await projection.page(SubmissionQuery(kind="scan"), limit=1)).rows
    return _Last(rows[0] if rows else None)


async def _start(publisher: EventPublisher, last: _Last) -> CatalogScanRequested:
    name = last.next_name
    requested = CatalogScanRequested(id=scan_id(name), attempt=1, scan=name, submitted_at=datetime.now(UTC))
    await publisher.publish_work([encode(requested, source=publisher.source)])
    return requested


def _scan_of(workers: WorkerRegistry, row: RowMapping) -> Scan:
    progress = contents_of(row) or {"pages": 0, "seen": 0, "submitted": 0}
    return Scan(
        id=row["id"],
        scan=row["name"] or "",
        status=row["status"],
        started_at=row["created_at"],
        ended_at=row["ended_at"],
        error_message=row["error_message"],
        waiting_for=waiting_for(row, workers.waiting_for(ENRICHER)),
        **progress,
    )
