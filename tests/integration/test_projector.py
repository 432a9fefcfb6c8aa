"""The status-projector as it runs: on the memory broker and on Valkey, one and two of it, killed, stopped, waiting."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from eventually import eventually
from integration.databases import counted, rows, sqlite_in, tables_of
from integration.projected import Projected
from integration.stories import history, in_batches
from redis import Redis
from servers import Deployment, GeminiStandIn, Process, ValkeyServer

from shared.progress import Progress
from shared.streams import PROJECTED, PROJECTOR, SUBMISSION_OUTCOMES, TOPIC_SUBMISSIONS, WORKER_HEARTBEATS
from shared.transport.base import Transport
from shared.transport.memory import MemoryTransport
from shared.transport.redis_streams.transport import RedisTransport
from shared.wire import Record
from status_projector import app

HISTORY = history(150)
HALF = len(HISTORY) // 2


@pytest.fixture
async def expected(tmp_path: Path) -> AsyncIterator[Projected]:
    """What one projector without any trouble makes of the history."""
    projected = await Projected(sqlite_in(tmp_path / "expected")).open()
    yield await projected.project(in_batches(HISTORY, 1000))
    await projected.close()


# -- inside the test -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", "valkey"])
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    connected: Transport
    if request.param == "memory":
        connected = MemoryTransport()
    else:
        connected = RedisTransport(request.getfixturevalue("valkey").url)
    await connected.provision()
    yield connected
    await connected.close()


@asynccontextmanager
async def projecting(transport: Transport, projected: Projected) -> AsyncIterator[None]:
    task = asyncio.create_task(
        app.project_for_ever(transport, await projected.projection(), Progress("projection"), "projector")
    )
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_one_projector_makes_the_expected_tables(
    transport: Transport, expected: Projected, projected: Projected
) -> None:
    async with projecting(transport, projected):
        await transport.publish(HISTORY)
        await eventually(lambda: projected.tables == expected.tables, within=20)


async def test_two_projectors_count_exactly_while_partitions_change_hands(
    transport: Transport, expected: Projected, projected: Projected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "STAND_BY", 0.05)
    monkeypatch.setattr(app, "BATCH", 20)
    async with projecting(transport, projected), projecting(transport, projected):
        for at in range(0, len(HISTORY), 50):
            await transport.publish(HISTORY[at : at + 50])
            if isinstance(transport, MemoryTransport):
                await transport.rebalance(PROJECTOR, shift=at // 50)
        await eventually(lambda: projected.tables == expected.tables, within=20)


# -- as processes of their own -------------------------------------------------------------------------------------


@pytest.fixture
def projectors(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Deployment]:
    """A broker and a database's address; whoever projects is added by the test."""
    deployed = Deployment(tmp_path, valkey, GeminiStandIn(tmp_path))
    yield deployed
    deployed.end()


@pytest.fixture
async def broker(valkey: ValkeyServer) -> AsyncIterator[RedisTransport]:
    connected = RedisTransport(valkey.url)
    await connected.provision()
    yield connected
    await connected.close()


async def projected_by(deployment: Deployment, expected: Projected, within: float = 20) -> None:
    url = deployment.database_url
    await eventually(lambda: _or_nothing(url) == expected.tables, within=within)
    assert [(status, n) for status, n, *_ in tables_of(url)["status_counts"]] == counted(url)


def _or_nothing(url: str) -> object:
    """Until it is migrated there is nothing to see."""
    with suppress(sqlite3.OperationalError):
        return tables_of(url)
    return None


def positions_of(deployment: Deployment) -> list[tuple[int, str]]:
    with suppress(sqlite3.OperationalError):
        return rows(deployment.database_url, "SELECT version, positions FROM positions")
    return []


async def ended(process: Process, within: float = 20) -> tuple[int, str]:
    """Its exit code and the last line that it said."""
    await eventually(lambda: not process.is_alive, within=within)
    assert process.running
    assert "Traceback" not in process.said
    return process.running.returncode, process.said.splitlines()[-1]


async def test_two_processes_on_one_stream_count_exactly_although_one_is_killed_in_the_middle(
    projectors: Deployment, broker: RedisTransport, expected: Projected
) -> None:
    both = [projectors.add(PROJECTOR, name) for name in ("projector-a", "projector-b")]

    async def both_beat() -> bool:
        beats = str(await broker.client.xrange(WORKER_HEARTBEATS.name))
        return "projector-a" in beats and "projector-b" in beats

    await eventually(both_beat, within=20)
    publishing = asyncio.create_task(_publish_one_by_one(broker, HISTORY))
    stands_by = await eventually(lambda: [p for p in both if "standing by" in p.said], within=20)
    [leader] = [process for process in both if process not in stands_by] or both[:1]
    leader.kill()
    await publishing
    await projected_by(projectors, expected)
    assert not any("Traceback" in process.said for process in both)


