"""Compares streams in Kafka with the settings, and plans what `topicflow provision` changes."""

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
from shared.messaging.kafka.admin.provisioning import (
    ExistingStreams,
    find_streams,
    partition_counts,
    plan_missing,
    wait_for_partitions,
)
from shared.messaging.kafka.admin.topic_configs import TopicLayout, groups_of, is_partitioned, topic_config
from shared.messaging.kafka.connection import REQUEST_TIMEOUT_SECONDS, Cluster, translated_errors
from shared.messaging.provisioning import ProvisioningPlan, Step

MORE_PARTITIONS = (
    "more partitions change the partition of some keys: later attempts of an existing submission may be stored in"
    " another partition than earlier ones. Its status stays correct, because states only grow, and running work is not"
    " repeated. Workers and projectors pick up new partitions within a minute"
)


async def plan(cluster: Cluster, inspector: Inspector, layout: TopicLayout, partitions: int | None) -> ProvisioningPlan:
    """`partitions`: see `Provisioner.plan`. Raises SettingInvalid, BrokerUnreachable."""
    existing = await find_streams(cluster, inspector)
    most = max(partition_counts(existing), default=0)
    if partitions and most > partitions:
        raise SettingInvalid(f"--partitions {partitions}: there are {most} already, and Kafka cannot remove partitions")
    new = await plan_missing(cluster, inspector, layout, existing, partitions=partitions, commit=commit_beside_members)
    changes = await _settings(cluster, inspector, layout, existing)
    remarks = await _remarks(inspector, layout, existing, partitions)
    if fewer := {name: existing[name].partitions for name in existing if _has_fewer(existing, name, partitions or 0)}:
        text = f"add partitions, up to {partitions}, to {', '.join(f'{name} ({n})' for name, n in fewer.items())}"
        changes = [Step(text, partial(_add_partitions, cluster, inspector, fewer, partitions or 0)), *changes]
        remarks = [MORE_PARTITIONS, *remarks]
    return ProvisioningPlan(new.streams, new.groups, changes, new.lost, remarks)


def _has_fewer(existing: ExistingStreams, name: str, partitions: int) -> bool:
    current = existing[name].partitions
    return is_partitioned(name, current) and current < partitions


async def _add_partitions(cluster: Cluster, inspector: Inspector, fewer: Mapping[str, int], partitions: int) -> bool:
    """Changes all streams in one request, so that their numbers differ only briefly. In a partition that was just
    added, a group starts at 0, even if something has been published there since."""
    admin = await inspector.admin()
    with translated_errors(InvalidPartitionsError):
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
                await admin.create_partitions({cluster.name(name): NewPartitions(partitions) for name in fewer})
        except InvalidPartitionsError:
            return False  # another process added them
    for name, current in fewer.items():
        await wait_for_partitions(inspector, name, partitions)
        new = [TopicPartition(cluster.name(name), partition) for partition in range(current, partitions)]
        for group in groups_of(name):
            await commit_beside_members(cluster, group, dict.fromkeys(new, 0))
    return True


async def _settings(
    cluster: Cluster, inspector: Inspector, layout: TopicLayout, existing: ExistingStreams
) -> list[Step]:
    configured_by_stream = {name: topic_config(name, layout, shape.replicas) for name, shape in existing.items()}
    names = {setting for configs in configured_by_stream.values() for setting in configs}
    actual = await inspector.configs([cluster.name(name) for name in existing], names)
    steps = []
    for name, configs in configured_by_stream.items():
        current = actual[cluster.name(name)]
        if differing := {key: value for key, value in configs.items() if current.get(key) != value}:
            changes = ", ".join(f"{key} to {value} (it is {current.get(key)})" for key, value in differing.items())
            steps.append(
                Step(f"set {changes} for stream {name}", partial(_set, inspector, cluster.name(name), differing))
            )
    return steps


async def _set(inspector: Inspector, topic: str, configs: Mapping[str, str]) -> bool:
    admin = await inspector.admin()
    with translated_errors():
        async with asyncio.timeout(REQUEST_TIMEOUT_SECONDS):
            response = await admin._send_request(SetConfigs(topic, configs))
    for code, message, *_ in response.responses:
        if code:
            raise BrokerUnreachable(
                f"Kafka refuses to set {', '.join(configs)} of {topic}: {message or for_code(code)}"
            )
    return True


async def _remarks(
    inspector: Inspector, layout: TopicLayout, existing: ExistingStreams, partitions: int | None
) -> list[str]:
    remarks = []
    replicas = layout.replication or min(3, len(await inspector.brokers()))
    if others := [f"{name} ({shape.replicas})" for name, shape in existing.items() if shape.replicas != replicas]:
        remark = f"the replication factor of {', '.join(others)} is not {replicas}, the factor of new streams"
        remarks.append(f"{remark}: change it with kafka-reassign-partitions.sh")
    if short := [name for name, shape in existing.items() if shape.replicas < (layout.min_insync or 0)]:
        remarks.append(f"TOPICFLOW_MIN_INSYNC is {layout.min_insync}, more than the replicas of {', '.join(short)}")
    numbers = sorted(partition_counts(existing))
    if numbers and not partitions and numbers != [layout.partitions]:
        current = " and ".join(map(str, numbers))
        needed = max(*numbers, layout.partitions)
        more = (
            f": --partitions {needed} adds the missing ones"
            if numbers[0] < needed
            else ", and Kafka cannot remove partitions"
        )
        remarks.append(f"streams have {current} partitions, TOPICFLOW_PARTITIONS is {layout.partitions}{more}")
    return remarks
