"""Which member has a delivery when members die, freeze, leave and return."""

import asyncio

from contract.brokers import GROUP, Broker
from contract.submissions import end, fetched_during, many, names, submitted, take, title_of, titles

from shared.messaging.broker import Delivery, Lag


async def test_deliveries_of_a_killed_member_go_to_another(broker: Broker) -> None:
    await broker.transport.publish(many(20))
    member = await broker.member("a")
    await end(member, (await take(member, 10))[:5])
    another = await broker.member("b")
    await broker.kill(member)
    assert len(await take(another, 15)) == 15


async def test_work_in_flight_is_never_taken_over_from_a_live_member(broker: Broker) -> None:
    members = [await broker.member(name) for name in "ab"]
    await broker.transport.publish(many(40))
    slow = await asyncio.gather(*(fetched_during(member, during=0.2) for member in members))
    for member, hand in zip(members, slow, strict=True):
        await member.started(hand)
    await broker.transport.publish([submitted("one more")])
    given = await asyncio.gather(*(fetched_during(member, during=max(0.2, 4 * broker.idle)) for member in members))
    assert titles(given[0] + given[1]) == ["one more"]
    for member, hand in zip(members, slow, strict=True):
        await end(member, hand)


async def test_handed_back_deliveries_go_to_another_member_at_once_and_count_no_start(broker: Broker) -> None:
    broker.idle = 60.0 if broker.idle else 0.0
    member, another = [await broker.member(name) for name in "ab"]
    await broker.transport.publish(many(12))
    hand = await take(member, 4)
    others = await fetched_during(another, during=0.2)
    await member.started(hand)
    await member.hand_back(hand[1:])
    await end(member, hand[:1])
    await member.close()
    given = others + await take(another, 11 - len(others), within=3)
    assert titles(given) == sorted(set(names(12)) - set(titles(hand[:1])))
    assert [delivery.starts for delivery in given] == [0] * 11


async def test_a_member_that_leaves_hands_back_its_deliveries(broker: Broker) -> None:
    broker.idle = 60.0 if broker.idle else 0.0
    await broker.transport.publish(many(3))
    member = await broker.member("a")
    await member.started(await take(member, 3))
    await member.close()
    back = await take(await broker.member("b"), 3, within=3)
    assert [delivery.starts for delivery in back] == [0] * 3


async def test_starts_are_counted_across_deaths(broker: Broker) -> None:
    await broker.transport.publish(many(2))
    for deaths in range(4):
        member = await broker.member(f"member {deaths}")
        both = await take(member, 2)
        assert [delivery.starts for delivery in both] == [deaths, deaths]
        await member.started(both)
        await broker.kill(member)


async def test_a_delivery_that_waited_when_its_worker_died_counts_no_start(broker: Broker) -> None:
    await broker.transport.publish(many(2))
    member = await broker.member("a")
    both = await take(member, 2)
    await member.started(both)
    await member.waiting(both[:1])
    await broker.kill(member)
    back = await take(await broker.member("b"), 2)
    starts = {title_of(delivery.record): delivery.starts for delivery in back}
    assert starts == {title_of(both[0].record): 0, title_of(both[1].record): 1}


async def test_a_delivery_that_waited_and_was_started_again_counts_once(broker: Broker) -> None:
    await broker.transport.publish(many(1))
    member = await broker.member("a")
    one = await take(member, 1)
    await member.started(one)
    await member.waiting(one)
    await member.started(one)
    await member.started(one)
    await broker.kill(member)
    (back,) = await take(await broker.member("b"), 1)
    assert back.starts == 1


async def test_a_member_restarted_under_its_name_resumes_at_once(broker: Broker) -> None:
    broker.idle = 60.0 if broker.idle else 0.0
    broker.is_static = True
    await broker.transport.publish(many(40))
    member = await broker.member("a")
    had = await take(member, 40)
    await broker.kill(member)
    restarted = await broker.member("a")
    again: list[Delivery] = []
    for limit in (7, 7, 26):  # the window of a restarted worker fills while the first ones run
        again += await take(restarted, limit, within=3)
    assert titles(again) == titles(had)


async def test_deliveries_of_a_frozen_member_go_to_another_and_not_to_itself(broker: Broker) -> None:
    await broker.transport.publish(many(12))
    frozen = await broker.member("a")
    had = await take(frozen, 12)
    await frozen.started(had)
    await end(frozen, had[:4])
    another = await broker.member("b")
    await broker.freeze(frozen)
    assert titles(await take(another, 8)) == titles(had[4:])
    await broker.kill(another)
    await broker.thaw(frozen)
    assert await fetched_during(frozen, during=3 * broker.idle) == []
    await end(frozen, had[4:])
    assert await broker.transport.lag(GROUP) == Lag(0, 0)


async def test_a_frozen_member_that_settles_late_settles_nothing_that_others_have_started(
    broker: Broker,
) -> None:
    await broker.transport.publish(many(10))
    frozen = await broker.member("a")
    had = await take(frozen, 5)
    another = await broker.member("b")
    await broker.freeze(frozen)
    taken = await take(another, 10)
    await end(frozen, had)
    await broker.kill(another)
    left = await fetched_during(await broker.member("c"), during=max(0.2, 3 * broker.idle))
    assert set(titles(left)) >= set(titles(taken)) - set(titles(had))


async def test_a_rebalance_repeats_no_kept_work_and_settles_no_unfinished_work(
    broker: Broker,
) -> None:
    await broker.transport.publish(many(60))
    members = [await broker.member(name) for name in "abc"]
    hands = [await take(member, 8) for member in members]
    ended: list[Delivery] = []
    for member, hand in zip(members, hands, strict=True):
        await member.started(hand)
    for _ in range(4):
        await broker.rebalance()
        for member, hand in zip(members, hands, strict=True):
            await end(member, hand[5:6])
            ended.append(hand.pop(5))
            new = await member.fetch(2, 0.1)
            assert not {(d.partition, d.position) for d in new} & {(d.partition, d.position) for d in hand}
            assert [delivery.starts for delivery in new] == [0] * len(new)
            await member.started(new)
            hand += new
    for member in members:
        await broker.kill(member)
    last = await broker.member("d")
    left = set(titles(await fetched_during(last, during=max(0.2, 3 * broker.idle))))
    assert left >= set(names(60)) - set(titles(ended))


async def test_members_share_the_work_and_nothing_is_delivered_twice(broker: Broker) -> None:
    members = [await broker.member(name) for name in "abc"]
    await broker.transport.publish(many(60))
    taken: list[Delivery] = []
    while len(taken) < 60:
        for member in members:
            taken += await member.fetch(4, 0.1)
    assert titles(taken) == names(60)
