"""The Kafka topics of our streams and their settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.messaging.kafka.connection import MAX_DEAD_LETTER_BYTES, MAX_RECORD_BYTES
from shared.streams import BY_NAME, STREAMS, Stream

SEGMENT_BYTES = 1 << 20  # Kafka's minimum: every starting worker reads the part that is not compacted yet
BROADCAST_RETENTION_MS = 3_600_000  # of streams that are neither settled nor projected
BATCH_OVERHEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class TopicLayout:
    """Defaults: `replication` 3, or the number of brokers if lower; `min_insync` one less than the replicas, to
    tolerate the loss of a broker; `keep_days` forever."""

    partitions: int = 12
    replication: int | None = None
    min_insync: int | None = None
    keep_days: float | None = None


def laid_out() -> Mapping[str, Stream]:
    """All streams by name, including dead letters."""
    return {name: stream for stream in STREAMS for name in _names(stream)}


def is_work_stream(stream: Stream) -> bool:
    """Whether it is settled or projected, so that its records must be kept until then."""
    return bool(stream.groups) or stream.projected


def is_partitioned(name: str, partitions: int = 1) -> bool:
    """Whether a stream has the common number of partitions, so that a submission is in the same partition of each.

    Dead letters are few and have one partition, unless an earlier version created more. `partitions`: the actual
    number.
    """
    return is_work_stream(laid_out()[name]) and (name in BY_NAME or partitions > 1)


def groups_of(name: str) -> tuple[str, ...]:
    """Groups that settle a stream; none for dead letters."""
    return BY_NAME[name].groups if name in BY_NAME else ()


def _names(stream: Stream) -> list[str]:
    return [stream.name, stream.dead_letters] if is_work_stream(stream) else [stream.name]


def topic_config(name: str, layout: TopicLayout, replicas: int) -> dict[str, str]:
    """The settings of a stream's Kafka topic."""
    stream = laid_out()[name]
    retention = int(layout.keep_days * 86_400_000) if layout.keep_days and name == stream.name else -1
    cleanup = {
        "cleanup.policy": "delete",
        "retention.ms": str(retention if is_work_stream(stream) else BROADCAST_RETENTION_MS),
    }
    if stream.keeps_last:
        cleanup = {"cleanup.policy": "compact", "segment.bytes": str(SEGMENT_BYTES), "min.cleanable.dirty.ratio": "0.1"}
    largest = MAX_RECORD_BYTES if name == stream.name else MAX_DEAD_LETTER_BYTES
    return {
        **cleanup,
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(largest + BATCH_OVERHEAD_BYTES),
        "min.insync.replicas": str(min(replicas, layout.min_insync or max(1, replicas - 1))),
    }
