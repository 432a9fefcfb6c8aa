"""The queries of the API on a large projection: each uses an index, none sorts or scans rows it does not return."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from contract.memory_broker.transport import MemoryTransport
from factories import BEGAN, completed, record, topic_submitted
from integration.databases import sqlite_in
from integration.event_history import in_batches
from integration.projected import Projected
from integration.sample_topics import PAID
from servers.postgres import own_database
from sqlalchemy import Connection, event

from api.projection.changes import Interest
from api.projection.filters import FEW, SubmissionQuery, TimeRange
from api.projection.pages import COUNT_AT_MOST, ORDERS, Total
from api.projection.repository import ProjectionQueries
from shared.db.engine import Database, open_reader
from shared.ids import topic_id
from shared.messaging.cloudevents import Record

SIZE = COUNT_AT_MOST + 50
COMPLETED = FEW + 500
LARGE = ("submissions", "contents", "facets", "history", "usage")
IDS = {topic_id(f"Topic {n}") for n in range(500)}


@dataclass
class RecordedQueries:
    """The queries on a filled projection, and the plans of the executed statements."""

    queries: ProjectionQueries
    database: Database
    explain: str
    statements: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def is_sqlite(self) -> bool:
        return "QUERY PLAN" in self.explain

    async def plans(self) -> list[str]:
        """Line by line."""

        def explain(connection: Connection) -> list[str]:
            return [
                detail
                for statement, values in list(self.statements)
                if statement.startswith("SELECT")
                for *_, detail in connection.exec_driver_sql(f"{self.explain} {statement}", values)
            ]

        return await self.database.run(explain)


def _record(n: int) -> Record:
    """Topic `n`, submitted; the first ones are completed, with one category and many companies."""
    title = f"Topic {n}"
    at = BEGAN + timedelta(seconds=n // 7)
    if n >= COMPLETED:
        return record(topic_submitted(title, submitted_at=at))
    content = {"title": title, "category": "databases", "company": f"Company {n % 50}", "difficulty": n % 10 + 1}
    return record(completed(title, run=title, submitted_at=at, content=content, usage=(PAID,)))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projected]:
    async def fill() -> None:
        await (await projected.open()).project(in_batches([_record(n) for n in range(SIZE)], 5000))
        await projected.close()

    with ExitStack() as opened:
        url = sqlite_in(tmp_path_factory.mktemp("filled"))
        if request.param == "postgresql":
            url = opened.enter_context(own_database(request.getfixturevalue("postgres_server").url))
        projected = Projected(url)
        asyncio.run(fill())
        if request.param == "postgresql":
            projected.execute("ANALYZE")  # as autovacuum does within a minute
        yield projected


@pytest.fixture
async def recorded(filled: Projected) -> AsyncIterator[RecordedQueries]:
    database = open_reader(filled.url)
    explain = "EXPLAIN QUERY PLAN" if filled.url.startswith("sqlite:") else "EXPLAIN"
    recorded = RecordedQueries(ProjectionQueries(database, MemoryTransport()), database, explain)

    def record_statement(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        recorded.statements.append((statement, values))

    event.listen(database._engine, "before_cursor_execute", record_statement)
    yield recorded
    await database.close()


Call = Callable[[ProjectionQueries], Awaitable[Any]]
AFTER = (BEGAN + timedelta(seconds=500), "5")
MANY = {"category": "databases"}
RARE = {"company": "Company 7"}


@dataclass(frozen=True)
class Plan:
    """The expected access path. `may_scan`: PostgreSQL may scan every row, for a search."""

    sqlite: str
    postgresql: str
    may_scan: bool = False


async def _newest_changes(queries: ProjectionQueries) -> object:
    """Those of the last batch."""
    now = (await queries.beginning(None, Interest())).cursor
    return await queries.changes(replace(now, versions=(now.versions[0] - 1,)), (), [Interest()])


PLANS: list[tuple[Call, Plan]] = [
    (lambda q: q.page(SubmissionQuery(), limit=20), Plan("submissions_newest (kind=?)", "submissions_newest")),
    (
        lambda q: q.page(SubmissionQuery(after=AFTER), limit=20),
        Plan("submissions_newest (kind=? AND (created_at,id)<(?,?))", "(ROW(created_at, id) < ROW("),
    ),
    (
        lambda q: q.page(SubmissionQuery(after=AFTER, ascending=True), limit=20),
        Plan("submissions_newest (kind=? AND (created_at,id)>(?,?))", "(ROW(created_at, id) > ROW("),
    ),
    (
        lambda q: q.topics(["374", topic_id("Topic 1")]),
        Plan("submissions_by_legacy_id (kind=? AND legacy_id=?)", "submissions_by_legacy_id"),
    ),
    (
        lambda q: q.page(SubmissionQuery(created=TimeRange(BEGAN, AFTER[0])), limit=20),
        Plan("submissions_newest (kind=? AND created_at>? AND created_at<?)", "submissions_newest", may_scan=True),
    ),
    (
        lambda q: q.page(SubmissionQuery(sort_by="updated_at", updated=TimeRange(BEGAN)), limit=20),
        Plan("submissions_by_update (kind=? AND updated_at>?)", "submissions_by_update", may_scan=True),
    ),
    (
        lambda q: q.page(SubmissionQuery(facets=MANY, created=TimeRange(end=AFTER[0])), limit=20),
        Plan("facets USING PRIMARY KEY (facet=? AND value=? AND created_at<?)", "facets_pkey on facets", may_scan=True),
    ),
    (
        lambda q: q.page(SubmissionQuery(error_contains="nothing"), limit=20),
        Plan("submissions_newest (kind=?)", "submissions_newest"),
    ),
    (
        lambda q: q.page(SubmissionQuery(sort_by="title", updated=TimeRange(BEGAN)), limit=20),
        Plan("submissions_by_name (kind=?)", "submissions_by_name", may_scan=True),  # the contents, which are few here
    ),
    (
        lambda q: q.page(SubmissionQuery(sort_by="updated_at", after=AFTER), limit=20),
        Plan("submissions_by_update (kind=? AND (updated_at,id)<(?,?))", "submissions_by_update"),
    ),
    (
        lambda q: q.page(SubmissionQuery(sort_by="title", after=("topic 5", "5")), limit=20),
        Plan("submissions_by_name (kind=? AND (name_normal,id)<(?,?))", "submissions_by_name"),
    ),
    (
        lambda q: q.page(SubmissionQuery(sort_by="status", after=("pending", *AFTER)), limit=20),
        Plan("submissions_by_status (kind=? AND (status,created_at,id)<(?,?,?))", "submissions_by_status"),
    ),
    (
        lambda q: q.page(SubmissionQuery(sort_by="difficulty", after=(5, *AFTER)), limit=20),
        Plan("submissions_by_difficulty (kind=? AND (difficulty,created_at,id)<(?,?,?))", "submissions_by_difficulty"),
    ),
    (
        lambda q: q.page(SubmissionQuery("failed"), limit=20),
        Plan("submissions_by_status (kind=? AND status=?)", "submissions_by_status"),
    ),
    (
        lambda q: q.page(SubmissionQuery("pending", after=AFTER), limit=20),
        Plan("submissions_by_status (kind=? AND status=? AND (created_at,id)<(?,?))", "(ROW(created_at, id) < ROW("),
    ),
    (
        lambda q: q.page(SubmissionQuery("pending", sort_by="title"), limit=20),
        Plan("submissions_by_name (kind=?)", "submissions_by_name"),
    ),
    (
        lambda q: q.page(SubmissionQuery(search="nothing"), limit=20),
        Plan("COVERING INDEX submissions_by_name (kind=?)", "~~ '%nothing%'", may_scan=True),
    ),
    (
        lambda q: q.page(SubmissionQuery(search="topic"), limit=20),
        Plan("submissions_newest (kind=?)", "submissions_newest", may_scan=True),
    ),
    (
        lambda q: q.page(SubmissionQuery(facets=MANY), limit=20),
        Plan("facets USING PRIMARY KEY (facet=? AND value=?)", "facets_pkey on facets"),
    ),
    (
        lambda q: q.page(SubmissionQuery("completed", facets=MANY, after=AFTER), limit=20),
        Plan(
            "facets USING PRIMARY KEY (facet=? AND value=? AND (created_at,id)<(?,?))",
            "(value = 'databases'::text) AND (ROW(created_at, id) < ROW(",
            may_scan=True,  # they are counted
        ),
    ),
    (
        lambda q: q.page(SubmissionQuery(facets=MANY, sort_by="title"), limit=20),
        Plan("other USING PRIMARY KEY (facet=? AND value=? AND created_at=? AND id=?)", "facets_pkey on facets other"),
    ),
    (
        lambda q: q.page(SubmissionQuery("completed", facets=MANY, sort_by="updated_at"), limit=20),
        Plan("submissions_by_update (kind=?)", "submissions_by_update", may_scan=True),
    ),
    (lambda q: q.recent_failures("topic", 10), Plan("submissions_failed (kind=?)", "submissions_failed")),
    (
        lambda q: q.failed_topics(BEGAN, AFTER, 500),
        Plan("submissions_failed (kind=? AND (ended_at,id)>(?,?)", "submissions_failed"),
    ),
    (lambda q: q.find(IDS), Plan("submissions_by_content (content_id=?)", "submissions_by_content")),
    (
        lambda q: q.submission("topic", topic_id("Topic 7")),
        Plan("sqlite_autoindex_submissions_1 (id=?)", "submissions_pkey"),
    ),
    (
        lambda q: q.submission("topic", "374"),
        Plan("submissions_by_legacy_id (kind=? AND legacy_id=?)", "submissions_by_legacy_id"),
    ),
    (
        lambda q: q.attempt_of(topic_id("Topic 7")),
        Plan("sqlite_autoindex_submissions_1 (id=?)", "submissions_pkey"),
    ),
    (lambda q: q.history(topic_id("Topic 7"), 200), Plan("history USING PRIMARY KEY (id=?)", "history_pkey")),
    (lambda q: q.history(topic_id("Topic 7"), 200), Plan("usage USING PRIMARY KEY (id=?)", "usage_pkey")),
    (_newest_changes, Plan("submissions_changed (changed_in=? AND changed>? AND changed<?)", "submissions_changed")),
    (lambda q: q.counts("topic"), Plan("status_counts_1 (kind=?)", "status_counts")),
]


@pytest.mark.parametrize(("call", "plan"), PLANS, ids=[f"{n}-{plan.sqlite}" for n, (_, plan) in enumerate(PLANS)])
async def test_each_query_uses_an_index_and_neither_scans_nor_sorts(
    recorded: RecordedQueries, call: Call, plan: Plan
) -> None:
    await call(recorded.queries)
    plans = await recorded.plans()
    read = plan.sqlite if recorded.is_sqlite else plan.postgresql
    assert any(read in line for line in plans), plans
    assert (plan.may_scan and not recorded.is_sqlite) or not [line for line in plans if _scans(line)], plans
    assert "history" in read or "usage" in read or not _sorts(plans), plans  # one submission's events are few


def _scans(plan: str) -> bool:
    """A table that grows with the submissions."""
    is_small = any(name in plan for name in ("anon", "generation", "positions"))
    return (plan.startswith("SCAN") and not is_small) or any(f"Seq Scan on {table}" in plan for table in LARGE)


def _sorts(plans: list[str]) -> list[str]:
    return [plan for plan in plans if "TEMP B-TREE FOR ORDER BY" in plan or "Sort Key" in plan]


@pytest.mark.parametrize("sort_by", ORDERS)
async def test_a_rare_filter_is_looked_up_first_in_any_order(recorded: RecordedQueries, sort_by: str) -> None:
    for filters in (
        SubmissionQuery(facets=RARE | MANY, sort_by=sort_by),
        SubmissionQuery("completed", facets=RARE, sort_by=sort_by),
        SubmissionQuery("completed", search="topic 7", facets=RARE, sort_by=sort_by),
        SubmissionQuery(search="topic 100", sort_by=sort_by),
    ):
        recorded.statements.clear()
        page = await recorded.queries.page(filters, limit=100)
        assert len(page.rows) == page.total.number > 0
        plans = await recorded.plans()
        if recorded.is_sqlite:
            first = next(plan for plan in plans if "submissions" in plan and "COVERING" not in plan)
            assert "submissions USING INDEX sqlite_autoindex_submissions_1 (id=?)" in first
        else:
            assert any("submissions_pkey" in plan for plan in plans), plans


async def test_a_page_costs_the_same_number_of_queries_for_any_number_of_topics(recorded: RecordedQueries) -> None:
    costs = []
    for limit in (1, 100):
        recorded.statements.clear()
        await recorded.queries.page(SubmissionQuery(), limit=limit)
        costs.append(len(recorded.statements))
    assert costs[0] == costs[1]


async def test_totals_are_exact_without_a_search_and_stop_at_ten_thousand_with_one(
    recorded: RecordedQueries,
) -> None:
    for query, total in (
        (SubmissionQuery(), Total(SIZE)),
        (SubmissionQuery("completed"), Total(COMPLETED)),
        (SubmissionQuery(search="topic"), Total(COUNT_AT_MOST, True)),
        (SubmissionQuery(search="topic 100"), Total(1 + 10 + 50)),  # 100, 1000 to 1009, 10000 to 10049
        (SubmissionQuery(facets=MANY), Total(COMPLETED)),
        (SubmissionQuery("pending", facets=MANY), Total(0)),
    ):
        assert (await recorded.queries.page(query, limit=1)).total == total
