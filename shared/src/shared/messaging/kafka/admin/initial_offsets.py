"""Commits offsets for a group from outside, before it has members or next to them."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError

from shared.messaging.kafka.connection import REQUEST_TIMEOUT_SECONDS, Cluster, close_quietly, translated_errors
from shared.messaging.kafka.producer import abandon


async def commit_without_members(cluster: Cluster, group: str, offsets: Mapping[TopicPartition, int]) -> bool:
    """Returns False if the group has members: Kafka then refuses the commit."""
    consumer = AIOKafkaConsumer(**cluster.options, group_id=cluster.name(group), enable_auto_commit=False)
    with translated_errors():
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                await consumer.start()
                consumer.assign(list(offsets))
                with suppress(CommitFailedError):
                    await consumer.commit(dict(offsets))
                    return True
        finally:
            await close_quietly(consumer.stop())
    return False


async def commit_beside_members(cluster: Cluster, group: str, offsets: Mapping[TopicPartition, int]) -> bool:
    """For partitions without a committed offset, so that no member can be ahead of it. Kafka accepts a transactional
    commit from outside the group if it names no member (KIP-447)."""
    if await commit_without_members(cluster, group, offsets):
        return True
    producer = AIOKafkaProducer(**cluster.options, transactional_id=f"{cluster.name(group)}.provision")
    with translated_errors():
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                await producer.start()
                await producer.begin_transaction()
                await producer.send_offsets_to_transaction(dict(offsets), cluster.name(group))
                await producer.commit_transaction()
        finally:
            await abandon(producer)
    return True
