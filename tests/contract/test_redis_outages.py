"""Redis freezes, stops, or its answer is lost: no member takes work that another still has."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from contract.brokers import GROUP, Broker
from contract.submissions import SUBMISSIONS, end, fetched_during, many, names, submitted, take
from contract.workers import Workers, remains
from eventually import eventually
from servers import ValkeyServer

from shared.errors import BrokerUnreachable
from shared.events import WorkerHeartbeat
from shared.messaging.cloudevents import Record, encode
from shared.messaging.redis_streams.heartbeats import follow_heartbeats
from shared.messaging.redis_streams.transport import RedisTransport

pytestmark = pytest.mark.parametrize("broker", ["redis_streams"], indirect=True)


async def test_after_a_freeze_of_the_broker_no_member_takes_the_work_of_another(
    broker: Broker, valkey: ValkeyServer, workers: Workers
) -> None:
    """No connection breaks: when Redis resumes, claims from its sockets find entries that look idle."""
    can_end = asyncio.Event()
    for title in names(20):
        workers.handler.answer(title, can_end.wait)
    await broker.transport.publish(many(20))
    for name in "abc":
        await workers.start(name, poll=0.05)
    await eventually(lambda: workers.handler.running.total() == 20, within=15)
    for _ in range(2):
        valkey.freeze()
        await remains(lambda: True, during=1.5 * broker.idle)
        valkey.thaw()
        await remains(lambda: workers.handler.running.total() == 20, during=1.5 * broker.idle)
    can_end.set()
    await workers.settled()
    assert Counter(title for title, _ in workers.handler.calls) == Counter(names(20))


async def test_after_all_members_were_frozen_the_first_to_thaw_leaves_the_others_time(broker: Broker) -> None:
    broker.idle = 1.0
    await broker.transport.publish(many(4))
    member, another = [await broker.member(name) for name in "ab"]
    had = await take(member, 4)
    assert await fetched_during(another, during=0.1) == []
    await asyncio.gather(broker.freeze(member), broker.freeze(another))
    await remains(lambda: True, during=1.2 * broker.idle)
    await broker.thaw(another)
    assert await fetched_during(another, during=0.7 * broker.idle) == []
    await broker.thaw(member)
    assert await fetched_during(another, during=1.2 * broker.idle) == []
    await end(member, had)


async def test_entries_of_a_lost_answer_are_delivered_again(broker: Broker, redis: RedisTransport) -> None:
    broker.idle = 60
    member = await broker.member()
    in_flight = await fetched_during(member, during=0.1)
    await redis.publish(many(10))
    in_flight += await take(member, 5)
    await redis.client.xreadgroup(GROUP, "a", {SUBMISSIONS: ">"}, count=5)
    await broker.go_away()
    with pytest.raises(BrokerUnreachable):
        await member.fetch(5, 0.1)
    await broker.come_back()
    in_flight += await take(member, 5, within=15)
    assert len({delivery.position for delivery in in_flight}) == 10


async def test_no_cancellation_is_lost_in_the_client(broker: Broker, redis: RedisTransport) -> None:
    """python/cpython#86296: at whatever step a task is cancelled, it ends."""
    for steps in range(60):
        task = asyncio.create_task(redis.publish([submitted(f"topic {steps}")]))
        for _ in range(steps):
            await asyncio.sleep(0)
        if task.cancel():
            await asyncio.wait([task], timeout=5)
            assert task.cancelled(), steps


async def test_closing_a_member_while_the_broker_is_down_is_quick_and_raises_nothing(broker: Broker) -> None:
    await broker.transport.publish(many(3))
    member = await broker.member()
    await take(member, 3)
    await broker.go_away()
    await asyncio.wait_for(member.close(), 5)
    await broker.come_back()
    assert len(await take(await broker.member("b"), 3)) == 3


async def test_heartbeats_are_followed_from_the_oldest_and_through_an_outage(
    broker: Broker, redis: RedisTransport
) -> None:
    seen: list[tuple[str, datetime]] = []

    def beat(instance: str) -> Record:
        event = WorkerHeartbeat(service="api", instance=instance, app_version="1", started_at=datetime.now(UTC))
        return encode(event, source=instance)

    newer = beat("newer version")
    newer = Record(newer.stream, newer.key, {**newer.headers, "ce_type": "topicflow.WorkerHeartbeat.v2"}, newer.data)
    await redis.publish([beat("before"), newer])
    await redis.client.xadd(newer.stream, {b"\xff": b"\xff"})
    shell = redis.faststream_broker()
    following = asyncio.create_task(follow_heartbeats(shell, lambda b, at: seen.append((b.instance, at))))
    await redis.publish([beat("meanwhile")])
    await eventually(lambda: [name for name, _ in seen] == ["before", "meanwhile"], within=15)
    await broker.go_away()
    await broker.come_back()
    await redis.publish([beat("after")])
    await eventually(lambda: [name for name, _ in seen][2:] == ["after"], within=15)
    assert all(abs(at - datetime.now(UTC)) < timedelta(seconds=30) for _, at in seen)
    following.cancel()
    await asyncio.wait([following])
    await shell.stop()
