"""A projection of many topics, written with the projector's own statements: many facets, cards of 300 bytes.

Without history and usage, which no list reads. What is there already is kept, so that a run can be resumed.
"""

import asyncio
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from shared.db.engine import open_writer
from shared.db.facets import facets_of
from shared.db.migrate import migrate
from shared.db.tables import submissions
from shared.ids import derived_id, normal, topic_id
from shared.status import COMPLETED, FAILED, PENDING
from status_projector import statements
from status_projector.bulk_statements import Writes
from status_projector.statements import CountDelta, CountKey, FacetRow
from status_projector.submission_state import NewContent, State, counted

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
BATCH = 50_000
SUBJECTS = ("Consistent hashing", "Write-ahead logs", "Leader election", "Bloom filters", "Backpressure", "Sagas")
ASPECTS = ("in practice", "from scratch", "at scale", "and its failures", "on one machine", "over slow networks")
LEVELS = ("beginner", "intermediate", "advanced", "expert")
DESCRIPTION = "It keeps the write path short."


async def make(url: str, rows: int) -> None:
    """As many as are missing to `rows`."""
    writer = open_writer(url)
    await migrate(writer, "projection")
    first = await writer.run(lambda connection: connection.scalar(select(func.count()).select_from(submissions)) or 0)
    for start in range(first, rows, BATCH):
        batch = list(topics(start, min(start + BATCH, rows), rows))
        await writer.run(lambda connection, batch=batch, start=start: _store(connection, batch, start))  # type: ignore[misc]
        print(f"  {start + len(batch):,} of {rows:,} topics written", file=sys.stderr)
    await writer.close()


def topics(start: int, end: int, rows: int) -> Iterator[tuple[State, dict[str, Any] | None]]:
    """Those from number `start` up to `end`, the same ones each time; each with its card, if it is completed."""
    chance = random.Random(start)
    for n in range(start, end):
        title = f"{chance.choice(SUBJECTS)} {chance.choice(ASPECTS)} {n}"
        submitted_at = BEGAN + timedelta(seconds=n / 4)
        status, rank = ("completed", COMPLETED) if n % 100 < 97 else ("failed", FAILED)
        if n % 100 == 99:
            status, rank = "pending", PENDING
        state = State(topic_id(title), "topic", 0, title, normal(title), None, 1, rank, status)
        state.created_at = state.submitted_at = state.updated_at = submitted_at
        state.submitted_by = "bench"
        if status != "pending":
            _end(state, submitted_at, timedelta(seconds=chance.randint(2, 60)))
        card = _card(title, chance, rows) if status == "completed" else None
        if card:
            state.content_attempt, state.content_at, state.content_run = 1, state.ended_at, state.run
            state.content_id, state.difficulty, state.simulated = state.id, card["difficulty"], True
        yield state, card


def _end(state: State, submitted_at: datetime, took: timedelta) -> None:
    state.run, state.worker, state.tries = derived_id(state.id), "worker-1", 1
    state.started_at, state.ended_at, state.updated_at = submitted_at, submitted_at + took, submitted_at + took
    if state.status == "failed":
        state.error_code, state.error_message = "refused", "Gemini refused the title (SAFETY)"


def _card(title: str, chance: random.Random, rows: int) -> dict[str, Any]:
    """Rare values are chosen so that each is on at least 40 cards."""
    some = chance.randrange
    return {
        "title": title,
        "description": DESCRIPTION,
        "category": f"category {some(9)}",
        "subcategory": f"sub {some(min(40, rows // 40))}",
        "company": f"company {some(min(300, rows // 40))}",
        "complexity_level": chance.choice(LEVELS),
        "tags": [f"tag {some(min(3000, 3 * rows // 40))}" for _ in range(3)],
        "technologies": [f"tech {some(min(500, 3 * rows // 40))}" for _ in range(3)],
        "difficulty": 1 + some(10),
    }


def _store(connection: Connection, batch: list[tuple[State, dict[str, Any] | None]], start: int) -> None:
    """As the projector stores a batch."""
    facets: list[FacetRow] = [
        (*facet, state.created_at, state.id) for state, card in batch for facet in facets_of(card)
    ]
    counts: dict[CountKey, CountDelta] = defaultdict(CountDelta)
    for state, _ in batch:
        moved = counts[state.kind, state.partition, state.status]
        moved.submissions += 1
        _, milliseconds = counted(state.status, state.started_at, state.ended_at)
        moved.timed += milliseconds is not None
        moved.milliseconds += milliseconds or 0
    writes = Writes()
    statements.put_states(connection, writes, {state.id: state for state, _ in batch}, known=())
    statements.put_contents(connection, writes, {state.id: NewContent(card) for state, card in batch if card})
    statements.update_facets(writes, facets, [], {0: Counter((facet, value) for facet, value, *_ in facets)})
    statements.update_counts(writes, counts)
    writes.execute(connection)
    statements.move_positions(connection, [(0, start // BATCH + 1, {}, batch[-1][0].updated_at)])


if __name__ == "__main__":
    folder, size = Path(sys.argv[1]), int(sys.argv[2])
    asyncio.run(make(f"sqlite:///{folder}/topicflow.db", size))
