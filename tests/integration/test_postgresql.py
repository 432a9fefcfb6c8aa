"""PostgreSQL only: a server that stops or freezes, several projectors, roles, refused values."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from contract.memory_broker.transport import MemoryTransport
from eventually import eventually
from factories import record, started
from integration.databases import execute, rows
from integration.event_history import ORDERED_TYPES, history, in_batches
from integration.projected import Projected
from integration.test_projection import COUNTS, FACET_COUNTS
from servers.found import OwnServer
from sqlalchemy import Connection

from shared.db import engine
from shared.db.engine import Database, DatabaseUnreachable, open_access, open_reader, try_lock
from shared.db.migrate import migrate
from shared.messaging.broker import Batch
from shared.messaging.cloudevents import Record
from shared.service.stall_detector import StallDetector
from status_projector import projection_loop, statements
from status_projector.projection import Projection

HISTORY = history(100)
KAFKAS_SESSION = 10.0  # seconds after which another projector has a frozen one's partitions


@pytest.fixture
async def projected(postgres_url: str) -> AsyncIterator[Projected]:
    projected = await Projected(postgres_url).open()
    yield projected
    await projected.close()


@pytest.fixture
async def breakable(own_postgres: OwnServer) -> AsyncIterator[Projected]:
    """On a server that the test may break."""
    projected = await Projected(own_postgres.url).open()
    yield projected
    await projected.close()


@pytest.fixture
async def reader(breakable: Projected) -> AsyncIterator[Database]:
    reader = open_reader(breakable.url)
    yield reader
    await reader.close()


def versions(connection: Connection) -> list[int]:
    return list(connection.exec_driver_sql("SELECT version FROM positions").scalars())


# -- the server ----------------------------------------------------------------------------------------------------


async def test_reads_fail_while_the_server_is_stopped_and_work_when_it_is_back(
    own_postgres: OwnServer, reader: Database
) -> None:
    async def read_all() -> list[Any]:
        return await asyncio.gather(*(reader.run(versions) for _ in range(8)), return_exceptions=True)

    assert await read_all() == [[]] * 8
    own_postgres.kill()
    began = time.monotonic()
    assert {type(answer) for answer in await read_all()} == {DatabaseUnreachable}
    assert time.monotonic() - began < 3
    own_postgres.start()
    assert await read_all() == [[]] * 8


def test_a_server_that_goes_away_under_the_provisioning_lock_is_no_traceback(own_postgres: OwnServer) -> None:
    with try_lock(own_postgres.url) as acquired:
        assert acquired
        own_postgres.kill()
    own_postgres.start()


async def test_a_server_restart_fails_one_read_and_not_one_per_pooled_connection(
    own_postgres: OwnServer, reader: Database
) -> None:
    await asyncio.gather(*(reader.run(lambda c: c.exec_driver_sql("SELECT pg_sleep(0.3)").all()) for _ in range(4)))
    own_postgres.kill()
    own_postgres.start()
    with pytest.raises(DatabaseUnreachable):
        await reader.run(versions)
    for _ in range(8):
        assert await reader.run(versions) == []


async def test_a_read_from_a_frozen_server_times_out(
    own_postgres: OwnServer, reader: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_patience", 0.5)
    own_postgres.freeze()
    for _ in range(6):  # more than there are threads
        began = time.monotonic()
        with pytest.raises(DatabaseUnreachable, match=r"within 0\.5 s"):
            await reader.run(versions)
        assert time.monotonic() - began < 2
    own_postgres.thaw()
    monkeypatch.setattr(reader, "_patience", engine.PATIENCE)
    assert await reader.run(versions) == []


async def test_a_projector_resumes_at_its_position_when_the_server_is_back(
    own_postgres: OwnServer, breakable: Projected, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection_loop, "BATCH", 5)
    expected = await (await Projected(postgres_url).open()).project(in_batches(HISTORY, 1000))
    transport = MemoryTransport()
    await transport.provision()
    projecting = asyncio.create_task(
        projection_loop.project_forever(
            transport, await breakable.projection(), StallDetector("projection"), "projector"
        )
    )
    for at in range(0, len(HISTORY), 100):
        await transport.publish(HISTORY[at : at + 100])
        await eventually(lambda: breakable.version > 0, within=10)
        own_postgres.kill()
        own_postgres.start()
    await eventually(lambda: breakable.tables == expected.tables, within=20)
    projecting.cancel()
    await asyncio.wait([projecting])
    await transport.close()
    await expected.close()


# -- several projectors --------------------------------------------------------------------------------------------


async def test_a_projector_frozen_inside_its_transaction_loses_the_row_before_kafkas_session_ends(
    projected: Projected,
) -> None:
    frozen = projected.writer()._engine.connect()
    statements.move_positions(frozen, [(0, 1, {}, None)])  # and it never continues
    second = await projected.projection()
    [batch, *_] = in_batches(HISTORY, 100)
    began = time.monotonic()
    with pytest.raises(DatabaseUnreachable, match="lock timeout"):
        await second.project(batch)
    assert time.monotonic() - began < 5

    async def has_projected() -> bool:
        with suppress(DatabaseUnreachable):
            await second.project(batch)
            return True
        return False

    await eventually(has_projected, within=KAFKAS_SESSION - (time.monotonic() - began))
    with pytest.raises(Exception, match=r"terminating connection|server closed the connection"):
        frozen.commit()
    frozen.invalidate()
    frozen.close()
    assert projected.version == 1


async def test_two_projectors_with_the_same_submissions_in_two_partitions_count_exactly(
    projected: Projected, tmp_path: Path
) -> None:
    """As after partitions were added: events of a submission are in both, and either may store it first."""
    chance = random.Random(7)
    records = [record for record in history(150, seed=3) if record.headers["ce_type"] not in ORDERED_TYPES]
    first = {record.headers["ce_id"] for record in chance.sample(records, len(records) // 2)}
    halves = [[r for r in records if (r.headers["ce_id"] in first) is is_first] for is_first in (True, False)]
    await asyncio.gather(
        *(_project_all(projected, partition, records) for partition, records in enumerate(halves)),
    )
    assert projected.rows(COUNTS) == []
    assert projected.rows(FACET_COUNTS) == []
    both = projected.tables
    for table in (
        "submissions",
        "contents",
        "facets",
        "facet_counts",
        "status_counts",
        "history",
        "usage",
        "usage_totals",
        "positions",
    ):
        projected.execute(f"DELETE FROM {table}")
    await _project_all(projected, 0, records)
    assert both == projected.tables


async def _project_all(projected: Projected, partition: int, records: Sequence[Record]) -> None:
    """In small batches, each repeated while the other projector stored a new submission first; without deadlocks."""
    projection = await projected.projection()
    await projection.load(partition)
    for batch in in_batches(records, 20):
        deliveries = [replace(delivery, partition=partition) for delivery in batch.deliveries]
        collided = True
        while collided:
            collided = await _collides(projection, Batch(deliveries, {partition: batch.positions[0]}))


async def _collides(projection: Projection, batch: Batch) -> bool:
    try:
        await projection.project(batch)
    except DatabaseUnreachable as error:
        if "at the same time" not in str(error):
            raise
        return True
    return False


async def test_projectors_of_different_partitions_do_not_wait_for_each_other(projected: Projected) -> None:
    waiting = projected.writer()._engine.connect()
    statements.move_positions(waiting, [(0, 1, {}, None)])
    other = await projected.projection()
    await other.load(1)
    [batch] = in_batches(HISTORY, len(HISTORY))
    began = time.monotonic()
    await other.project(Batch([replace(d, partition=1) for d in batch.deliveries], {1: batch.positions[0]}))
    assert time.monotonic() - began < 3
    waiting.rollback()
    waiting.close()


# -- refused values ------------------------------------------------------------------------------------------------


async def test_one_event_of_a_thousand_with_u_0000_is_dead_lettered_and_the_others_are_stored(
    projected: Projected,
) -> None:
    poison = record(started("Zero", worker="zero \0 worker"))
    records = [one for one in history(400, seed=2) if one.headers["ce_type"] not in ORDERED_TYPES][:999]
    await projected.project(in_batches([*records[:500], poison, *records[500:]], 1000))
    [letter] = projected.dead_lettered
    assert (letter.data, letter.headers["dl_error"], letter.headers["dl_position"]) == (
        poison.data,
        "not_storable",
        "500",
    )
    assert "U+0000" in letter.headers["dl_message"]
    assert projected.rows("SELECT count(*) FROM history") == [(len({r.headers["ce_id"] for r in records}),)]
    assert projected.rows(COUNTS) == []


async def test_an_event_too_long_for_an_index_is_dead_lettered(projected: Projected) -> None:
    long = "".join(chr(random.Random(n).randrange(0x4E00, 0x9FFF)) for n in range(1500))  # cannot be compressed
    poison = record(started(long))
    await projected.project(in_batches([HISTORY[0], poison, HISTORY[1]], 3))
    assert [letter.headers["dl_error"] for letter in projected.dead_lettered] == ["not_storable"]
    assert projected.rows("SELECT count(*) FROM history") == [(2,)]


# -- schemas -------------------------------------------------------------------------------------------------------


async def test_texts_are_ordered_by_code_point_with_any_locale_of_the_server(projected: Projected) -> None:
    access = open_access(projected.url)
    await migrate(access, "access")
    await access.close()
    other = projected.rows(
        "SELECT attrelid::regclass, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE relkind = 'r' AND relnamespace IN ('public'::regnamespace, 'access'::regnamespace)"
        " AND atttypid = 'text'::regtype AND attcollation != '\"C\"'::regcollation"
    )
    assert other == []


async def test_a_role_that_cannot_create_schemas_uses_an_existing_one(postgres_url: str) -> None:
    [(name, owner)] = rows(postgres_url, "SELECT current_database(), current_user")
    execute(postgres_url, f"REVOKE CREATE ON DATABASE {name} FROM {owner}")
    access = open_access(postgres_url)
    with pytest.raises(DatabaseUnreachable, match="permission denied"):
        await migrate(access, "access")
    execute(postgres_url, f"GRANT CREATE ON DATABASE {name} TO {owner}")
    execute(postgres_url, "CREATE SCHEMA access")
    execute(postgres_url, f"REVOKE CREATE ON DATABASE {name} FROM {owner}")
    for _ in (1, 2):
        await migrate(access, "access")
    await access.close()
    assert rows(postgres_url, "SELECT count(*) FROM access.api_keys") == [(0,)]
