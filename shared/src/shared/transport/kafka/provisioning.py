"""Makes the streams with their partitions and retention, and each group's first positions; changes nothing else."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, UnknownMemberIdError, for_code

from shared.errors import BrokerUnreachable, BrokerUnsafe, PositionsLost
from shared.streams import STREAMS, Stream
from shared.transport.kafka.connection import MOST_BYTES, PATIENCE, PROVISION, Cluster, gone, reaching
from shared.transport.kafka.observer import Observer

NOBODY_KEEPS = 3_600_000  # milliseconds that a stream which nobody settles or projects is kept
HEADERS = 64 * 1024  # bytes of a batch beside its records


@dataclass(frozen=True, slots=True)
class Layout:
    """Of new streams. `replication`, `min_insync`: None is as the brokers are set; `keep_days`: None is for ever."""

    partitions: int = 12
    replication: int | None = None
    min_insync: int | None = None
    keep_days: float | None = None


async def check_session_timeout(observer: Observer, seconds: float) -> None:
    """Raises BrokerUnsafe where the brokers would refuse it: a join would fail in a loop without a word."""
    admin = await observer.admin()
    node = str(admin._client.cluster.brokers().__iter__().__next__().nodeId)
    wanted = ConfigResource(ConfigResourceType.BROKER, node, {"group.min.session.timeout.ms": None})
    with reaching():
        async with asyncio.timeout(PATIENCE):
            (found,) = await admin.describe_configs([wanted])
    for name, value, *_ in (entry for resource in found.resources for entry in resource[4]):
        if name == "group.min.session.timeout.ms" and seconds * 1000 < int(value):
            raise BrokerUnsafe(
                f"TOPICFLOW_SESSION_TIMEOUT_SECONDS: {seconds:g} is below what Kafka allows"
                f" ({int(value) / 1000:g}, group.min.session.timeout.ms)"
            )


async def provision(cluster: Cluster, observer: Observer, layout: Layout) -> list[str]:
    """Says what it made. Raises BrokerUnreachable, PositionsLost."""
    made = await _make_streams(cluster, observer, layout)
    for stream in STREAMS:
        for group in stream.groups:
            made += await _place_group(cluster, observer, stream, group)
    return made


async def _make_streams(cluster: Cluster, observer: Observer, layout: Layout) -> list[str]:
    wanted = {cluster.name(name): (stream, name) for stream in STREAMS for name in _names(stream)}
    found = await observer.described(list(wanted))
    missing = [str(topic["topic"]) for topic in found if topic["error_code"]]
    if not missing:
        return []
    admin = await observer.admin()
    topics = [_new(topic, *wanted[topic], layout) for topic in missing]
    with reaching():
        async with asyncio.timeout(PATIENCE):
            answer = await admin.create_topics(topics)
    made = []
    for topic, code, *message in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise BrokerUnreachable(f"Kafka does not make the stream {topic}: {(message or [error.__name__])[0]}")
        if not code:
            made.append(wanted[topic][1])
    await _known_everywhere(observer, [wanted[topic][1] for topic in missing])
    return made


async def _known_everywhere(observer: Observer, streams: Sequence[str]) -> None:
    """A new stream is there some moments before it can be used."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(BrokerUnreachable):
                await observer.ends(await observer.partitions(streams))
                return
            await asyncio.sleep(0.05)


def _names(stream: Stream) -> list[str]:
    return [stream.name, stream.dead_letters] if stream.groups or stream.projected else [stream.name]


def _new(topic: str, stream: Stream, name: str, layout: Layout) -> NewTopic:
    is_kept = bool(stream.groups or stream.projected)
    keep = int(layout.keep_days * 86_400_000) if layout.keep_days and name == stream.name else -1
    config: dict[str, Any] = {
        "cleanup.policy": "delete",
        "retention.ms": keep if is_kept else NOBODY_KEEPS,
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": MOST_BYTES + HEADERS,
    }
    if layout.min_insync:
        config["min.insync.replicas"] = layout.min_insync
    return NewTopic(
        topic,
        layout.partitions if is_kept else 1,
        layout.replication or -1,
        topic_configs={key: str(value) for key, value in config.items()},
    )


async def _place_group(cluster: Cluster, observer: Observer, stream: Stream, group: str) -> list[str]:
    """At the beginning of a stream that never had a record; a position that is missing elsewhere was lost."""
    places = await observer.partitions([stream.name])
    commits = await observer.commits(group, places)
    missing = [place for place in places if place not in commits]
    if not missing:
        return []
    ends = await observer.ends(missing)
    if lost := [place for place in missing if ends[place]]:
        raise PositionsLost(
            f"the group {group} has no position in {len(lost)} of {len(places)} partitions of stream {stream.name},"
            f" and starting over would pay for everything again: {PROVISION}"
        )
    await commit_for(cluster, group, dict.fromkeys(missing, 0))
    return [f"{stream.name} with group {group}"]


async def commit_for(cluster: Cluster, group: str, offsets: dict[TopicPartition, int]) -> None:
    """For a group without members; one that has some has positions of its own."""
    consumer = AIOKafkaConsumer(**cluster.options, group_id=cluster.name(group), enable_auto_commit=False)
    with reaching():
        try:
            async with asyncio.timeout(PATIENCE):
                await consumer.start()
                consumer.assign(list(offsets))
                with suppress(UnknownMemberIdError):
                    await consumer.commit(offsets)
        finally:
            await gone(consumer.stop())
