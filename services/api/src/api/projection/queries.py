"""SQL of the projection, built once because building a query took longer than running it; run by `repository.py`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, func, literal, literal_column, or_, select, tuple_

from api.projection.filters import VISIBLE
from shared.db.array_params import one_of
from shared.db.tables import (
    UtcTime,
    contents,
    dead_letters,
    ends,
    facet_counts,
    history,
    positions,
    status_counts,
    submissions,
    usage,
    usage_totals,
)

MOST_OPTIONS = 1_000  # most used values per facet
_C = submissions.c
_FAILED = _C.status == literal_column("'failed'")  # exactly as the condition of its index
_KIND: BindParameter[str] = bindparam("kind")
_LIMIT: BindParameter[int] = bindparam("limit")


_JUDGED = (_C.id, _C.name, _C.status, _C.attempt, _C.legacy_id, _C.simulated, _C.input_hash, _C.ended_at)
FIND = select(*_JUDGED, _C.content_id).where(or_(one_of(_C.id), and_(one_of(_C.content_id), VISIBLE)))
_SUBMISSION = (
    select(submissions, contents.c.content)
    .outerjoin(contents, contents.c.id == _C.id)
    .where(_C.kind == _KIND, VISIBLE)
    .limit(1)
)
SUBMISSION = _SUBMISSION.where(_C.id == bindparam("id"))
SUBMISSION_BY_LEGACY_ID = _SUBMISSION.where(_C.legacy_id == bindparam("legacy_id"))
_TOPICS = select(_C.id, _C.legacy_id, _C.name, _C.status, _C.attempt).where(_C.kind == "topic", VISIBLE)
TOPICS = _TOPICS.where(one_of(_C.id))
TOPICS_BY_LEGACY_ID = _TOPICS.where(_C.legacy_id.in_(bindparam("legacy_ids", expanding=True)))
ATTEMPT = select(_C.attempt, _C.status).where(_C.id == bindparam("id"))
RECENT_FAILURES = (
    select(_C.id, _C.name.label("title"), _C.error_message, _C.created_at, _C.ended_at)
    .where(_C.kind == _KIND, _FAILED)
    .order_by(_C.ended_at.desc(), _C.id.desc())
    .limit(_LIMIT)
)
FAILED_TOPICS = (
    select(_C.id, _C.name, _C.attempt, _C.ended_at)
    .where(_C.kind == "topic", _FAILED, _C.ended_at <= bindparam("until", type_=UtcTime()))
    .order_by(_C.ended_at, _C.id)
    .limit(_LIMIT)
)
COUNTS = (
    select(status_counts.c.status, func.sum(status_counts.c.submissions).label("n"))
    .where(status_counts.c.kind == _KIND)
    .group_by(status_counts.c.status)
)
ENDS = select(ends.c.ended, func.sum(ends.c.attempts).label("n")).where(ends.c.kind == _KIND).group_by(ends.c.ended)
POSITIONS = select(positions)
DEAD_LETTERS = select(func.count().label("n")).select_from(dead_letters)


def failed_topics_after(query: Select[Any], ended_at: datetime, id_: str) -> Select[Any]:
    return query.where(tuple_(_C.ended_at, _C.id) > tuple_(literal(ended_at, UtcTime()), literal(id_)))


def whose_error_has(query: Select[Any], text: str) -> Select[Any]:
    return query.where(_C.error_message.icontains(text, autoescape=True))


def _history() -> Select[Any]:
    """Newest first, with the cost of each."""
    h, u = history.c, usage.c
    columns = (h.event, h.attempt, h.time, h.run, h.worker, h.error)
    sums = (func.sum(column).label(column.name) for column in (u.tokens_in, u.tokens_out, u.cost))
    return (
        select(*columns, func.max(u.model).label("model"), *sums)
        .outerjoin(usage, and_(u.id == h.id, u.run == h.run, u.time == h.time))
        .where(h.id == bindparam("id"))
        .group_by(h.event_id, *columns)
        .order_by(h.time.desc(), h.attempt.desc(), h.event_id)
        .limit(_LIMIT)
    )


def _sums_by_status() -> Select[Any]:
    c = status_counts.c
    sums = (func.sum(column) for column in (c.submissions, c.timed, c.milliseconds))
    return select(c.status, *sums).where(c.kind == _KIND).group_by(c.status)


def _sums_by_facet() -> Select[Any]:
    f = facet_counts.c
    facets: BindParameter[Sequence[str]] = bindparam("facets", expanding=True)
    sums = select(f.facet, f.value, func.sum(f.submissions)).where(f.facet.in_(facets))
    return sums.group_by(f.facet, f.value).having(func.sum(f.submissions) > 0).order_by(f.value)


def _values_of_facet() -> Select[Any]:
    """The most used values."""
    f, n = facet_counts.c, func.sum(facet_counts.c.submissions)
    values = select(f.value).where(f.facet == bindparam("facet")).group_by(f.value).having(n > 0)
    return values.order_by(n.desc(), f.value).limit(MOST_OPTIONS)


def _usage() -> Select[Any]:
    """Newest day first."""
    c = usage_totals.c
    key = (c.day, c.kind, c.model, c.priced_as, c.simulated, c.wasted)
    amounts = [column for column in c if not column.primary_key]
    sums = (func.sum(column).label(column.name) for column in amounts)
    query = select(*key, *sums).where(c.day >= bindparam("since")).group_by(*key).having(func.sum(c.sixtieths) != 0)
    return query.order_by(c.day.desc(), c.kind, c.model, c.priced_as, c.simulated, c.wasted)


HISTORY = _history()
USAGE = _usage()
SUMS_BY_STATUS = _sums_by_status()
SUMS_BY_FACET = _sums_by_facet()
VALUES_OF_FACET = _values_of_facet()
