"""What cannot be handled is kept: the raw record, with where it came from and why."""

from datetime import UTC, datetime
from uuid import uuid5

from shared import __version__
from shared.ids import NAMESPACE
from shared.messaging.broker import Delivery
from shared.messaging.cloudevents import Record
from shared.streams import BY_NAME


def dead_letter(delivery: Delivery, *, code: str, message: str, tries: int, source: str) -> Record:
    """The record as it came, under `dl_` headers; headers are ASCII, so the message is escaped.

    Its id is derived, so that who buries it again says the same. What is unreadable among the dead letters stays there.
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
