"""Provisioning on every broker: creates what is missing, and detects lost groups without recreating them."""

from collections import Counter

import pytest
from contract.brokers import GROUP, Broker
from contract.submissions import OUTCOMES, SUBMISSIONS, many, names, stored, submitted
from contract.workers import Workers
from eventually import eventually

from shared.errors import PositionsLost, SettingInvalid
from shared.messaging.provisioning import Lost


async def test_when_everything_exists_there_is_nothing_to_do(broker: Broker) -> None:
    await broker.transport.publish(many(3))
    plan = await broker.transport.plan()
    assert not [*plan.streams, *plan.groups, *plan.changes, *plan.lost]


async def test_a_plan_changes_nothing(broker: Broker) -> None:
    before = await broker.transport.plan()
    again = await broker.transport.plan()
    assert [step.text for step in again.streams] == [step.text for step in before.streams]


async def test_a_lost_group_is_found_and_refused_and_resumes_where_it_is_placed(
    broker: Broker, workers: Workers
) -> None:
    await broker.transport.publish(many(5))
    worker = await workers.start()
    await workers.settled()
    await worker.stop()
    await worker.consumer.close()
    await broker.lose_positions()
    for _ in range(2):
        with pytest.raises(PositionsLost, match=f"{GROUP} in {SUBMISSIONS}.*`topicflow provision`") as refused:
            await (await broker.connect()).provision()
        assert GROUP in refused.value.groups
    with pytest.raises(PositionsLost):
        await broker.transport.lag(GROUP)
    plan = await broker.transport.plan()
    assert plan.lost == [Lost(GROUP, SUBMISSIONS)]
    assert not plan.groups
    ends = await broker.transport.end_positions([SUBMISSIONS, OUTCOMES])
    await broker.transport.publish([submitted("later")])
    await broker.transport.set_positions(GROUP, SUBMISSIONS, ends)
    assert await broker.transport.provision() == []
    await workers.start("b")
    await workers.settled()
    assert await workers.completed() == Counter([*names(5), "later"])
    assert len(await stored(broker.transport, SUBMISSIONS)) == 6


async def test_a_member_of_a_lost_group_stops(broker: Broker) -> None:
    await broker.transport.publish(many(1))
    await broker.lose_positions()
    member = await broker.member()

    async def stops() -> bool:
        return bool(await member.fetch(1, 0.1))

    with pytest.raises(PositionsLost):
        await eventually(stops, within=20)


@pytest.mark.parametrize("broker", ["redis_streams"], indirect=True)
async def test_redis_has_no_partitions_to_add(broker: Broker) -> None:
    with pytest.raises(SettingInvalid, match="--partitions"):
        await broker.transport.plan(partitions=24)
