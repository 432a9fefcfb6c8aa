"""Creates missing streams and initial offsets; finds lost groups. Changes nothing else."""

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
from shared.messaging.kafka.admin.topic_configs import TopicLayout, configured, is_spread, laid_out
from shared.messaging.kafka.connection import REQUEST_TIMEOUT_SECONDS, Cluster, translated_errors
from shared.messaging.kafka.positions import Position
from shared.messaging.provisioning import Lost, ProvisioningPlan, Step
from shared.streams import STREAMS

Commit = Callable[[Cluster, str, Mapping[TopicPartition, int]], Awaitable[bool]]
ExistingStreams = Mapping[str, "Shape"]  # by name, only streams that there are


@dataclass(frozen=True, slots=True)
class Shape:
    """State of an existing stream."""

    partitions: int
    replicas: int


async def check_session_timeout(observer: Inspector, seconds: float) -> None:
    """Raises BrokerUnsafe if the brokers would refuse it: joins would fail in a silent loop."""
    admin = await observer.admin()
    node = str((await observer.brokers())[0])
    resource = ConfigResource(ConfigResourceType.BROKER, node, {"group.min.session.timeout.ms": None})
    with translated_errors():
        async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
            (found,) = await admin.describe_configs([resource])
    for name, value, *_ in (entry for resource in found.resources for entry in resource[4]):
        if name == "group.min.session.timeout.ms" and seconds * 1000 < int(value):
            raise BrokerUnsafe(
                f"TOPICFLOW_SESSION_TIMEOUT_SECONDS: {seconds:g} is below what Kafka allows"
                f" ({int(value) / 1000:g}, group.min.session.timeout.ms)"
            )


async def find(cluster: Cluster, observer: Inspector) -> ExistingStreams:
    described = {
        topic["topic"]: topic for topic in await observer.described([cluster.name(name) for name in laid_out()])
    }
    there = {name: described[cluster.name(name)]["partitions"] for name in laid_out()}
    return {
        name: Shape(len(partitions), len(partitions[0]["replicas"])) for name, partitions in there.items() if partitions
    }


def counts(found: ExistingStreams) -> set[int]:
    """Partition counts of the streams that must all have the same number."""
    return {shape.partitions for name, shape in found.items() if is_spread(name, shape.partitions)}


async def missing(
    cluster: Cluster,
    observer: Inspector,
    layout: TopicLayout,
    found: ExistingStreams,
    *,
    partitions: int | None = None,
    commit: Commit = commit_without_members,
) -> ProvisioningPlan:
    """`partitions` of new streams; None: as many as the others have. `commit`: commits a group's initial offsets."""
    number = partitions or max(counts(found), default=layout.partitions)
    replicas = layout.replication or min(3, len(await observer.brokers()))
    streams = []
    for name in [name for name in laid_out() if name not in found]:
        topic = _topic(cluster, name, layout, number, replicas)
        text = (
            f"create the stream {name} with {_count(topic.num_partitions, 'partition')}, {_count(replicas, 'replica')}"
        )
        streams.append(Step(text, partial(_make, cluster, observer, topic)))
    groups: list[Step] = []
    lost: list[Lost] = []
    for stream, group in _settled():
        unplaced = await _unplaced(observer, stream, group) if stream in found else []
        if any((await observer.ends(unplaced)).values()):
            lost.append(Lost(group, stream))
        elif unplaced or stream not in found:
            text = f"commit initial offsets of group {group} in stream {stream}"
            groups.append(Step(text, partial(_begin, cluster, observer, stream, group, commit)))
    return ProvisioningPlan(streams, groups, lost=lost)


def _settled() -> list[tuple[str, str]]:
    """By stream and group."""
    return [(stream.name, group) for stream in STREAMS for group in stream.groups]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _topic(cluster: Cluster, name: str, layout: TopicLayout, partitions: int, replicas: int) -> NewTopic:
    number = partitions if is_spread(name) else 1
    return NewTopic(cluster.name(name), number, replicas, topic_configs=configured(name, layout, replicas))


async def _make(cluster: Cluster, observer: Inspector, topic: NewTopic) -> bool:
    admin = await observer.admin()
    with translated_errors():
        async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
            answer = await admin.create_topics([topic])
    [(_, code, *message)] = answer.topic_errors
    error = for_code(code)
    if code and error is not TopicAlreadyExistsError:
        raise BrokerUnreachable(f"Kafka does not create the stream {topic.name}: {(message or [error.__name__])[0]}")
    await known_everywhere(observer, cluster.stream(topic.name), topic.num_partitions)
    return not code


async def known_everywhere(observer: Inspector, stream: str, partitions: int) -> None:
    """Waits for new partitions, which exist some moments before they can be used."""
    async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
        while True:
            observer.forget(stream)
            with suppress(BrokerUnreachable):
                if len(await observer.ends(await observer.partitions([stream]))) >= partitions:
                    return
            await asyncio.sleep(0.05)


async def _unplaced(observer: Inspector, stream: str, group: str) -> list[TopicPartition]:
    places = await observer.partitions([stream])
    return sorted(set(places) - (await observer.commits(group, places)).keys())


async def _begin(cluster: Cluster, observer: Inspector, stream: str, group: str, commit: Commit) -> bool:
    """Commits offset 0 for partitions that never had a record."""
    unplaced = await _unplaced(observer, stream, group)
    return bool(unplaced) and await commit(cluster, group, dict.fromkeys(unplaced, 0))


async def place(cluster: Cluster, group: str, stream: str, positions: Mapping[int, Positions]) -> None:
    """Raises GroupInUse."""
    topic = cluster.name(stream)
    at = {TopicPartition(topic, p): Position.of(of.get(stream, "")).offset for p, of in positions.items()}
    if not await commit_without_members(cluster, group, at):
        raise GroupInUse(f"the group {group} has members: stop them first")
