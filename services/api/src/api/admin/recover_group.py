"""A group that lost its positions gets on: what it has not finished is put at the tail again, and it goes on behind.

Positions and rows are read from one moment of the projection: what is unfinished then lies before those positions, and
everything behind them the group gets itself. So nothing is missing and nothing comes twice, whatever is submitted
meanwhile. The group is placed last: a run that was killed before is repeated, and what it has put at the tail lies
before the positions of the next one.
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
from shared.events import ArticleAnnotated, ArticleSubmitted, CausesWork, Requeued, TopicSubmitted
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

PAGE = 500  # submissions in one publish
PATIENCE = 8.0  # seconds; a dead worker's heartbeats look alive for 4.5
UNFINISHED = ("pending", "processing")
SOURCE = "provision"
_S = submissions.c
_H = history.c
_COLUMNS = (
    _S.id,
    _S.kind,
    _S.attempt,
    _S.title,
    _S.submitted_at,
    _S.submitted_by,
    _S.legacy_id,
    _S.tries,
    _S.input_hash,
)
_TIMES = func.count(_H.event_id)  # it was asked for in this attempt: once, and once for each copy at the tail
_IS_ANNOTATED = (
    select(_H.id).where(_H.id == _S.id, _H.attempt == _S.attempt, _H.event == ArticleAnnotated.__name__).exists()
)
# By stream: what of it is unfinished. A scan goes on from the end: the next one finds what this one did not.
_UNFINISHED = {
    TOPIC_SUBMISSIONS.name: _S.kind == "topic",
    ARTICLE_SUBMISSIONS.name: and_(_S.kind == "article", not_(_IS_ANNOTATED)),
    ARTICLE_ANNOTATIONS.name: and_(_S.kind == "article", _IS_ANNOTATED),
    CATALOG_SCANS.name: false(),
}


class ProjectionBehind(CannotGoOn): ...


@dataclass(frozen=True, slots=True)
class ProjectedEnd:
    """Of the projection. `unfinished`: ids with their attempts, of one stream."""

    positions: Mapping[int, Positions]
    unfinished: Sequence[tuple[str, int]]


async def recover(
    lost: Lost, transport: Transport, database: Database, say: Callable[[str], None], patience: float
) -> None:
    """`patience`: seconds that the projection has to pass the end. Raises GroupInUse, ProjectionBehind."""
    await _nobody_works(transport, service_of(lost.group), say)
    ends = await transport.ends([stream.name for stream in PROJECTED])
    moment = await _projected(transport, database, lost.stream, ends, say, patience)
    say(f"{len(moment.unfinished)} submissions are not finished: they go to the tail of {lost.stream} again")
    paid = await _annotations(transport, dict(moment.unfinished)) if lost.stream == ARTICLE_ANNOTATIONS.name else {}
    for page in _pages(moment.unfinished):
        rows = await database.run(lambda connection, page=page: _rows(connection, lost.stream, page))  # type: ignore[misc]
        events = (_again(row, paid.get(row["id"])) for row in rows)
        await transport.publish([encode(event, source=SOURCE) for event in events])
    await transport.place(lost.group, lost.stream, {p: moment.positions.get(p, {}) for p in ends})


async def _annotations(transport: Transport, unfinished: Mapping[str, int]) -> dict[str, ArticleAnnotated]:
    """The paid answers of these attempts, from where they are kept: the stream that nobody has settled."""
    name = ARTICLE_ANNOTATIONS.name
    ends, reached = await transport.ends([name]), dict[int, Positions]()
    found: dict[str, ArticleAnnotated] = {}

    async def from_the_beginning(partition: int) -> Positions:
        return reached.get(partition, {})

    reader = await transport.reader(SOURCE, SOURCE, [name], from_the_beginning)
    try:
        while not transport.has_reached(reached, ends):
            batch = await reader.read(PAGE, 1.0)
            for delivery in batch.deliveries if batch else ():
                event = decode(delivery.record).event
                if isinstance(event, ArticleAnnotated) and unfinished.get(event.id) == event.attempt:
                    found[event.id] = event
            reached |= batch.positions if batch else {}
    finally:
        await reader.close()
    return found


async def _nobody_works(transport: Transport, group: str, say: Callable[[str], None]) -> None:
    """What a member still finishes would be paid for again. Our own beat tells what time it is there."""
    workers = WorkerRegistry()
    beside = [asyncio.create_task(beat(transport, SOURCE, SOURCE))]
    beside.append(asyncio.create_task(transport.follow_heartbeats(workers.note)))
    give_up = time.monotonic() + PATIENCE
    try:
        while not workers.live(SOURCE) or workers.live(group):
            if time.monotonic() > give_up:
                names = ", ".join(seen.beat.instance for seen in workers.live(group)) or "nobody knows who"
                raise GroupInUse(f"the group {group} lost its positions, but {names} still works: stop it first")
            say(f"Looking whether a {group} still works …")
            await asyncio.sleep(0.1)
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


async def _projected(
    transport: Transport,
    database: Database,
    stream: str,
    ends: Mapping[int, Positions],
    say: Callable[[str], None],
    patience: float,
) -> ProjectedEnd:
    """The first moment that has everything before the ends."""
    give_up = time.monotonic() + patience
    while not transport.has_reached((moment := await database.run(partial(_moment, stream))).positions, ends):
        if time.monotonic() > give_up:
            raise ProjectionBehind(f"the projection has not come to the end within {patience:g} s: {_NEEDED}")
        say(f"Waiting until the projection has come to the end: {_NEEDED}")
        await asyncio.sleep(0.5)
    return moment


_NEEDED = "a status-projector must run"


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
    """Those of the page that are still as they were."""
    asked_for = [event.__name__ for event in BY_NAME[stream].events]
    of_attempt = and_(_H.id == _S.id, _H.attempt == _S.attempt, _H.event.in_(asked_for))
    found = (
        select(*_COLUMNS, _TIMES.label("times"))
        .outerjoin(history, of_attempt)
        .where(one_of(_S.id), _S.status.in_(UNFINISHED))
        .group_by(*_COLUMNS)
    )
    attempts = dict(page)
    rows = connection.execute(found, {"ids": list(attempts)}).mappings()
    return [row for row in rows if row["attempt"] == attempts[row["id"]]]


def _again(row: RowMapping, paid: ArticleAnnotated | None) -> CausesWork:
    """The same attempt, with a number that no copy of it has had: one of Redis' ten minutes would be dropped."""
    requeued = Requeued(n=max(1, row["times"]), tries=row["tries"], starts=0, since=datetime.now(UTC))
    if paid:
        return paid.model_copy(update={"requeued": requeued, "usage": ()})  # which is booked already
    about: dict[str, Any] = {
        "id": row["id"],
        "attempt": row["attempt"],
        "submitted_at": row["submitted_at"],
        "submitted_by": row["submitted_by"] or SOURCE,
        "requeued": requeued,
    }
    if row["kind"] == "article":
        return ArticleSubmitted(**about, urn=row["title"], input_hash=row["input_hash"])
    return TopicSubmitted(**about, title=row["title"], legacy_id=row["legacy_id"])
