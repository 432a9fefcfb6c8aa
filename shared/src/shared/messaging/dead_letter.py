"""Builds dead letters: the raw record, with its origin and the error."""

from datetime import UTC, datetime
from uuid import uuid5

from shared import __version__
from shared.ids import NAMESPACE
from shared.messaging.broker import Delivery
from shared.messaging.cloudevents import Record
from shared.streams import BY_NAME


def dead_letter(delivery: Delivery, *, code: str, message: str, tries: int, source: str) -> Record:
    """The unchanged record with `dl_` headers. Headers are ASCII, so the message is escaped.

    The id is derived, so dead-lettering the same delivery twice gives the same id. An unreadable dead letter stays
    where it is.
    """
    record = delivery.record
    stream = BY_NAME.get(record.stream)
    origin = (record.stream, delivery.partition, delivery.position, record.event_id, code)
    return Record(
        stream=stream.dead_letters if stream else record.stream,
        key=record.key,
        headers={
            **record.headers,
            "dl_id": str(uuid5(NAMESPACE, "|".join(map(str, origin)))),
            "dl_stream": record.stream,
            "dl_partition": str(delivery.partition),
            "dl_position": delivery.position,
            "dl_starts": str(delivery.starts),
            "dl_tries": str(tries),
            "dl_error": code,
            "dl_message": message[:1000].encode("ascii", "backslashreplace").decode(),
            "dl_source": source,
            "dl_version": __version__,
            "dl_time": datetime.now(UTC).isoformat(),
        },
        data=record.data,
    )
