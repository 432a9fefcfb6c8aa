"""Paging by cursor while topics are added, changed and removed: unchanged ones are returned exactly once."""

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from contract.memory_broker.transport import MemoryTransport
from factories import BEGAN, record, removed, topic_submitted
from integration.event_history import SubmissionHistory, in_batches
from integration.projected import Projected

from api.projection.cursor import cursor_after, place_of
from api.projection.filters import SubmissionQuery
from api.projection.pages import ORDERS
from api.projection.repository import ProjectionQueries
from shared.db.engine import open_reader
from shared.messaging.cloudevents import Record

LASTING = [f"Lasting {n}" for n in range(120)]
FLEETING = [f"Fleeting {n}" for n in range(40)]
NEVER_MOVES = {"created_at", "title"}


def submitted_record(title: str, attempt: int, seconds: float) -> Record:
    """A submission this long after BEGAN."""
    time = BEGAN + timedelta(seconds=seconds)
    return record(topic_submitted(title, attempt, submitted_at=time), time)


def records_of(title: str, chance: random.Random) -> list[Record]:
    """The events of a topic that is completed, failed or in progress."""
    records = SubmissionHistory(title, chance).generate()
    return [kept for kept in records if "TopicRemoved" not in kept.headers["ce_type"]]


class ConcurrentChanges:
    """Changes everything except `stays` between two pages."""

    def __init__(self, projected: Projected, chance: random.Random, stays: set[str]) -> None:
        self._projected = projected
        self._chance = chance
        self._moving = [title for title in LASTING if title not in stays]
        self._fleeting = list(FLEETING)
        self._now = 1e6
        self._position = 1_000_000

    async def __call__(self) -> None:
        self._now += 1
        records = [
            submitted_record(title, 9, self._now)
            for title in self._chance.sample(self._moving, min(9, len(self._moving)))
        ]
        records += [submitted_record(f"New {self._now} {n}", 1, self._now) for n in range(3)]
        if self._fleeting:
            records.append(record(removed(self._fleeting.pop(), attempt=99)))
        self._position += len(records)
        await self._projected.project(in_batches(records, 100, start=self._position))


@pytest.fixture
async def filled(projected: Projected) -> Projected:
    chance = random.Random(4)
    records = [one for title in (*LASTING, *FLEETING) for one in records_of(title, chance)]
    await projected.project(in_batches(records, 200))
    return projected


@pytest.mark.slow
@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("sort_by", ORDERS)
@pytest.mark.parametrize("facets", [{}, {"tag": "all"}], ids=["all", "by tag"])
async def test_paging_returns_unchanged_topics_exactly_once_despite_concurrent_changes(
    filled: Projected, sort_by: str, ascending: bool, facets: dict[str, str]
) -> None:
    reader = open_reader(filled.url)
    queries = ProjectionQueries(reader, MemoryTransport())
    query = SubmissionQuery(facets=facets, sort_by=sort_by, ascending=ascending)
    there = {row["name"] for row in (await queries.page(query, limit=1000)).rows} & set(LASTING)
    stays = there if sort_by in NEVER_MOVES else set(random.Random(1).sample(sorted(there), len(there) // 2))
    changes = ConcurrentChanges(filled, random.Random(2), stays if sort_by not in NEVER_MOVES else set())
    seen: Counter[str] = Counter()
    cursor: str | None = None
    while True:
        after, total = place_of(cursor, query) if cursor else (None, None)
        page = await queries.page(replace(query, after=after), limit=7, total=total)
        seen.update(row["name"] for row in page.rows)
        if len(page.rows) < 7 or seen.total() > 1000:
            break
        cursor = cursor_after(query, page.rows[-1], page.total)
        await changes()
    await reader.close()
    assert len(stays) > 20
    assert {title: seen[title] for title in stays} == dict.fromkeys(stays, 1)
