"""Measures a group's lag in Kafka: end offsets against commits, including the finished and started offsets in their
metadata."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from shared.errors import PositionsLost
from shared.messaging.broker import Lag
from shared.messaging.kafka.admin.inspector import Inspector
from shared.messaging.kafka.connection import stored_at
from shared.messaging.offset_tracker import OffsetTracker
from shared.messaging.provisioning import PROVISION
from shared.streams import streams_of

FOREVER = -1


async def lag(inspector: Inspector, group: str) -> Lag:
    """At most five requests, however large the backlog."""
    partitions = await inspector.partitions([stream.name for stream in streams_of(group)])
    commits, ends = await asyncio.gather(inspector.commits(group, partitions), inspector.ends(partitions))
    if missing := [partition for partition in partitions if partition not in commits]:
        name = f"{missing[0].topic}/{missing[0].partition}"
        raise PositionsLost(f"the group {group} has no position for {name}. {PROVISION}", [group])
    trackers = {partition: _tracker(commits[partition]) for partition in partitions}
    in_flight = sum(tracker.held for tracker in trackers.values())
    behind = sum(ends[partition] - tracker.watermark - tracker.finished for partition, tracker in trackers.items())
    unread = {
        partition: tracker.watermark for partition, tracker in trackers.items() if tracker.watermark < ends[partition]
    }
    times = {partition: stored_at(record) for partition, record in (await inspector.records(unread)).items()}
    return Lag(behind - in_flight, in_flight, min(times.values(), default=None), await _expires_at(inspector, times))


def _tracker(commit: OffsetAndMetadata) -> OffsetTracker:
    return OffsetTracker(commit.offset, commit.metadata)


async def _expires_at(inspector: Inspector, oldest: Mapping[TopicPartition, datetime]) -> datetime | None:
    retention = await inspector.retention({partition.topic for partition in oldest})
    times = [
        time + timedelta(milliseconds=retention[partition.topic])
        for partition, time in oldest.items()
        if retention[partition.topic] != FOREVER
    ]
    return min(times, default=None)
