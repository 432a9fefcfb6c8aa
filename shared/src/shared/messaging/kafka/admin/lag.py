"""Measures a group's lag in Kafka: end offsets against commits, including what their metadata says is finished or
started."""

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

FOR_EVER = -1


async def lag(observer: Inspector, group: str) -> Lag:
    """At most five requests, however large the backlog."""
    places = await observer.partitions([stream.name for stream in streams_of(group)])
    commits, ends = await asyncio.gather(observer.commits(group, places), observer.ends(places))
    if missing := [place for place in places if place not in commits]:
        where = f"{missing[0].topic}/{missing[0].partition}"
        raise PositionsLost(f"the group {group} has no position for {where}. {PROVISION}", [group])
    windows = {place: _window(commits[place]) for place in places}
    in_flight = sum(window.held for window in windows.values())
    behind = sum(ends[place] - window.watermark - window.finished for place, window in windows.items())
    unread = {place: window.watermark for place, window in windows.items() if window.watermark < ends[place]}
    times = {place: stored_at(record) for place, record in (await observer.records(unread)).items()}
    return Lag(behind - in_flight, in_flight, min(times.values(), default=None), await _lost_at(observer, times))


def _window(commit: OffsetAndMetadata) -> OffsetTracker:
    return OffsetTracker(commit.offset, commit.metadata)


async def _lost_at(observer: Inspector, oldest: Mapping[TopicPartition, datetime]) -> datetime | None:
    kept = await observer.retention({place.topic for place in oldest})
    lost = [
        time + timedelta(milliseconds=kept[place.topic])
        for place, time in oldest.items()
        if kept[place.topic] != FOR_EVER
    ]
    return min((moment for moment in lost), default=None)
