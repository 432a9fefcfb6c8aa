"""What only Redis can get wrong: lost groups and streams, foreign entries, its memory, its file, its silences."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from contract.brokers import GROUP, RedisStreamsBroker
from contract.submissions import (
    DEAD_LETTERS,
    OUTCOMES,
    SUBMISSIONS,
    end,
    gets,
    many,
    names,
    read_all,
    reading_from,
    stored,
    submitted,
    take,
)
from contract.workers import Workers, remains
from eventually import eventually
from servers import ValkeyServer

from shared.errors import BrokerFull, BrokerUnreachable, BrokerUnsafe, PositionsLost
from shared.events import WorkerBeat
from shared.streams import TOPIC_SUBMISSIONS
from shared.transport.base import Lag
from shared.transport.redis_heartbeats import follow_heartbeats
from shared.transport.redis_streams import RedisTransport
from shared.wire import Record, encode


@pytest.fixture
async def broker(valkey: ValkeyServer) -> AsyncIterator[RedisStreamsBroker]:
    started = RedisStreamsBroker(valkey)
    await started.transport.provision()
    yield started
    await started.end()


@pytest.fixture
async def redis(valkey: ValkeyServer) -> AsyncIterator[RedisTransport]:
    transport = RedisTransport(valkey.url, idle=0.5)
    yield transport
    await transport.close()


async def test_a_lost_group_is_refused_and_never_starts_over(broker: RedisStreamsBroker, redis: RedisTransport) -> None:
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


async def test_a_worker_whose_group_is_lost_stores_what_it_has_paid_for_and_stops(
    broker: RedisStreamsBroker, redis: RedisTransport, workers: Workers
) -> None:
    may_end = asyncio.Event()
    workers.handler.answer("paid for", may_end.wait)
    await redis.publish([submitted("paid for")])
    worker = await workers.start()
    await eventually(lambda: workers.handler.running.total(), within=5)
    await redis.client.xgroup_destroy(SUBMISSIONS, GROUP)
    await eventually(lambda: worker.settlement._stopping, within=5)
    may_end.set()
    with pytest.raises(PositionsLost):
        await worker.stop()
    assert await workers.completed() == Counter(["paid for"])


async def test_a_stream_made_anew_under_a_readers_feet_is_refused(
    broker: RedisStreamsBroker, redis: RedisTransport
) -> None:
    await redis.publish(many(3))
    position = (await redis.ends([SUBMISSIONS]))[0]
    await redis.client.delete(SUBMISSIONS)
    await redis.provision()
    with pytest.raises(PositionsLost, match=SUBMISSIONS):
        await redis.reader("reader", [SUBMISSIONS], reading_from(position))


async def test_what_was_trimmed_before_it_was_read_is_noticed(
    broker: RedisStreamsBroker, redis: RedisTransport
) -> None:
    await redis.publish(many(3))
    await redis.client.xtrim(SUBMISSIONS, maxlen=1, approximate=False)
    with pytest.raises(PositionsLost, match=SUBMISSIONS):
        await redis.reader("reader", [SUBMISSIONS], reading_from({}))


async def test_trimming_removes_what_is_old_and_done_with(broker: RedisStreamsBroker, redis: RedisTransport) -> None:
    await redis.publish(many(300))
    ends = await redis.ends([SUBMISSIONS])
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


async def test_nothing_is_trimmed_while_a_group_is_lost(broker: RedisStreamsBroker, redis: RedisTransport) -> None:
    await redis.publish(many(300))
    await redis.client.xgroup_destroy(SUBMISSIONS, GROUP)
    assert await redis.trim(TOPIC_SUBMISSIONS, await redis.ends([SUBMISSIONS]), timedelta(0), 0) == 0


async def test_foreign_entries_stop_nobody(broker: RedisStreamsBroker, redis: RedisTransport, workers: Workers) -> None:
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


async def test_a_redis_that_may_forget_is_refused(tmp_path: Path) -> None:
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


async def test_where_the_file_is_synced_once_a_second_a_publish_waits_for_it(tmp_path: Path) -> None:
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


async def test_a_full_redis_takes_no_work_and_says_so(broker: RedisStreamsBroker, redis: RedisTransport) -> None:
    await redis.publish(many(2))
    member = await broker.member()
    both = await take(member, 2)
    await redis.client.config_set("maxmemory", "1mb")
    with pytest.raises(BrokerFull):
        await redis.publish([submitted("one too many")])
    await end(member, both[:1])
    assert await redis.lag(GROUP) == Lag(0, 1)
    await redis.client.config_set("maxmemory", "0")
    await redis.publish([submitted("one too many")])
    assert await redis.lag(GROUP) == Lag(1, 1)


async def test_a_frozen_broker_makes_nobody_steal(
    broker: RedisStreamsBroker, valkey: ValkeyServer, workers: Workers
) -> None:
    """No connection breaks: when it goes on, claims that waited in its sockets meet entries that look idle."""
    may_end = asyncio.Event()
    for title in names(20):
        workers.handler.answer(title, may_end.wait)
    await broker.transport.publish(many(20))
    for name in "abc":
        await workers.start(name, poll=0.05)
    await eventually(lambda: workers.handler.running.total() == 20, within=5)
    for _ in range(3):
        valkey.signal(signal.SIGSTOP)
        await remains(lambda: True, during=2 * broker.idle)
        valkey.signal(signal.SIGCONT)
        await remains(lambda: workers.handler.running.total() == 20, during=2 * broker.idle)
    may_end.set()
    await workers.settled()
    assert Counter(title for title, _ in workers.handler.calls) == Counter(names(20))


async def test_a_frozen_worker_takes_nothing_from_those_that_lived_on(broker: RedisStreamsBroker) -> None:
    await broker.transport.publish(many(4))
    member, frozen = [await broker.member(name) for name in "ab"]
    had = await take(member, 4)
    await broker.freeze(frozen)
    assert await gets(member, during=2 * broker.idle) == []
    await broker.freeze(member)
    await broker.thaw(frozen)
    assert await gets(frozen, during=broker.idle / 2) == []
    await broker.thaw(member)
    assert await gets(frozen, during=2 * broker.idle) == []
    await end(member, had)


async def test_entries_whose_answer_was_lost_on_the_way_are_not_lost(
    broker: RedisStreamsBroker, redis: RedisTransport
) -> None:
    broker.idle = 60
    member = await broker.member()
    in_flight = await gets(member, during=0.1)
    await redis.publish(many(10))
    in_flight += await take(member, 5)
    await redis.client.xreadgroup(GROUP, "a", {SUBMISSIONS: ">"}, count=5)
    await broker.go_away()
    with pytest.raises(BrokerUnreachable):
        await member.fetch(5, 0.1)
    await broker.come_back()
    in_flight += await take(member, 5, within=5)
    assert len({delivery.position for delivery in in_flight}) == 10


async def test_no_cancellation_is_lost_on_its_way_through_the_client(
    broker: RedisStreamsBroker, redis: RedisTransport
) -> None:
    """python/cpython#86296: at whatever step a task is cancelled, it ends."""
    for steps in range(60):
        task = asyncio.create_task(redis.publish([submitted(f"topic {steps}")]))
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.cancel():
            await asyncio.wait([task], timeout=5)
            assert task.cancelled(), steps


