"""Kafka and Redis Streams behind one protocol (`broker.py`). Work is settled by our own code, not by FastStream."""

from shared.messaging.broker import Transport
from shared.messaging.settings import BrokerSettings


def connect(settings: BrokerSettings) -> Transport:
    """A client of the configured broker; nothing is sent before the first call. Only the client library in use is
    imported, because each takes up to 0.3 s of a start."""
    if settings.is_kafka:
        from shared.messaging.kafka.transport import KafkaTransport

        return KafkaTransport.of(settings)
    from shared.messaging.redis_streams.transport import RedisTransport

    return RedisTransport.of(settings)
