"""Redis only: lost groups and streams, foreign entries, memory, persistence."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from contract.brokers import GROUP, Broker
from contract.submissions import (
    DEAD_LETTERS,
    OUTCOMES,
    SUBMISSIONS,
    end,
    many,
    read_all,
    reading_from,
    stored,
    submitted,
    take,
)
from contract.workers import Workers
from eventually import eventually
from servers import ValkeyServer

from shared.errors import BrokerUnsafe, PositionsLost
from shared.events import WorkerHeartbeat
from shared.messaging.cloudevents import encode
from shared.messaging.redis_streams.consumer import RedisConsumer
from shared.messaging.redis_streams.transport import RedisTransport
from shared.streams import TOPIC_SUBMISSIONS

pytestmark = pytest.mark.parametrize("broker", ["redis_streams"], indirect=True)


async def test_a_lost_group_is_refused_and_never_starts_over(broker: Broker, redis: RedisTransport) -> None:
    await redis.publish(many(3))
    member = await broker.member()
    await end(member, await take(member, 2))
    await redis.client.xgroup_destroy(SUBMISSIONS, GROUP)
    for _ in range(2):
        with pytest.raises(PositionsLost, match=GROUP):
            await redis.provision()
    with pytest.raises(PositionsLost):
        await member.fetch(1, 0.1)
    assert await redis.client.xinfo_groups(SUBMISSIONS) == []


async def test_a_worker_whose_group_is_lost_stores_paid_outcomes_and_stops(
    broker: Broker, redis: RedisTransport, workers: Workers
) -> None:
    can_end = asyncio.Event()
    workers.handler.answer("paid for", can_end.wait)
    await redis.publish([submitted("paid for")])
    worker = await workers.start()
    await eventually(lambda: workers.handler.running.total(), within=15)
    await redis.client.xgroup_destroy(SUBMISSIONS, GROUP)
    await eventually(lambda: worker.loop._is_stopping, within=15)
    can_end.set()
    with pytest.raises(PositionsLost):
        await worker.stop()
    assert await workers.completed() == Counter(["paid for"])


async def test_a_recreated_stream_is_refused_by_its_reader(broker: Broker, redis: RedisTransport) -> None:
    await redis.publish(many(3))
    position = (await redis.end_positions([SUBMISSIONS]))[0]
    await redis.client.delete(SUBMISSIONS)
    await redis.provision()
    with pytest.raises(PositionsLost, match=SUBMISSIONS):
        await redis.reader("readers", "a", [SUBMISSIONS], reading_from(position))


async def test_entries_trimmed_before_they_were_read_are_noticed(broker: Broker, redis: RedisTransport) -> None:
    await redis.publish(many(3))
    await redis.client.xtrim(SUBMISSIONS, maxlen=1, approximate=False)
    with pytest.raises(PositionsLost, match=SUBMISSIONS):
        await redis.reader("readers", "a", [SUBMISSIONS], reading_from({}))


async def test_trimming_removes_old_settled_entries(broker: Broker, redis: RedisTransport) -> None:
    await redis.publish(many(300))
    ends = await redis.end_positions([SUBMISSIONS])
    member = await broker.member()
    await end(member, await take(member, 300))
    an_hour, plenty = timedelta(hours=1), 1 << 30
    assert await redis.trim(TOPIC_SUBMISSIONS, ends, an_hour, plenty) == 0
    size = await redis.client.memory_usage(SUBMISSIONS)
    assert size
    assert 0 < await redis.trim(TOPIC_SUBMISSIONS, ends, an_hour, size // 2) < 300
    left = await redis.client.xlen(SUBMISSIONS)
    assert await redis.trim(TOPIC_SUBMISSIONS, ends, timedelta(0), plenty) == left - 1
    assert await redis.provision() == []
    assert await read_all(redis, SUBMISSIONS, reading_from(ends[0])) == []


async def test_nothing_is_trimmed_while_a_group_is_lost(broker: Broker, redis: RedisTransport) -> None:
    await redis.publish(many(300))
    await redis.client.xgroup_destroy(SUBMISSIONS, GROUP)
    assert await redis.trim(TOPIC_SUBMISSIONS, await redis.end_positions([SUBMISSIONS]), timedelta(0), 0) == 0


async def test_foreign_entries_stop_no_worker(broker: Broker, redis: RedisTransport, workers: Workers) -> None:
    await redis.client.xadd(SUBMISSIONS, {b"\xff\xfe": b"\xfd", b"data": b"\x80"})
    await redis.client.xadd(SUBMISSIONS, {"ce_type": "topicflow.TopicSubmitted.v" + "9" * 5000})
    await redis.client.xadd(SUBMISSIONS, {"ce_type": "Überweisung"})
    await redis.publish([submitted("good")])
    await workers.start()
    await workers.settled()
    assert await workers.completed() == Counter(["good"])
    letters = await read_all(redis, DEAD_LETTERS)
    assert len(letters) == 3
    assert all(value.isascii() for letter in letters for part in letter.record.headers.items() for value in part)


async def test_a_redis_that_can_lose_data_is_refused(broker: Broker, tmp_path: Path) -> None:
    wrong = {"volatile": {"appendonly": "no"}, "evicting": {"maxmemory-policy": "allkeys-lru"}}
    for name, config in wrong.items():
        server = ValkeyServer(tmp_path / name, **config)
        server.start()
        transport = RedisTransport(server.url)
        with pytest.raises(BrokerUnsafe):
            await transport.check()
        await transport.close()
        allowing = RedisTransport(server.url, allow_volatile=True)
        if name == "volatile":
            await allowing.check()
        else:
            with pytest.raises(BrokerUnsafe):
                await allowing.check()
        await allowing.close()
        server.end()


async def test_a_publish_waits_for_a_sync_once_a_second(broker: Broker, tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path, appendfsync="everysec")
    server.start()
    transport = RedisTransport(server.url)
    await transport.check()
    await transport.provision()
    await transport.publish(many(600))
    assert len(await stored(transport, SUBMISSIONS)) == 600
    info = await transport.client.info("persistence")
    assert info["aof_last_write_status"] == "ok"
    waits = (await transport.client.info("commandstats"))["cmdstat_waitaof"]
    assert waits["calls"] == 2
    await transport.close()
    server.end()


async def test_trimming_frees_memory_at_once(broker: Broker, redis: RedisTransport) -> None:
    """Only the id of a submission stays, for ten minutes."""
    await broker.limit_memory(16 * 1024**2)
    before = await redis.memory_share()
    await redis.publish([submitted(f"{n} {'long ' * 90}") for n in range(3000)])
    full = await redis.memory_share()
    member = await broker.member()
    await end(member, await take(member, 3000))
    await redis.trim(TOPIC_SUBMISSIONS, await redis.end_positions([SUBMISSIONS]), timedelta(0), 1 << 30)
    left = await redis.memory_share()
    assert before
    assert full
    assert left
    assert (left - before) < (full - before) / 2


async def test_entries_settled_during_trimming_are_trimmed_too(
    broker: Broker, redis: RedisTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis.publish(many(300))
    member = await broker.member()
    taken = await take(member, 300)
    read_groups = redis.client.xinfo_groups

    async def read_groups_then_settle_all(stream: str) -> object:
        seen = await read_groups(stream)
        await end(member, taken)
        return seen

    monkeypatch.setattr(redis.client, "xinfo_groups", read_groups_then_settle_all)
    assert await redis.trim(TOPIC_SUBMISSIONS, await redis.end_positions([SUBMISSIONS]), timedelta(0), 1 << 30) == 299


async def test_a_redis_that_hides_its_memory_counts_as_without_a_limit(broker: Broker, redis: RedisTransport) -> None:
    await broker.limit_memory(1)
    await redis.client.acl_setuser("default", enabled=True, commands=["-info"])
    assert await redis.memory_share() is None


async def test_a_group_of_several_streams_is_fetched_from_all_of_them_within_the_limit(
    broker: Broker, redis: RedisTransport
) -> None:
    member = cast(RedisConsumer, await broker.member())
    member._streams = [SUBMISSIONS, "second", "third"]
    for stream in member._streams[1:]:
        await redis.client.xgroup_create(stream, GROUP, id="0", mkstream=True)
    for stream in member._streams:
        for n in range(5):
            await redis.client.xadd(stream, {"data": str(n)})
    for limit in (1, 2, 4):
        seen = await take(member, 5, each=limit)
        assert len({delivery.record.stream for delivery in seen}) > 1
    assert await member.fetch(10, 0.05) == []


async def test_a_member_that_left_is_removed(broker: Broker, redis: RedisTransport) -> None:
    await redis.publish(many(3))
    member = await broker.member()
    await end(member, (await take(member, 3))[:1])
    await member.close()
    names_left = [c["name"] for c in await redis.client.xinfo_consumers(SUBMISSIONS, GROUP)]
    assert names_left == [b"handed-back"]


async def test_heartbeats_are_capped_and_outcomes_are_not(broker: Broker, redis: RedisTransport) -> None:
    beats = [
        encode(
            WorkerHeartbeat(service="api", instance=f"{n}", app_version="1", started_at=datetime.now(UTC)),
            source="test",
        )
        for n in range(3000)
    ]
    await redis.publish(beats)
    assert await redis.client.xlen(beats[0].stream) < 1200
    assert await redis.client.xlen(OUTCOMES) == 0
