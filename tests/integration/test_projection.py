"""Batches of events into a real database: the tables are the same for any order, size and failures."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any
from zlib import crc32

import pytest
from factories import BEGAN, completed, record, started, topic_submitted, usage
from integration.event_history import history, in_batches, shuffled
from integration.projected import Projected
from sqlalchemy import Connection, event

from shared.db.engine import DatabaseUnreachable, open_reader
from shared.errors import BrokerUnreachable, NewerVersion
from shared.events import WorkerHeartbeat
from shared.messaging.broker import Batch, Delivery
from shared.messaging.cloudevents import Record, decode
from shared.streams import SUBMISSION_OUTCOMES, TOPIC_SUBMISSIONS
from status_projector.projection import PositionMoved, Projection, ProjectionPosition

HISTORY = history(60)
COUNTS = """
    SELECT status, sum(n) FROM (
        SELECT status, submissions AS n FROM status_counts
        UNION ALL SELECT status, -count(*) FROM submissions WHERE status != 'removed' GROUP BY status
    ) GROUP BY status HAVING sum(n) != 0
"""
FACET_COUNTS = """
    SELECT facet, value, sum(n) FROM (
        SELECT facet, value, submissions AS n FROM facet_counts
        UNION ALL SELECT facet, value, -count(*) FROM facets JOIN contents USING (id) GROUP BY facet, value
    ) GROUP BY facet, value HAVING sum(n) != 0
"""
New = Callable[[], Awaitable[Projected]]


# -- order, doubles and batches ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "size"), [(1, 1), (2, 7), (3, 100), (4, 5000)])
async def test_duplicate_and_shuffled_events_in_batches_of_any_size_give_equal_tables(
    new: New, seed: int, size: int
) -> None:
    in_order = await (await new()).project(in_batches(HISTORY, 1000))
    disordered = await (await new()).project(in_batches(shuffled(HISTORY, seed), size))
    assert disordered.tables == in_order.tables
    assert in_order.rows(COUNTS) == []
    assert in_order.rows(FACET_COUNTS) == []
    assert {status for status, *_ in in_order.tables["status_counts"]} >= {"pending", "failed", "completed"}


async def test_a_repeated_batch_changes_nothing(new: New) -> None:
    once = await (await new()).project(in_batches(HISTORY, 50))
    twice = await (await new()).project(batch for batch in in_batches(HISTORY, 50) for _ in (1, 2))
    assert twice.tables == once.tables


async def test_counts_equal_the_rows_at_every_commit_and_readers_are_never_locked_out(
    projected: Projected,
) -> None:
    reader = open_reader(projected.url)
    done = asyncio.Event()

    def miscounted(connection: Connection) -> list[Any]:
        return list(connection.exec_driver_sql(COUNTS))

    async def look_on() -> int:
        looks = 0
        while not done.is_set():
            assert await reader.run(miscounted) == []
            looks += 1
        return looks

    onlookers = [asyncio.create_task(look_on()) for _ in range(20)]
    await projected.project(in_batches(history(300), 20))
    done.set()
    looks = sum(await asyncio.gather(*onlookers))
    await reader.close()
    assert looks > projected.version > 100


async def test_as_of_is_the_time_of_the_newest_event_and_survives_a_restart(projected: Projected) -> None:
    newest, older = (record(topic_submitted(), BEGAN + timedelta(hours=h)) for h in (2, 1))
    await projected.project(in_batches([newest], 1))
    await projected.project(in_batches([older], 1, start=1))
    assert (await (await projected.projection()).stored(0)).as_of == BEGAN + timedelta(hours=2)


async def test_a_batch_costs_the_same_number_of_statements_whether_it_holds_one_event_or_a_thousand(
    projected: Projected,
) -> None:
    statements: list[str] = []

    def record_statement(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    database = projected.writer()
    event.listen(database._engine, "before_cursor_execute", record_statement)
    projection = Projection(database, projected._dead_letter, "projector-1")
    await projection.load(0)
    costs = []
    for batch in (*in_batches(HISTORY[:1], 1), *in_batches(history(400, seed=2)[:1000], 1000, start=1)):
        statements.clear()
        await projection.project(batch)
        costs.append(len(statements))
    assert costs[1] <= costs[0] + 10  # ledger, content and facets, those before too; ids are looked up 500 at a time
    assert costs[1] < 20


# -- two projectors, failures --------------------------------------------------------------------------------------


async def test_of_two_projectors_with_the_same_batch_one_stores_it_and_the_other_changes_nothing(new: New) -> None:
    projected, alone = await new(), await new()
    first, second = await projected.projection(), await projected.projection()
    batches = list(in_batches(HISTORY, 100))
    await first.project(batches[0])
    with pytest.raises(PositionMoved):
        await second.project(batches[0])
    await alone.project(batches[:1])
    assert projected.tables == alone.tables
    with pytest.raises(PositionMoved):  # as a projector that was frozen after its first batch
        await second.project(batches[1])
    await second.load(0)
    await second.project(batches[1])
    with pytest.raises(PositionMoved):
        await first.project(batches[1])
    assert projected.version == 2


async def test_a_batch_of_many_partitions_is_stored_completely_or_not_at_all(
    new: New,
) -> None:
    """As when partitions move between projectors."""
    projected = await new()
    first, second = await projected.projection(), await projected.projection()
    whole = in_partitions(history(60, seed=5), 3)
    for projection in (first, second):
        for partition in (0, 1, 2):
            await projection.load(partition)
    await second.project(only(whole, 2))
    before = projected.tables
    with pytest.raises(PositionMoved):
        await first.project(whole)
    assert projected.tables == before
    assert projected.version == 1
    for partition in (0, 1, 2):
        assert bool(await first.load(partition)) is (partition == 2)
    await first.project(only(whole, 0, 1))
    assert projected.version == 3
    for partition, positions in whole.positions.items():
        newest = max(decode(delivery.record).time for delivery in only(whole, partition).deliveries)
        assert await first.stored(partition) == ProjectionPosition(1, positions, newest)
    assert projected.rows("SELECT count(DISTINCT id) FROM history") == [
        (len({d.record.key for d in whole.deliveries}),)
    ]
    assert projected.rows(COUNTS) == []


def in_partitions(records: Sequence[Record], partitions: int) -> Batch:
    """One batch of all, a submission's records in one partition."""
    deliveries = [Delivery(r, crc32(r.key.encode()) % partitions, str(n)) for n, r in enumerate(records)]
    return Batch(deliveries, {d.partition: {d.record.stream: d.position} for d in deliveries})


