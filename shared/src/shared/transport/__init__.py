"""Kafka and Redis Streams behind one small protocol (`base.py`); where work is settled, settlement is ours."""

from shared.broker_settings import BrokerSettings
from shared.transport.base import Transport
from shared.transport.kafka.connection import Cluster, Login
from shared.transport.kafka.layout import Layout
from shared.transport.kafka.transport import KafkaTransport
from shared.transport.redis_streams.transport import RedisTransport


def connect(settings: BrokerSettings) -> Transport:
    """The broker that the settings name; nothing is sent before the first call."""
    if not settings.is_kafka:
        return RedisTransport(
            settings.broker_url,
            idle=settings.session_timeout_seconds,
            allow_volatile=settings.allow_volatile_broker,
        )
    login = None
    if settings.kafka_username and settings.kafka_password:
        login = Login(settings.kafka_sasl, settings.kafka_username, settings.kafka_password.get_secret_value())
    return KafkaTransport(
        Cluster(settings.kafka_servers, settings.stream_prefix, settings.tls(), login),
        Layout(settings.partitions, settings.replication, settings.min_insync, settings.retain),
        session_timeout=settings.session_timeout_seconds,
        is_static=bool(settings.instance_name),
    )
