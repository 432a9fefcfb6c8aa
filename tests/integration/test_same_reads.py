"""SQLite and PostgreSQL answer every query of the API alike, in the same order; and keep the API's own tables alike."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from contract.memory_broker.transport import MemoryTransport
from factories import BEGAN
from integration.databases import sqlite_in
from integration.event_history import history, in_batches
from integration.projected import Projected
from integration.sample_topics import COMPLETED, TITLES, sample_records

from api.access.api_keys import ApiKeys, NameTaken, NoSuchKey
from api.access.dismissed_failures import DismissedFailures
from api.projection.filters import SubmissionQuery, TimeRange
from api.projection.pages import ORDERS
from api.projection.repository import ProjectionQueries
from shared.db.engine import Database, open_access, open_reader
from shared.db.migrate import migrate
from shared.ids import topic_id

FILTERS: list[dict[str, Any]] = [
    {},
    {"status": "failed"},
    {"status": "completed", "facets": {"tag": "all"}},
    {"facets": {"tag": "tag 1", "technology": "Kafka"}},
    *({"search": text} for text in ("100%", "snake_case", "STRASSE", "back\\slash", "数据库", 'O\'Reilly "X"', "d 1")),
    {"search": "completed", "facets": {"category": "security"}, "status": "completed"},
    {"created": TimeRange(BEGAN, BEGAN + timedelta(seconds=3))},
    {"updated": TimeRange(BEGAN + timedelta(seconds=5)), "status": "failed"},
    {"created": TimeRange(end=BEGAN + timedelta(seconds=3)), "facets": {"tag": "all"}},
    {"worker": "worker-1", "submitted_by": "local"},
    {"error_contains": "NO failed"},
    {"simulated": True, "search": "d 1"},
]


@pytest.fixture
async def both(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[ProjectionQueries]]:
    """The same events in each."""
    urls = (sqlite_in(tmp_path_factory.mktemp("sqlite")), postgres_url)
    for url in urls:
        projected = await Projected(url).open()
        await projected.project(in_batches([*sample_records(), *history(80)], 100))
        await projected.close()
    readers = [open_reader(url) for url in urls]
    yield [ProjectionQueries(reader, MemoryTransport()) for reader in readers]
    for reader in readers:
        await reader.close()


async def answers(both: list[ProjectionQueries], ask: Callable[[ProjectionQueries], Any]) -> Any:
    """The answer of both, which must be the same."""
    sqlite, postgresql = [await ask(queries) for queries in both]
    assert sqlite == postgresql
    return sqlite


@pytest.mark.parametrize("filters", FILTERS, ids=str)
async def test_pages_are_the_same_in_every_order(both: list[ProjectionQueries], filters: dict[str, Any]) -> None:
    for sort_by, ascending in product(ORDERS, (False, True)):
        query = SubmissionQuery(**filters, sort_by=sort_by, ascending=ascending)

        async def page(queries: ProjectionQueries, query: SubmissionQuery = query) -> Any:
            found = await queries.page(query, limit=100)
            return [dict(row) for row in found.rows], found.total

        rows, total = await answers(both, page)
        assert len(rows) == min(total.number, 100) > 0


async def test_all_other_queries_have_the_same_answers(both: list[ProjectionQueries]) -> None:
    ids = {topic_id(title) for title in (*TITLES, "unknown", "Topic 1, attempt 1")}
    until = BEGAN + timedelta(days=100)
    assert await answers(both, lambda q: q.find(ids))
    assert await answers(both, lambda q: q.counts("topic"))
    assert await answers(both, lambda q: q.stats("category", "complexity", "tag"))
    assert await answers(both, lambda q: q.facet_values(["category", "tag", "company", "technology"]))
    assert await answers(both, lambda q: q.recent_failures("topic", 10))
    assert await answers(both, lambda q: q.failed_topics(until, None, 10, "NO FAILED 0"))
    assert await answers(both, lambda q: q.failed_topics(until, (BEGAN + timedelta(hours=1), "5"), 10))
    assert await answers(both, lambda q: q.submission("topic", topic_id(COMPLETED[0])))
    assert await answers(both, lambda q: q.submission("topic", "374"))
    assert await answers(both, lambda q: q.attempt_of(topic_id(COMPLETED[0]))) == (1, "completed")
    assert await answers(both, lambda q: q.position())
    assert len(await answers(both, lambda q: q.usage("2026-04-30"))) > 3
    assert not await answers(both, lambda q: q.usage("2026-05-09"))
    for id_ in map(topic_id, (*COMPLETED[:3], *(f"Topic {n}" for n in range(5)))):

        async def history_of(queries: ProjectionQueries, id_: str = id_) -> Any:
            return await queries.history(id_, 100)

        assert await answers(both, history_of)
    assert await answers(both, lambda q: q.submission("topic", "zero \0 id")) is None
    assert await answers(both, lambda q: q.dead_letters()) == 0


@pytest.fixture
async def access(database_url: str) -> AsyncIterator[Database]:
    access = open_access(database_url)
    await migrate(access, "access")
    yield access
    await access.close()


async def test_concurrent_dismissals_of_failures_are_stored(access: Database) -> None:
    seen = DismissedFailures(access)
    assert await seen.up_to() is None
    await asyncio.gather(*(seen.mark(BEGAN) for _ in range(8)))
    await seen.mark(BEGAN + timedelta(hours=1))
    assert await seen.up_to() == BEGAN + timedelta(hours=1)


async def test_a_name_belongs_to_one_key_until_it_is_revoked(access: Database) -> None:
    keys = ApiKeys(access)
    key, secret = await keys.create("someone", ["read"])
    with pytest.raises(NameTaken):
        await keys.create("someone", ["submit"])
    assert await keys.live() == [key]
    assert key.is_opened_by(secret.split("_", 2)[2])
    assert (await keys.revoke("someone")).revoked_at
    with pytest.raises(NoSuchKey):
        await keys.revoke("someone")
    again, _ = await keys.create("someone", ["submit"])
    assert [found.id for found in await keys.all()] == [key.id, again.id]