def only(batch: Batch, *partitions: int) -> Batch:
    deliveries = [delivery for delivery in batch.deliveries if delivery.partition in partitions]
    return Batch(deliveries, {partition: batch.positions[partition] for partition in partitions})


async def test_two_projectors_that_race_for_every_batch_count_exactly(new: New) -> None:
    projected, alone = await new(), await new()
    batches = list(in_batches(HISTORY, 10))

    next_after = {frozenset(batch.positions[0].items()): following for batch, following in pairwise(batches)}

    async def race(projection: Projection) -> int:
        won = 0
        while batch := next_after.get(frozenset((await projection.load(0)).items())):
            try:
                await projection.project(batch)
                won += 1
            except PositionMoved:
                continue
        return won

    await projected.project(batches[:1])
    won = await asyncio.gather(race(await projected.projection()), race(await projected.projection()))
    assert sum(won) + 1 == len(batches) == projected.version
    await alone.project(batches)
    assert projected.tables == alone.tables


async def test_a_failed_transaction_changes_nothing_not_even_the_position(new: New) -> None:
    projected, alone = await new(), await new()
    projection = await projected.projection()
    batches = list(in_batches(HISTORY, 100))
    await projection.project(batches[0])
    before = projected.tables
    projected.execute("ALTER TABLE usage RENAME TO hidden")  # the last table that is written
    with pytest.raises(DatabaseUnreachable):
        await projection.project(batches[1])
    projected.execute("ALTER TABLE hidden RENAME TO usage")
    assert projected.tables == before
    assert projected.version == 1
    await projection.project(batches[1])
    await alone.project(batches[:2])
    assert projected.tables == alone.tables


async def test_the_position_does_not_move_if_a_dead_letter_cannot_be_stored(projected: Projected) -> None:
    async def refuse(_: Any) -> None:
        raise BrokerUnreachable("away")

    projection = Projection(projected.writer(), refuse, "projector-1")
    for poison in (replace(HISTORY[0], data=b"{"), _with_huge_usage()):
        await projection.load(0)
        with pytest.raises(BrokerUnreachable):
            await projection.project(next(in_batches([HISTORY[1], poison], 2)))
    assert projected.version == 0
    assert projected.tables["submissions"] == []


# -- what cannot be projected -------------------------------------------------------------------------------------


