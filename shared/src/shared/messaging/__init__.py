"""Kafka and Redis Streams behind one small protocol (`broker.py`); where work is settled, settlement is ours."""

from shared.messaging.broker import Transport
from shared.messaging.settings import BrokerSettings


def connect(settings: BrokerSettings) -> Transport:
    """The broker that the settings name; nothing is sent before the first call. Only its own client is imported, for
    each takes up to 0.3 s of a start."""
    if settings.is_kafka:
        from shared.messaging.kafka.transport import KafkaTransport

        return KafkaTransport.of(settings)
    from shared.messaging.redis_streams.transport import RedisTransport

    return RedisTransport.of(settings)
