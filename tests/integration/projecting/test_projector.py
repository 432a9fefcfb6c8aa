"""Status-projectors on every broker: one and two of them, caught up and far behind."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from itertools import chain

import pytest
from contract.memory_broker.transport import MemoryTransport
from eventually import eventually
from integration.projected import Projected
from integration.projecting.sample_history import HALF, HISTORY
from servers.stack import ON_KAFKA

from shared.messaging.broker import Transport
from shared.service.stall_detector import StallDetector
from shared.streams import PROJECTOR
from status_projector import projection_loop
from status_projector.projection import DecodedBatch, Projection


@pytest.fixture
async def memory() -> MemoryTransport:
    transport = MemoryTransport()
    await transport.provision()
    return transport


@asynccontextmanager
async def projecting(transport: Transport, projected: Projected) -> AsyncIterator[None]:
    task = asyncio.create_task(
        projection_loop.project_forever(
            transport, await projected.projection(), StallDetector("projection"), "projector"
        )
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


async def test_two_projectors_count_exactly(
    transport: Transport, expected: Projected, projected: Projected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection_loop, "STAND_BY", 0.05)
    monkeypatch.setattr(projection_loop, "BATCH", 20)
    async with projecting(transport, projected), projecting(transport, projected):
        for at in range(0, len(HISTORY), 50):
            await transport.publish(HISTORY[at : at + 50])
        await eventually(lambda: projected.tables == expected.tables, within=20)


async def test_two_projectors_count_exactly_while_partitions_change_hands(
    memory: MemoryTransport, expected: Projected, projected: Projected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projection_loop, "STAND_BY", 60.0)
    monkeypatch.setattr(projection_loop, "BATCH", 20)
    async with projecting(memory, projected), projecting(memory, projected):
        for at in range(0, len(HISTORY), 50):
            await memory.publish(HISTORY[at : at + 50])
            await memory.rebalance(PROJECTOR, shift=at // 50)
        await eventually(lambda: projected.tables == expected.tables, within=20)


@ON_KAFKA
async def test_a_projector_whose_position_was_moved_reads_it_again_and_does_not_stand_by(
    transport: Transport, expected: Projected, projected: Projected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a frozen projector that had the partition before. Standing by would delay its other partitions."""
    monkeypatch.setattr(projection_loop, "STAND_BY", 60.0)
    async with projecting(transport, projected):
        await transport.publish(HISTORY[:HALF])
        await eventually(lambda: projected.version > 3, within=20)
        projected.execute("UPDATE positions SET version = version + 1")
        await transport.publish(HISTORY[HALF:])
        await eventually(lambda: projected.tables == expected.tables, within=20)


@ON_KAFKA
async def test_a_projector_far_behind_stores_batches_concurrently_but_one_per_partition(
    transport: Transport, expected: Projected, projected: Projected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as the database has writer threads: PostgreSQL two, SQLite one."""
    monkeypatch.setattr(projection_loop, "BATCH", 20)
    storing: list[Collection[int]] = []
    at_a_time: set[int] = set()
    store = Projection.store

    async def stored(self: Projection, decoded: DecodedBatch) -> None:
        partitions = decoded.batch.positions.keys()
        assert partitions.isdisjoint(chain(*storing))
        storing.append(partitions)
        at_a_time.add(len(storing))
        await store(self, decoded)
        storing.remove(partitions)

    monkeypatch.setattr(Projection, "store", stored)
    await transport.publish(HISTORY)
    async with projecting(transport, projected):
        await eventually(lambda: projected.tables == expected.tables, within=20)
    assert max(at_a_time) == projected.writer().threads