async def test_leaving_while_the_broker_is_away_takes_no_time_and_raises_nothing(broker: RedisStreamsBroker) -> None:
    await broker.transport.publish(many(3))
    member = await broker.member()
    await take(member, 3)
    await broker.go_away()
    await asyncio.wait_for(member.close(), 5)
    await broker.come_back()
    assert len(await take(await broker.member("b"), 3)) == 3


async def test_a_member_that_left_is_forgotten(broker: RedisStreamsBroker, redis: RedisTransport) -> None:
    await redis.publish(many(3))
    member = await broker.member()
    await end(member, (await take(member, 3))[:1])
    await member.close()
    names_left = [c["name"] for c in await redis.client.xinfo_consumers(SUBMISSIONS, GROUP)]
    assert names_left == [b"handed-back"]


async def test_heartbeats_are_followed_from_the_oldest_on_and_through_an_outage(
    broker: RedisStreamsBroker, redis: RedisTransport
) -> None:
    seen: list[tuple[str, datetime]] = []

    def beat(instance: str) -> Record:
        about = WorkerBeat(service="api", instance=instance, app_version="1", started_at=datetime.now(UTC))
        return encode(about, source=instance)

    newer = beat("from the future")
    newer = Record(newer.stream, newer.key, {**newer.headers, "ce_type": "topicflow.WorkerBeat.v2"}, newer.data)
    await redis.publish([beat("before"), newer])
    await redis.client.xadd(newer.stream, {b"\xff": b"\xff"})
    shell = redis.shell()
    following = asyncio.create_task(follow_heartbeats(shell, lambda b, at: seen.append((b.instance, at))))
    await redis.publish([beat("meanwhile")])
    await eventually(lambda: [name for name, _ in seen] == ["before", "meanwhile"], within=5)
    await broker.go_away()
    await broker.come_back()
    await redis.publish([beat("after")])
    await eventually(lambda: [name for name, _ in seen][2:] == ["after"], within=5)
    assert all(abs(at - datetime.now(UTC)) < timedelta(seconds=30) for _, at in seen)
    following.cancel()
    await asyncio.wait([following])
    await shell.stop()


async def test_outcomes_are_capped_by_nobody_but_heartbeats_are(redis: RedisTransport) -> None:
    beats = [
        encode(WorkerBeat(service="api", instance=f"{n}", app_version="1", started_at=datetime.now(UTC)), source="test")
        for n in range(3000)
    ]
    await redis.publish(beats)
    assert await redis.client.xlen(beats[0].stream) < 1200
    assert await redis.client.xlen(OUTCOMES) == 0