def _with_huge_usage() -> Record:
    return record(completed("Too expensive", usage=(usage(tokens_in=2**70),)))


def _with_an_impossible_time() -> Record:
    time = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))  # in UTC there is no such year
    return record(started("Too old", submitted_at=time))


@pytest.mark.parametrize("poison", [_with_huge_usage(), _with_an_impossible_time()], ids=["integer", "time"])
async def test_an_event_that_the_database_refuses_is_dead_lettered_and_its_neighbours_are_stored(
    new: New, poison: Record
) -> None:
    projected, without = await new(), await new()
    middle = len(HISTORY) // 2
    await projected.project(in_batches([*HISTORY[:middle], poison, *HISTORY[middle:]], 1000))
    await without.project(in_batches(HISTORY, 1000))
    assert projected.tables == without.tables
    [letter] = projected.dead_lettered
    assert (letter.stream, letter.headers["dl_error"]) == (SUBMISSION_OUTCOMES.dead_letters, "not_storable")
    assert letter.headers["dl_position"] == str(middle)
    assert letter.data == poison.data
    assert projected.version == 1


def _of_no_submission() -> Record:
    beat = WorkerHeartbeat(service="topic-worker", instance="x", app_version="1", started_at=BEGAN)
    return replace(record(beat), stream=TOPIC_SUBMISSIONS.name)


def _of_no_type() -> Record:
    return replace(HISTORY[0], headers={**HISTORY[0].headers, "ce_type": "topicflow.Nonsense.v1"})


@pytest.mark.parametrize(
    "poison",
    [replace(HISTORY[0], data=b"{"), replace(HISTORY[0], headers={}), _of_no_type(), _of_no_submission()],
    ids=["no JSON", "no headers", "no known type", "not about a submission"],
)
async def test_an_unreadable_record_is_dead_lettered_and_its_neighbours_are_stored(new: New, poison: Record) -> None:
    projected, without = await new(), await new()
    await projected.project(in_batches([HISTORY[0], poison, *HISTORY[1:]], 1000))
    await without.project(in_batches(HISTORY, 1000))
    assert projected.tables == without.tables
    [letter] = projected.dead_lettered
    assert (letter.stream, letter.headers["dl_error"]) == (TOPIC_SUBMISSIONS.dead_letters, "invalid_event")


async def test_a_newer_version_of_a_known_type_stops_before_anything_is_dead_lettered_or_stored(
    projected: Projected,
) -> None:
    newer = replace(HISTORY[0], headers={**HISTORY[0].headers, "ce_type": "topicflow.TopicSubmitted.v2"})
    with pytest.raises(NewerVersion, match=r"topic-submissions holds topicflow\.TopicSubmitted\.v2"):
        await projected.project(in_batches([replace(HISTORY[0], data=b"{"), newer], 10))
    assert projected.dead_lettered == []
    assert projected.version == 0


async def test_a_dead_letter_is_listed_once_however_often_it_was_published(projected: Projected) -> None:
    poison = replace(HISTORY[0], data=b"{")
    for _ in (1, 2):  # as by a projector that died before it stored its position
        await projected.project(in_batches([poison], 1))
        projected.execute("DELETE FROM positions")
    assert len(projected.dead_lettered) == 2
    await projected.project(in_batches(projected.dead_lettered, 10))
    [(stream, error, data, position)] = projected.rows("SELECT stream, error, data, position FROM dead_letters")
    assert (stream, error, data, position) == ("topic-submissions", "invalid_event", b"{", "0")
    assert projected.tables["submissions"] == []


async def test_a_foreign_record_among_the_dead_letters_is_listed_and_stops_nothing(
    projected: Projected,
) -> None:
    garbage = Record(TOPIC_SUBMISSIONS.dead_letters, "", {"dl_tries": "9" * 30, "dl_time": "yesterday"}, b"\x00\xff")
    await projected.project(in_batches([garbage, *HISTORY], 1000))
    assert projected.rows("SELECT stream, data FROM dead_letters") == [(garbage.stream, b"\x00\xff")]
    assert projected.rows("SELECT count(*) FROM submissions") == [(60,)]


async def test_a_redriven_record_with_its_dead_letter_headers_is_projected(projected: Projected) -> None:
    redriven = replace(HISTORY[0], headers={**HISTORY[0].headers, "dl_id": "1"})
    await projected.project(in_batches([redriven], 1))
    assert projected.rows("SELECT count(*) FROM submissions") == [(1,)]
