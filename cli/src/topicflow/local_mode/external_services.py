"""Which broker and which database `up` was told to use, by options or by the environment; else it has its own."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from topicflow.errors import WrongUse

BROKER_URL, DATABASE_URL = "TOPICFLOW_BROKER_URL", "TOPICFLOW_DATABASE_URL"
BROKER = frozenset({BROKER_URL, f"{BROKER_URL}_FILE", "REDIS_HOST", "REDIS_PORT"})
DATABASE = frozenset({DATABASE_URL, f"{DATABASE_URL}_FILE"})
OF_KAFKA = "TOPICFLOW_KAFKA_"  # what its settings begin with, the password too


@dataclass(frozen=True, slots=True)
class ExternalService:
    """`settings`: what services are told of it, secrets too; `shown`: what people are."""

    settings: Mapping[str, str]
    shown: str


def settings_of(service: ExternalService | None) -> Mapping[str, str]:
    return service.settings if service else {}


def prefer(name: str, value: str | None) -> None:
    """An option is stronger than the environment, which is what services get their settings by."""
    if value:
        os.environ[name] = value
        os.environ.pop(f"{name}_FILE", None)


def broker() -> ExternalService | None:
    """Raises WrongUse."""
    if not names_a_broker(os.environ):
        return None
    settings = {name: value for name, value in os.environ.items() if value and is_of_the_broker(name)}
    return ExternalService(settings, _checked()[0])


def names_a_broker(environment: Mapping[str, str]) -> bool:
    """Kubernetes puts a REDIS_PORT into the environment that nobody meant."""
    names = {name for name in BROKER if environment.get(name)}
    return bool(names) and not (names == {"REDIS_PORT"} and environment["REDIS_PORT"].startswith("tcp:"))


def database() -> ExternalService | None:
    """Raises WrongUse."""
    settings = {name: os.environ[name] for name in DATABASE if os.environ.get(name)}
    return ExternalService(settings, _checked()[1]) if settings else None


def is_of_the_broker(name: str) -> bool:
    return name in BROKER or name.startswith(OF_KAFKA)


def is_of_the_database(name: str) -> bool:
    return name in DATABASE


def _checked() -> tuple[str, str]:
    """Where broker and database are, without secrets."""
    from shared.errors import SettingInvalid
    from shared.messaging.settings import BrokerSettings  # here, because it takes 0.3 s to load
    from shared.settings import DatabaseSettings, without_secrets

    try:
        return without_secrets(BrokerSettings.load().broker_url), without_secrets(DatabaseSettings.load().database_url)
    except SettingInvalid as error:
        raise WrongUse(str(error)) from error
