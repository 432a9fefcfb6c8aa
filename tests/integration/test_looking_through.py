"""Filters that no index helps: a page looks at a bounded number of rows, and the pages together find everything."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from contract.memory_broker.transport import MemoryTransport
from factories import BEGAN
from integration.event_history import in_batches
from integration.projected import Projected
from integration.sample_topics import COMPLETED, FAILED, PROCESSING, sample_records

from api.projection import pages
from api.projection.cursor import cursor_after, place_of
from api.projection.filters import SubmissionQuery, TimeRange
from api.projection.pages import ORDERS, Page
from api.projection.repository import ProjectionQueries
from shared.db.engine import open_reader

LOOK = 7
FILTERS: list[tuple[dict[str, Any], set[str]]] = [
    ({"error_contains": "NO failed 0"}, {name for name in FAILED if name.startswith("Failed 0")}),
    ({"worker": "worker-1", "status": "processing"}, set(PROCESSING)),
    ({"worker": "nobody"}, set()),
    ({"simulated": True}, set(COMPLETED)),
    ({"simulated": True, "facets": {"category": "security"}}, {name for n, name in enumerate(COMPLETED)}),
]


@pytest.fixture
async def queries(projected: Projected, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ProjectionQueries]:
    monkeypatch.setattr(pages, "MOST_LOOKED_AT", LOOK)
    await projected.project(in_batches(sample_records(), 50))
    reader = open_reader(projected.url)
    yield ProjectionQueries(reader, MemoryTransport())
    await reader.close()


async def every_page(queries: ProjectionQueries, query: SubmissionQuery, limit: int) -> list[Page]:
    found = [await queries.page(query, limit=limit)]
    while last := found[-1].last:
        after, total = place_of(cursor_after(query, last, found[0].total), query)
        found.append(await queries.page(replace(query, after=after), limit=limit, total=total))
        assert len(found) < 100
    return found


@pytest.mark.parametrize("sort_by", ORDERS)
@pytest.mark.parametrize(("filters", "expected"), FILTERS, ids=[str(filters) for filters, _ in FILTERS])
@pytest.mark.parametrize("limit", [3, 50])
async def test_the_pages_together_have_every_match_once_in_order(
    queries: ProjectionQueries, filters: dict[str, Any], expected: set[str], sort_by: str, limit: int
) -> None:
    query = SubmissionQuery(**filters, sort_by=sort_by)
    found = await every_page(queries, query, limit)
    names = [row["name"] for page in found for row in page.rows]
    everything = [row["name"] for row in (await queries.page(SubmissionQuery(sort_by=sort_by), limit=100)).rows]
    assert names == [name for name in everything if name in set(names)]
    assert set(names) <= expected
    assert "facets" in filters or set(names) == expected
    assert all(len(page.rows) <= min(limit, LOOK) for page in found)


async def test_the_total_is_what_the_first_page_has_seen(queries: ProjectionQueries) -> None:
    first = await queries.page(SubmissionQuery("failed", error_contains="no"), limit=2)
    assert (len(first.rows), first.total.number, first.total.is_capped) == (2, LOOK, True)
    few = await queries.page(SubmissionQuery("processing", worker="worker-1"), limit=2)
    assert (few.total.number, few.total.is_capped) == (len(PROCESSING), False)


async def test_times_of_the_order_are_read_from_its_index_and_counted(queries: ProjectionQueries) -> None:
    """Ten topics were submitted each second, so more than a page looks at otherwise."""
    between = TimeRange(BEGAN + timedelta(seconds=1), BEGAN + timedelta(seconds=3))
    page = await queries.page(SubmissionQuery(created=between), limit=100)
    assert (len(page.rows), page.total.number, page.total.is_capped, page.last) == (20, 20, False, None)
    assert {row["created_at"] for row in page.rows} == {BEGAN + timedelta(seconds=n) for n in (1, 2)}
    looked = await every_page(queries, SubmissionQuery(created=between, sort_by="title"), 100)
    assert {row["id"] for page in looked for row in page.rows} == {row["id"] for row in page.rows}
