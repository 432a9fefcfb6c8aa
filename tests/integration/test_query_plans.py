"""The API's queries on a projection of some size: each uses an index, none sorts or scans what it does not show."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from integration.projected import Projected
from integration.stories import BEGAN, in_batches
from sqlalchemy import Connection, event

from api.projection import COUNT_AT_MOST, ProjectionQueries, Wanted
from shared.db.engine import Database, open_reader
from shared.events import TopicSubmitted, topic_id
from shared.wire import Record, encode

SIZE = COUNT_AT_MOST + 50
IDS = {topic_id(f"Topic {n}") for n in range(500)}


@dataclass
class Asked:
    """The queries on a filled projection, and the plan of each that was run."""

    queries: ProjectionQueries
    database: Database
    statements: list[tuple[str, Any]] = field(default_factory=list)

    async def plans(self) -> list[str]:
        def explain(connection: Connection) -> list[str]:
            return [
                detail
                for statement, values in list(self.statements)
                if statement.startswith("SELECT")
                for *_, detail in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]

        return await self.database.run(explain)


def _submitted(n: int) -> Record:
    at = BEGAN + timedelta(seconds=n // 7)
    title = f"Topic {n}"
    submitted = TopicSubmitted(id=topic_id(title), attempt=1, title=title, submitted_at=at, submitted_by="local")
    return encode(submitted, source="test")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Projected:
    projected = Projected(tmp_path_factory.mktemp("filled"))

    async def fill() -> None:
        await (await projected.open()).project(in_batches([_submitted(n) for n in range(SIZE)], 5000))
        await projected.close()

    asyncio.run(fill())
    return projected


@pytest.fixture
async def asked(filled: Projected) -> AsyncIterator[Asked]:
    database = open_reader(filled.url)
    asked = Asked(ProjectionQueries(database), database)

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        asked.statements.append((statement, values))

    event.listen(database._engine, "before_cursor_execute", note)
    yield asked
    await database.close()


Ask = Callable[[ProjectionQueries], Awaitable[Any]]
AFTER = (BEGAN + timedelta(seconds=500), "5")


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda q: q.topics(Wanted(), limit=20, offset=0), "submissions_newest (kind=?)"),
        (
            lambda q: q.topics(Wanted(after=AFTER), limit=20, offset=0),
            "submissions_newest (kind=? AND (created_at,id)<(?,?))",
        ),
        (
            lambda q: q.topics(Wanted(status="failed"), limit=20, offset=0),
            "submissions_by_status (kind=? AND status=?)",
        ),
        (
            lambda q: q.topics(Wanted("pending", after=AFTER), limit=20, offset=0),
            "submissions_by_status (kind=? AND status=? AND (created_at,id)<(?,?))",
        ),
        (lambda q: q.topics(Wanted(search="nothing"), limit=20, offset=0), "submissions_newest (kind=?)"),
        (lambda q: q.recent_failures("topic", 10), "submissions_by_end (kind=? AND status=?)"),
        (lambda q: q.find(IDS), "submissions_by_content (content_id=?)"),
        (lambda q: q.topic(topic_id("Topic 7")), "sqlite_autoindex_submissions_1 (id=?)"),
        (lambda q: q.topic("374"), "submissions_by_legacy_id (kind=? AND legacy_id=?)"),
        (lambda q: q.attempt_of(topic_id("Topic 7")), "sqlite_autoindex_submissions_1 (id=?)"),
        (lambda q: q.counts("topic"), "sqlite_autoindex_status_counts_1 (kind=?)"),
    ],
    ids=[
        "list",
        "cursor",
        "status",
        "status and cursor",
        "search",
        "failures",
        "find",
        "id",
        "old id",
        "attempt",
        "counts",
    ],
)
async def test_each_query_uses_an_index_and_neither_scans_nor_sorts(asked: Asked, ask: Ask, index: str) -> None:
    await ask(asked.queries)
    plans = await asked.plans()
    assert any(index in plan for plan in plans), plans
    assert not [plan for plan in plans if plan.startswith("SCAN") and "anon" not in plan], plans
    assert not [plan for plan in plans if "TEMP B-TREE FOR ORDER BY" in plan], plans


async def test_a_page_costs_the_same_number_of_queries_however_many_topics_it_shows(asked: Asked) -> None:
    costs = []
    for limit in (1, 100):
        asked.statements.clear()
        await asked.queries.topics(Wanted(), limit=limit, offset=0)
        costs.append(len(asked.statements))
    assert costs[0] == costs[1]


async def test_without_a_search_any_number_is_counted_and_with_one_counting_stops_at_ten_thousand(asked: Asked) -> None:
    page = await asked.queries.topics(Wanted(), limit=1, offset=0)
    assert (page.total, page.is_capped) == (SIZE, False)
    page = await asked.queries.topics(Wanted(search="topic"), limit=1, offset=0)
    assert (page.total, page.is_capped) == (COUNT_AT_MOST, True)
    page = await asked.queries.topics(Wanted(search="topic 100"), limit=1, offset=0)
    assert (page.total, page.is_capped) == (1 + 10 + 50, False)  # 100, 1000 to 1009, 10000 to 10049
