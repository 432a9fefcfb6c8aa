"""An external broker and database for `up`, configured by options or by the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from topicflow.errors import WrongUse

BROKER_URL, DATABASE_URL = "TOPICFLOW_BROKER_URL", "TOPICFLOW_DATABASE_URL"
BROKER = frozenset({BROKER_URL, f"{BROKER_URL}_FILE", "REDIS_HOST", "REDIS_PORT"})
DATABASE = frozenset({DATABASE_URL, f"{DATABASE_URL}_FILE"})
KAFKA_PREFIX = "TOPICFLOW_KAFKA_"  # of all Kafka settings, including the password


@dataclass(frozen=True, slots=True)
class ExternalService:
    """`settings`: environment for the services, including secrets; `display_url`: without secrets."""

    settings: Mapping[str, str]
    display_url: str


def settings_of(service: ExternalService | None) -> Mapping[str, str]:
    return service.settings if service else {}


def override(name: str, value: str | None) -> None:
    """Sets the environment variable from an option, which takes precedence."""
    if value:
        os.environ[name] = value
        os.environ.pop(f"{name}_FILE", None)


def broker() -> ExternalService | None:
    """Raises WrongUse."""
    if not has_broker(os.environ):
        return None
    settings = {name: value for name, value in os.environ.items() if value and is_broker_setting(name)}
    return ExternalService(settings, _display_urls()[0])


def has_broker(environment: Mapping[str, str]) -> bool:
    """Whether a broker is configured. A REDIS_PORT that Kubernetes set for a service of that name does not count."""
    names = {name for name in BROKER if environment.get(name)}
    return bool(names) and not (names == {"REDIS_PORT"} and environment["REDIS_PORT"].startswith("tcp:"))


def database() -> ExternalService | None:
    """Raises WrongUse."""
    settings = {name: os.environ[name] for name in DATABASE if os.environ.get(name)}
    return ExternalService(settings, _display_urls()[1]) if settings else None


def is_broker_setting(name: str) -> bool:
    return name in BROKER or name.startswith(KAFKA_PREFIX)


def is_database_setting(name: str) -> bool:
    return name in DATABASE


def _display_urls() -> tuple[str, str]:
    """URLs of broker and database without secrets. Raises WrongUse."""
    from shared.errors import SettingInvalid
    from shared.messaging.settings import BrokerSettings  # here, because it takes 0.3 s to load
    from shared.settings import DatabaseSettings, without_secrets

    try:
        return without_secrets(BrokerSettings.load().broker_url), without_secrets(DatabaseSettings.load().database_url)
    except SettingInvalid as error:
        raise WrongUse(str(error)) from error
