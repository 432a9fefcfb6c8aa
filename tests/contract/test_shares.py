"""The shares of the members of a group add up to all of its work while members join and leave."""

from contract.brokers import Broker
from contract.submissions import many
from eventually import eventually

from shared.messaging.broker import Consumer


async def shares(*members: Consumer) -> list[float]:
    """After each has read once."""
    for member in members:
        await member.fetch(1, 0.05)
    return [await member.group_share() for member in members]


async def test_the_shares_of_all_members_add_up_to_one(broker: Broker) -> None:
    await broker.transport.publish(many(40))
    first = await broker.member("a")

    async def all_are_its_own() -> bool:
        return await shares(first) == [1.0]

    await eventually(all_are_its_own, within=10)
    second = await broker.member("b")

    async def are_shared() -> bool:
        found = await shares(first, second)
        return sum(found) == 1.0 and min(found) > 0

    await eventually(are_shared, within=20)
    await broker.kill(second)
    await eventually(all_are_its_own, within=20)
