"""Finds where streams in Kafka differ from the settings, and what `topicflow provision` does about it."""

import asyncio
from collections.abc import Mapping
from functools import partial

from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions
from aiokafka.errors import InvalidPartitionsError, for_code

from shared.errors import BrokerUnreachable, SettingInvalid
from shared.messaging.kafka.admin.alter_configs import SetConfigs
from shared.messaging.kafka.admin.initial_offsets import commit_beside_members
from shared.messaging.kafka.admin.inspector import Inspector
from shared.messaging.kafka.admin.provisioning import ExistingStreams, counts, find, known_everywhere, missing
from shared.messaging.kafka.admin.topic_configs import TopicLayout, configured, is_spread, settled_by
from shared.messaging.kafka.connection import REQUEST_TIMEOUT_SECONDS, Cluster, translated_errors
from shared.messaging.provisioning import ProvisioningPlan, Step

WHAT_MORE_MEAN = (
    "more partitions: a key may get another one. Later attempts of what was submitted before may come to another"
    " partition than the earlier ones; states only grow, so what is shown stays right, and what runs is not run again."
    " Workers and projectors take the new partitions up within a minute"
)


async def plan(cluster: Cluster, observer: Inspector, layout: TopicLayout, partitions: int | None) -> ProvisioningPlan:
    """`partitions`: as `Transport.plan` has it. Raises SettingInvalid, BrokerUnreachable."""
    found = await find(cluster, observer)
    most = max(counts(found), default=0)
    if partitions and most > partitions:
        raise SettingInvalid(f"--partitions {partitions}: there are {most} already, and Kafka takes none away")
    new = await missing(cluster, observer, layout, found, partitions=partitions, commit=commit_beside_members)
    changes = await _settings(cluster, observer, layout, found)
    remarks = await _remarks(observer, layout, found, partitions)
    if few := {name: found[name].partitions for name in found if _has_fewer(found, name, partitions or 0)}:
        text = f"add partitions, up to {partitions}, to {', '.join(f'{name} ({n})' for name, n in few.items())}"
        changes = [Step(text, partial(_add_partitions, cluster, observer, few, partitions or 0)), *changes]
        remarks = [WHAT_MORE_MEAN, *remarks]
    return ProvisioningPlan(new.streams, new.groups, changes, new.lost, remarks)


def _has_fewer(found: ExistingStreams, name: str, partitions: int) -> bool:
    there = found[name].partitions
    return is_spread(name, there) and there < partitions


async def _add_partitions(cluster: Cluster, observer: Inspector, few: Mapping[str, int], partitions: int) -> bool:
    """All streams in one request, so that nobody sees them with different numbers for long. Who added a partition knows
    that a group's first position in it is 0, even if something has been published there since."""
    admin = await observer.admin()
    with translated_errors(InvalidPartitionsError):
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                await admin.create_partitions({cluster.name(name): NewPartitions(partitions) for name in few})
        except InvalidPartitionsError:
            return False  # they have them already
    for name, before in few.items():
        await known_everywhere(observer, name, partitions)
        new = [TopicPartition(cluster.name(name), partition) for partition in range(before, partitions)]
        for group in settled_by(name):
            await commit_beside_members(cluster, group, dict.fromkeys(new, 0))
    return True


async def _settings(cluster: Cluster, observer: Inspector, layout: TopicLayout, found: ExistingStreams) -> list[Step]:
    configured_by_stream = {name: configured(name, layout, shape.replicas) for name, shape in found.items()}
    names = {setting for configs in configured_by_stream.values() for setting in configs}
    actual = await observer.configs([cluster.name(name) for name in found], names)
    steps = []
    for name, configs in configured_by_stream.items():
        now = actual[cluster.name(name)]
        if other := {key: value for key, value in configs.items() if now.get(key) != value}:
            changes = ", ".join(f"{key} to {value} (it is {now.get(key)})" for key, value in other.items())
            steps.append(Step(f"set {changes} for stream {name}", partial(_set, observer, cluster.name(name), other)))
    return steps


async def _set(observer: Inspector, topic: str, configs: Mapping[str, str]) -> bool:
    admin = await observer.admin()
    with translated_errors():
        async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
            answer = await admin._send_request(SetConfigs(topic, configs))
    for code, message, *_ in answer.responses:
        if code:
            raise BrokerUnreachable(f"Kafka does not set {', '.join(configs)} of {topic}: {message or for_code(code)}")
    return True


async def _remarks(
    observer: Inspector, layout: TopicLayout, found: ExistingStreams, partitions: int | None
) -> list[str]:
    remarks = []
    replicas = layout.replication or min(3, len(await observer.brokers()))
    if others := [f"{name} ({shape.replicas})" for name, shape in found.items() if shape.replicas != replicas]:
        remark = f"the replication factor of {', '.join(others)} is not {replicas}, as new streams get it"
        remarks.append(f"{remark}: kafka-reassign-partitions.sh changes it")
    if short := [name for name, shape in found.items() if shape.replicas < (layout.min_insync or 0)]:
        remarks.append(f"TOPICFLOW_MIN_INSYNC is {layout.min_insync}, more than the replicas of {', '.join(short)}")
    there = sorted(counts(found))
    if there and not partitions and there != [layout.partitions]:
        numbers = " and ".join(map(str, there))
        partitions_needed = max(*there, layout.partitions)
        more = (
            f": --partitions {partitions_needed} adds what is missing"
            if there[0] < partitions_needed
            else ", and Kafka takes none away"
        )
        remarks.append(f"streams have {numbers} partitions, TOPICFLOW_PARTITIONS is {layout.partitions}{more}")
    return remarks
