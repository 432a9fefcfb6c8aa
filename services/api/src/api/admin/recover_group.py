"""Recovers a consumer group whose positions were lost: requeues its unfinished work and sets its positions.

Positions and rows are read from one snapshot of the projection: everything unfinished lies before those positions, and
the group itself reads everything after them. So nothing is lost or duplicated, whatever is submitted meanwhile. The
positions are set last: a run that is killed before is repeated, and what it has requeued lies before the positions of
the next run.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, RowMapping, and_, false, func, not_, select

from api.projection.filters import VISIBLE
from api.worker_registry import WorkerRegistry
from shared.db.array_params import one_of
from shared.db.engine import Database
from shared.db.tables import history, positions, submissions
from shared.errors import CannotGoOn, GroupInUse
from shared.events import ArticleAnnotated, ArticleSubmitted, Requeued, TopicSubmitted, WorkRequested
from shared.messaging.broker import Positions, Transport
from shared.messaging.cloudevents import decode, encode
from shared.messaging.provisioning import Lost
from shared.service.heartbeat import beat
from shared.streams import (
    ARTICLE_ANNOTATIONS,
    ARTICLE_SUBMISSIONS,
    BY_NAME,
    CATALOG_SCANS,
    PROJECTED,
    TOPIC_SUBMISSIONS,
    service_of,
)

PAGE = 500  # submissions per publish
PATIENCE = 8.0  # seconds; a dead worker counts as alive for 4.5
UNFINISHED = ("pending", "processing")
SOURCE = "provision"
_S = submissions.c
_H = history.c
_COLUMNS = (
    _S.id,
    _S.kind,
    _S.attempt,
    _S.name,
    _S.submitted_at,
    _S.submitted_by,
    _S.legacy_id,
    _S.tries,
    _S.input_hash,
)
_TIMES = func.count(_H.event_id)  # how often this attempt was published: once, and once per requeue
_IS_ANNOTATED = (
    select(_H.id).where(_H.id == _S.id, _H.attempt == _S.attempt, _H.event == ArticleAnnotated.__name__).exists()
)
# Unfinished work by stream. Scans are not requeued: the next scan finds what this one did not.
_UNFINISHED = {
    TOPIC_SUBMISSIONS.name: _S.kind == "topic",
    ARTICLE_SUBMISSIONS.name: and_(_S.kind == "article", not_(_IS_ANNOTATED)),
    ARTICLE_ANNOTATIONS.name: and_(_S.kind == "article", _IS_ANNOTATED),
    CATALOG_SCANS.name: false(),
}


class ProjectionBehind(CannotGoOn): ...


@dataclass(frozen=True, slots=True)
class ProjectedEnd:
    """A snapshot of the projection. `unfinished`: ids and attempts of one stream."""

    positions: Mapping[int, Positions]
    unfinished: Sequence[tuple[str, int]]


async def recover(
    lost: Lost, transport: Transport, database: Database, say: Callable[[str], None], patience: float
) -> None:
    """`patience`: seconds for the projection to reach the end. Raises GroupInUse, ProjectionBehind."""
    await _require_no_live_worker(transport, service_of(lost.group), say)
    ends = await transport.end_positions([stream.name for stream in PROJECTED])
    moment = await _projected(transport, database, lost.stream, ends, say, patience)
    say(f"Requeueing {len(moment.unfinished)} unfinished submissions on {lost.stream}")
    paid = await _annotations(transport, dict(moment.unfinished)) if lost.stream == ARTICLE_ANNOTATIONS.name else {}
    for page in _pages(moment.unfinished):
        rows = await database.run(lambda connection, page=page: _rows(connection, lost.stream, page))  # type: ignore[misc]
        events = (_requeued(row, paid.get(row["id"])) for row in rows)
        await transport.publish([encode(event, source=SOURCE) for event in events])
    await transport.set_positions(lost.group, lost.stream, {p: moment.positions.get(p, {}) for p in ends})


async def _annotations(transport: Transport, unfinished: Mapping[str, int]) -> dict[str, ArticleAnnotated]:
    """The paid answers of these attempts, read from the stream: they are stored nowhere else."""
    name = ARTICLE_ANNOTATIONS.name
    ends, reached = await transport.end_positions([name]), dict[int, Positions]()
    annotations: dict[str, ArticleAnnotated] = {}

    async def from_the_beginning(partition: int) -> Positions:
        return reached.get(partition, {})

    reader = await transport.reader(SOURCE, SOURCE, [name], from_the_beginning)
    try:
        while not transport.has_reached(reached, ends):
            batch = await reader.read(PAGE, 1.0)
            for delivery in batch.deliveries if batch else ():
                event = decode(delivery.record).event
                if isinstance(event, ArticleAnnotated) and unfinished.get(event.id) == event.attempt:
                    annotations[event.id] = event
            reached |= batch.positions if batch else {}
    finally:
        await reader.close()
    return annotations


async def _require_no_live_worker(transport: Transport, group: str, say: Callable[[str], None]) -> None:
    """Work that a live member still finishes would be paid for again. Our own heartbeat gives the broker's time.

    Raises GroupInUse.
    """
    workers = WorkerRegistry()
    tasks = [asyncio.create_task(beat(transport, SOURCE, SOURCE))]
    tasks.append(asyncio.create_task(transport.follow_heartbeats(workers.on_heartbeat)))
    give_up = time.monotonic() + PATIENCE
    try:
        while not workers.live(SOURCE) or workers.live(group):
            if time.monotonic() > give_up:
                names = ", ".join(seen.heartbeat.instance for seen in workers.live(group)) or "an unknown worker"
                raise GroupInUse(f"the group {group} lost its positions, but {names} is still running: stop it first")
            say(f"Checking whether a {group} is still running …")
            await asyncio.sleep(0.1)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _projected(
    transport: Transport,
    database: Database,
    stream: str,
    ends: Mapping[int, Positions],
    say: Callable[[str], None],
    patience: float,
) -> ProjectedEnd:
    """The first snapshot that includes everything before the ends. Raises ProjectionBehind."""
    give_up = time.monotonic() + patience
    while not transport.has_reached((moment := await database.run(partial(_moment, stream))).positions, ends):
        if time.monotonic() > give_up:
            raise ProjectionBehind(f"the projection did not reach the end within {patience:g} s: {_NEEDED}")
        say(f"Waiting for the projection to reach the end: {_NEEDED}")
        await asyncio.sleep(0.5)
    return moment


_NEEDED = "a status-projector must be running"


def _moment(stream: str, connection: Connection) -> ProjectedEnd:
    unfinished = select(_S.id, _S.attempt).where(_UNFINISHED[stream], _S.status.in_(UNFINISHED), VISIBLE)
    return ProjectedEnd(
        {row.partition: row.positions for row in connection.execute(select(positions))},
        [(row.id, row.attempt) for row in connection.execute(unfinished)],
    )


def _pages(unfinished: Sequence[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    for at in range(0, len(unfinished), PAGE):
        yield list(unfinished[at : at + PAGE])


def _rows(connection: Connection, stream: str, page: Sequence[tuple[str, int]]) -> list[RowMapping]:
    """The rows of the page that are unchanged."""
    event_names = [event.__name__ for event in BY_NAME[stream].events]
    of_attempt = and_(_H.id == _S.id, _H.attempt == _S.attempt, _H.event.in_(event_names))
    query = (
        select(*_COLUMNS, _TIMES.label("times"))
        .outerjoin(history, of_attempt)
        .where(one_of(_S.id), _S.status.in_(UNFINISHED))
        .group_by(*_COLUMNS)
    )
    attempts = dict(page)
    rows = connection.execute(query, {"ids": list(attempts)}).mappings()
    return [row for row in rows if row["attempt"] == attempts[row["id"]]]


def _requeued(row: RowMapping, paid: ArticleAnnotated | None) -> WorkRequested:
    """The same attempt, with a new requeue number: Redis drops a copy published within the last ten minutes."""
    requeued = Requeued(n=max(1, row["times"]), tries=row["tries"], starts=0, since=datetime.now(UTC))
    if paid:
        return paid.model_copy(update={"requeued": requeued, "usage": ()})  # already booked
    fields: dict[str, Any] = {
        "id": row["id"],
        "attempt": row["attempt"],
        "submitted_at": row["submitted_at"],
        "submitted_by": row["submitted_by"] or SOURCE,
        "requeued": requeued,
    }
    if row["kind"] == "article":
        return ArticleSubmitted(**fields, urn=row["name"], input_hash=row["input_hash"])
    return TopicSubmitted(**fields, title=row["name"], legacy_id=row["legacy_id"])
