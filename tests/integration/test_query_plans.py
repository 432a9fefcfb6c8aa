"""The API's queries on a projection of some size: each uses an index, none sorts or scans what it does not show."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from integration.databases import sqlite_in
from integration.projected import Projected
from integration.stories import BEGAN, in_batches
from sqlalchemy import Connection, event

from api.projection import ProjectionQueries
from api.topic_filters import FEW, Wanted
from api.topic_pages import COUNT_AT_MOST, ORDERS, Total
from shared.db.engine import Database, open_reader
from shared.events import SubmissionCompleted, TopicSubmitted, topic_id
from shared.wire import Record, encode

SIZE = COUNT_AT_MOST + 50
COMPLETED = FEW + 500
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


def _told(n: int) -> Record:
    """All were submitted; the first ones are completed, of one category and many companies."""
    title = f"Topic {n}"
    about: dict[str, Any] = {"id": topic_id(title), "attempt": 1, "title": title}
    about["submitted_at"] = BEGAN + timedelta(seconds=n // 7)
    if n >= COMPLETED:
        return encode(TopicSubmitted(**about, submitted_by="local"), source="test")
    content = {"title": title, "category": "databases", "company": f"Company {n % 50}", "difficulty": n % 10 + 1}
    completed = SubmissionCompleted(**about, kind="topic", run=title, worker="w", content=content)
    return encode(completed, source="test")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Projected:
    projected = Projected(sqlite_in(tmp_path_factory.mktemp("filled")))

    async def fill() -> None:
        await (await projected.open()).project(in_batches([_told(n) for n in range(SIZE)], 5000))
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
MANY = {"category": "databases"}
RARE = {"company": "Company 7"}


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda q: q.topics(Wanted(), limit=20), "submissions_newest (kind=?)"),
        (lambda q: q.topics(Wanted(after=AFTER), limit=20), "submissions_newest (kind=? AND (created_at,id)<(?,?))"),
        (
            lambda q: q.topics(Wanted(after=AFTER, ascending=True), limit=20),
            "submissions_newest (kind=? AND (created_at,id)>(?,?))",
        ),
        (
            lambda q: q.topics(Wanted(sort_by="updated_at", after=AFTER), limit=20),
            "submissions_by_update (kind=? AND (updated_at,id)<(?,?))",
        ),
        (
            lambda q: q.topics(Wanted(sort_by="title", after=("topic 5", "5")), limit=20),
            "submissions_by_title (kind=? AND (title_normal,id)<(?,?))",
        ),
        (
            lambda q: q.topics(Wanted(sort_by="status", after=("pending", *AFTER)), limit=20),
            "submissions_by_status (kind=? AND (status,created_at,id)<(?,?,?))",
        ),
        (
            lambda q: q.topics(Wanted(sort_by="difficulty", after=(5, *AFTER)), limit=20),
            "submissions_by_difficulty (kind=? AND (difficulty,created_at,id)<(?,?,?))",
        ),
        (lambda q: q.topics(Wanted("failed"), limit=20), "submissions_by_status (kind=? AND status=?)"),
        (
            lambda q: q.topics(Wanted("pending", after=AFTER), limit=20),
            "submissions_by_status (kind=? AND status=? AND (created_at,id)<(?,?))",
        ),
        (lambda q: q.topics(Wanted("pending", sort_by="title"), limit=20), "submissions_by_title (kind=?)"),
        (lambda q: q.topics(Wanted(search="nothing"), limit=20), "COVERING INDEX submissions_by_title (kind=?)"),
        (lambda q: q.topics(Wanted(search="topic"), limit=20), "submissions_newest (kind=?)"),
        (lambda q: q.topics(Wanted(facets=MANY), limit=20), "facets USING PRIMARY KEY (facet=? AND value=?)"),
        (
            lambda q: q.topics(Wanted("completed", facets=MANY, after=AFTER), limit=20),
            "facets USING PRIMARY KEY (facet=? AND value=? AND (created_at,id)<(?,?))",
        ),
        (
            lambda q: q.topics(Wanted(facets=MANY, sort_by="title"), limit=20),
            "other USING PRIMARY KEY (facet=? AND value=? AND created_at=? AND id=?)",
        ),
        (
            lambda q: q.topics(Wanted("completed", facets=MANY, sort_by="updated_at"), limit=20),
            "submissions_by_update (kind=?)",
        ),
        (lambda q: q.recent_failures("topic", 10), "submissions_failed (kind=?)"),
        (lambda q: q.failed_topics(BEGAN, AFTER, 500), "submissions_failed (kind=? AND (ended_at,id)>(?,?)"),
        (lambda q: q.find(IDS), "submissions_by_content (content_id=?)"),
        (lambda q: q.topic(topic_id("Topic 7")), "sqlite_autoindex_submissions_1 (id=?)"),
        (lambda q: q.topic("374"), "submissions_by_legacy_id (kind=? AND legacy_id=?)"),
        (lambda q: q.attempt_of(topic_id("Topic 7")), "sqlite_autoindex_submissions_1 (id=?)"),
        (lambda q: q.history(topic_id("Topic 7"), 200), "history USING PRIMARY KEY (id=?)"),
        (lambda q: q.history(topic_id("Topic 7"), 200), "usage USING PRIMARY KEY (id=?)"),
        (lambda q: q.counts("topic"), "status_counts_1 (kind=?)"),
    ],
)
async def test_each_query_uses_an_index_and_neither_scans_nor_sorts(asked: Asked, ask: Ask, index: str) -> None:
    await ask(asked.queries)
    plans = await asked.plans()
    assert any(index in plan for plan in plans), plans
    assert not [plan for plan in plans if plan.startswith("SCAN") and "anon" not in plan], plans
    assert "history" in index or "usage" in index or not _sorts(plans), plans  # one submission's events are few


def _sorts(plans: list[str]) -> list[str]:
    return [plan for plan in plans if "TEMP B-TREE FOR ORDER BY" in plan]


@pytest.mark.parametrize("sort_by", ORDERS)
async def test_what_few_have_is_looked_up_first_whatever_the_order(asked: Asked, sort_by: str) -> None:
    for filters in (
        Wanted(facets=RARE | MANY, sort_by=sort_by),
        Wanted("completed", facets=RARE, sort_by=sort_by),
        Wanted("completed", search="topic 7", facets=RARE, sort_by=sort_by),
        Wanted(search="topic 100", sort_by=sort_by),
    ):
        asked.statements.clear()
        page = await asked.queries.topics(filters, limit=100)
        assert len(page.rows) == page.total.number > 0
        plans = [plan for plan in await asked.plans() if "submissions" in plan and "COVERING" not in plan]
        [first, *_] = plans
        assert "submissions USING INDEX sqlite_autoindex_submissions_1 (id=?)" in first


async def test_a_page_costs_the_same_number_of_queries_however_many_topics_it_shows(asked: Asked) -> None:
    costs = []
    for limit in (1, 100):
        asked.statements.clear()
        await asked.queries.topics(Wanted(), limit=limit)
        costs.append(len(asked.statements))
    assert costs[0] == costs[1]


async def test_without_a_search_any_number_is_counted_and_with_one_counting_stops_at_ten_thousand(asked: Asked) -> None:
    for wanted, total in (
        (Wanted(), Total(SIZE)),
        (Wanted("completed"), Total(COMPLETED)),
        (Wanted(search="topic"), Total(COUNT_AT_MOST, True)),
        (Wanted(search="topic 100"), Total(1 + 10 + 50)),  # 100, 1000 to 1009, 10000 to 10049
        (Wanted(facets=MANY), Total(COMPLETED)),
        (Wanted("pending", facets=MANY), Total(0)),
    ):
        assert (await asked.queries.topics(wanted, limit=1)).total == total