async def _publish_one_by_one(broker: RedisTransport, records: list[Record]) -> None:
    for record in records:
        await broker.publish([record])


async def test_a_restarted_projector_goes_on_from_where_it_was(
    projectors: Deployment, broker: RedisTransport, valkey: ValkeyServer, expected: Projected
) -> None:
    first = projectors.add(PROJECTOR, "a")
    await broker.publish(HISTORY[:HALF])
    ends = await broker.ends([stream.name for stream in PROJECTED])
    await eventually(lambda: all(end in str(positions_of(projectors)) for end in ends[0].values()), within=20)
    assert first.stop() == 0
    with Redis.from_url(valkey.url) as redis:
        for stream, end in ends[0].items():  # what it has stored it does not need again
            redis.xtrim(stream, minid=end, approximate=False)
    await broker.publish(HISTORY[HALF:])
    projectors.add(PROJECTOR, "a")
    await projected_by(projectors, expected)


async def test_a_newer_version_of_a_known_type_stops_it_with_one_line_and_exit_code_1(
    projectors: Deployment, broker: RedisTransport
) -> None:
    headers = {**HISTORY[0].headers, "ce_type": "topicflow.TopicSubmitted.v2"}
    await broker.publish([replace(HISTORY[0], headers=headers)])
    code, line = await ended(projectors.add(PROJECTOR))
    assert code == 1
    assert line == (
        "status-projector: topic-submissions holds topicflow.TopicSubmitted.v2,"
        " this version of topicflow knows v1: finish the upgrade"
    )
    assert positions_of(projectors) == []


@pytest.mark.parametrize("how", ["made anew", "trimmed"])
async def test_a_stream_that_no_longer_has_what_comes_next_is_refused_with_one_line(
    projectors: Deployment, broker: RedisTransport, valkey: ValkeyServer, how: str
) -> None:
    first = projectors.add(PROJECTOR, "a")
    await broker.publish(HISTORY[:HALF])
    await eventually(lambda: SUBMISSION_OUTCOMES.name in str(positions_of(projectors)), within=20)
    ends = await broker.ends([SUBMISSION_OUTCOMES.name])
    await eventually(lambda: ends[0][SUBMISSION_OUTCOMES.name] in str(positions_of(projectors)), within=20)
    assert first.stop() == 0
    with Redis.from_url(valkey.url) as redis:
        if how == "made anew":
            redis.delete(SUBMISSION_OUTCOMES.name)
        await broker.publish(HISTORY[HALF:])
        if how == "trimmed":
            redis.xtrim(SUBMISSION_OUTCOMES.name, maxlen=1, approximate=False)
    before = tables_of(projectors.database_url)
    code, line = await ended(projectors.add(PROJECTOR, "a"))
    assert code == 1
    assert line.startswith("status-projector: the stream submission-outcomes no longer has what comes after ")
    assert tables_of(projectors.database_url) == before


async def test_an_unreadable_record_is_listed_among_the_dead_letters_and_the_rest_is_stored(
    projectors: Deployment, broker: RedisTransport, expected: Projected
) -> None:
    await broker.publish([replace(HISTORY[0], headers={**HISTORY[0].headers, "ce_id": "other"}, data=b"{"), *HISTORY])
    projectors.add(PROJECTOR)
    await projected_by(projectors, expected)
    letters = "SELECT stream, error, data FROM dead_letters"
    await eventually(lambda: rows(projectors.database_url, letters), within=10)
    assert rows(projectors.database_url, letters) == [(TOPIC_SUBMISSIONS.name, "invalid_event", b"{")]


async def test_a_locked_database_is_waited_for_and_nothing_is_lost(
    projectors: Deployment, broker: RedisTransport, expected: Projected
) -> None:
    projector = projectors.add(PROJECTOR)
    await broker.publish(HISTORY[:HALF])
    await eventually(lambda: positions_of(projectors), within=20)
    with closing(sqlite3.connect(projectors.folder / "topicflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await broker.publish(HISTORY[HALF:])
        await eventually(lambda: '"event": "waiting"' in projector.said, within=15)
        assert "database is locked" in projector.said
    await projected_by(projectors, expected)
    assert projector.is_alive


async def test_a_database_that_can_not_be_opened_yet_is_waited_for(
    tmp_path: Path, valkey: ValkeyServer, broker: RedisTransport, expected: Projected
) -> None:
    path = tmp_path / "later" / "topicflow.db"
    settings = {"TOPICFLOW_BROKER_URL": valkey.url, "TOPICFLOW_DATABASE_URL": f"sqlite:///{path}"}
    projector = Process([sys.executable, "-m", "status_projector"], tmp_path / "projector.log", settings)
    projector.start()
    await broker.publish(HISTORY)
    await eventually(lambda: "waiting for the database" in projector.said, within=20)
    path.parent.mkdir()
    await eventually(lambda: _or_nothing(f"sqlite:///{path}") == expected.tables, within=20)
    projector.end()
