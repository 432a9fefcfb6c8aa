"""The Kafka topics of our streams and their settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.messaging.kafka.connection import MOST_BYTES
from shared.streams import BY_NAME, STREAMS, Stream

SEGMENT = 1 << 20  # bytes, the fewest that Kafka has: what is not compacted yet is read by every worker that starts
NOBODY_KEEPS = 3_600_000  # milliseconds that a stream which nobody settles or projects is kept
HEADERS = 64 * 1024  # bytes of a batch beside its records


@dataclass(frozen=True, slots=True)
class TopicLayout:
    """`replication`: None is 3, or as many as there are brokers; `min_insync`: None is one less than a stream's
    replicas, so that a broker may be away; `keep_days`: None is for ever."""

    partitions: int = 12
    replication: int | None = None
    min_insync: int | None = None
    keep_days: float | None = None


def laid_out() -> Mapping[str, Stream]:
    """By name, dead letters too."""
    return {name: stream for stream in STREAMS for name in _names(stream)}


def is_kept(stream: Stream) -> bool:
    """Until somebody has settled or projected it."""
    return bool(stream.groups) or stream.projected


def is_spread(name: str, partitions: int = 1) -> bool:
    """Over the same number of partitions as all that are, so that one submission has one number everywhere.

    Dead letters are few and have one partition. `partitions`: those that a stream has, for earlier ones have more.
    """
    return is_kept(laid_out()[name]) and (name in BY_NAME or partitions > 1)


def settled_by(name: str) -> tuple[str, ...]:
    """Groups that settle a stream; dead letters have none."""
    return BY_NAME[name].groups if name in BY_NAME else ()


def _names(stream: Stream) -> list[str]:
    return [stream.name, stream.dead_letters] if is_kept(stream) else [stream.name]


def configured(name: str, layout: TopicLayout, replicas: int) -> dict[str, str]:
    """The settings of a stream's Kafka topic."""
    stream = laid_out()[name]
    keep = int(layout.keep_days * 86_400_000) if layout.keep_days and name == stream.name else -1
    ages = {"cleanup.policy": "delete", "retention.ms": str(keep if is_kept(stream) else NOBODY_KEEPS)}
    if stream.keeps_last:
        ages = {"cleanup.policy": "compact", "segment.bytes": str(SEGMENT), "min.cleanable.dirty.ratio": "0.1"}
    return {
        **ages,
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(MOST_BYTES + HEADERS),
        "min.insync.replicas": str(min(replicas, layout.min_insync or max(1, replicas - 1))),
    }
