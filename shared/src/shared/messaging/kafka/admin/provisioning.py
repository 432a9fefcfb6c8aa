"""Creates missing streams and initial offsets, and finds lost groups. Changes nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from aiokafka import TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.errors import BrokerUnreachable, BrokerUnsafe, GroupInUse
from shared.messaging.broker import Positions
from shared.messaging.kafka.admin.initial_offsets import commit_without_members
from shared.messaging.kafka.admin.inspector import Inspector
from shared.messaging.kafka.admin.topic_configs import TopicLayout, is_partitioned, laid_out, topic_config
from shared.messaging.kafka.connection import REQUEST_TIMEOUT_SECONDS, Cluster, translated_errors
from shared.messaging.kafka.positions import Position
from shared.messaging.provisioning import Lost, ProvisioningPlan, Step
from shared.streams import STREAMS

Commit = Callable[[Cluster, str, Mapping[TopicPartition, int]], Awaitable[bool]]
ExistingStreams = Mapping[str, "Shape"]  # by name


@dataclass(frozen=True, slots=True)
class Shape:
    """State of an existing stream."""

    partitions: int
    replicas: int


async def check_session_timeout(inspector: Inspector, seconds: float) -> None:
    """Raises BrokerUnsafe if the brokers would refuse it: joining would then fail silently, again and again."""
    admin = await inspector.admin()
    node = str((await inspector.brokers())[0])
    resource = ConfigResource(ConfigResourceType.BROKER, node, {"group.min.session.timeout.ms": None})
    with translated_errors():
        async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
            (response,) = await admin.describe_configs([resource])
    for name, value, *_ in (entry for resource in response.resources for entry in resource[4]):
        if name == "group.min.session.timeout.ms" and seconds * 1000 < int(value):
            raise BrokerUnsafe(
                f"TOPICFLOW_SESSION_TIMEOUT_SECONDS: {seconds:g} is below what Kafka allows"
                f" ({int(value) / 1000:g}, group.min.session.timeout.ms)"
            )


async def find_streams(cluster: Cluster, inspector: Inspector) -> ExistingStreams:
    described = {
        topic["topic"]: topic for topic in await inspector.describe_topics([cluster.name(name) for name in laid_out()])
    }
    partitions_by_name = {name: described[cluster.name(name)]["partitions"] for name in laid_out()}
    return {
        name: Shape(len(partitions), len(partitions[0]["replicas"]))
        for name, partitions in partitions_by_name.items()
        if partitions
    }


def partition_counts(existing: ExistingStreams) -> set[int]:
    """Partition counts of the streams that must all have the same number."""
    return {shape.partitions for name, shape in existing.items() if is_partitioned(name, shape.partitions)}


async def plan_missing(
    cluster: Cluster,
    inspector: Inspector,
    layout: TopicLayout,
    existing: ExistingStreams,
    *,
    partitions: int | None = None,
    commit: Commit = commit_without_members,
) -> ProvisioningPlan:
    """`partitions`: of new streams; default: as many as the existing ones. `commit`: commits a group's initial
    offsets."""
    number = partitions or max(partition_counts(existing), default=layout.partitions)
    replicas = layout.replication or min(3, len(await inspector.brokers()))
    streams = []
    for name in [name for name in laid_out() if name not in existing]:
        topic = _topic(cluster, name, layout, number, replicas)
        text = (
            f"create the stream {name} with {_count(topic.num_partitions, 'partition')}, {_count(replicas, 'replica')}"
        )
        streams.append(Step(text, partial(_create_topic, cluster, inspector, topic)))
    groups: list[Step] = []
    lost: list[Lost] = []
    for stream, group in _stream_groups():
        uncommitted = await _uncommitted(inspector, stream, group) if stream in existing else []
        if any((await inspector.ends(uncommitted)).values()):
            lost.append(Lost(group, stream))
        elif uncommitted or stream not in existing:
            text = f"commit initial offsets of group {group} in stream {stream}"
            groups.append(Step(text, partial(_commit_initial, cluster, inspector, stream, group, commit)))
    return ProvisioningPlan(streams, groups, lost=lost)


def _stream_groups() -> list[tuple[str, str]]:
    """Pairs of stream and group."""
    return [(stream.name, group) for stream in STREAMS for group in stream.groups]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _topic(cluster: Cluster, name: str, layout: TopicLayout, partitions: int, replicas: int) -> NewTopic:
    number = partitions if is_partitioned(name) else 1
    return NewTopic(cluster.name(name), number, replicas, topic_configs=topic_config(name, layout, replicas))


async def _create_topic(cluster: Cluster, inspector: Inspector, topic: NewTopic) -> bool:
    admin = await inspector.admin()
    with translated_errors():
        async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
            response = await admin.create_topics([topic])
    [(_, code, *message)] = response.topic_errors
    error = for_code(code)
    if code and error is not TopicAlreadyExistsError:
        raise BrokerUnreachable(f"Kafka refuses to create the stream {topic.name}: {(message or [error.__name__])[0]}")
    await wait_for_partitions(inspector, cluster.stream(topic.name), topic.num_partitions)
    return not code


async def wait_for_partitions(inspector: Inspector, stream: str, partitions: int) -> None:
    """Waits for new partitions, which exist some moments before they can be used."""
    async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
        while True:
            inspector.forget(stream)
            with suppress(BrokerUnreachable):
                if len(await inspector.ends(await inspector.partitions([stream]))) >= partitions:
                    return
            await asyncio.sleep(0.05)


async def _uncommitted(inspector: Inspector, stream: str, group: str) -> list[TopicPartition]:
    partitions = await inspector.partitions([stream])
    return sorted(set(partitions) - (await inspector.commits(group, partitions)).keys())


async def _commit_initial(cluster: Cluster, inspector: Inspector, stream: str, group: str, commit: Commit) -> bool:
    """Commits offset 0 for partitions that never had a record."""
    uncommitted = await _uncommitted(inspector, stream, group)
    return bool(uncommitted) and await commit(cluster, group, dict.fromkeys(uncommitted, 0))


async def set_positions(cluster: Cluster, group: str, stream: str, positions: Mapping[int, Positions]) -> None:
    """Raises GroupInUse."""
    topic = cluster.name(stream)
    offsets = {
        TopicPartition(topic, partition): Position.of(by_stream.get(stream, "")).offset
        for partition, by_stream in positions.items()
    }
    if not await commit_without_members(cluster, group, offsets):
        raise GroupInUse(f"the group {group} has members: stop them first")
