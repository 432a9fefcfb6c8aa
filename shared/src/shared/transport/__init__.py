"""Kafka and Redis Streams behind one small protocol (`base.py`); where work is settled, settlement is ours."""

from shared.settings import BrokerSettings
from shared.transport.redis_streams.transport import RedisTransport


def connect(settings: BrokerSettings) -> RedisTransport:
    """The broker that the settings name; nothing is sent before the first call."""
    return RedisTransport(
        settings.broker_url,
        idle=settings.session_timeout_seconds,
        allow_volatile=settings.allow_volatile_broker,
    )
