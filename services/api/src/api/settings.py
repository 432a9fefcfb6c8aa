"""What the API is told."""

from ipaddress import ip_address

from pydantic import field_validator

from shared.settings import BrokerSettings, DatabaseSettings, OwnPort, named


class ApiSettings(BrokerSettings, DatabaseSettings):
    host: str = named("TOPICFLOW_HOST", default="127.0.0.1")
    port: OwnPort = named("TOPICFLOW_PORT", default=8000)
    max_backlog: int = named("TOPICFLOW_MAX_BACKLOG", default=500_000, ge=1)

    @field_validator("host")
    @classmethod
    def _is_loopback(cls, value: str) -> str:
        try:
            is_loopback = value == "localhost" or ip_address(value).is_loopback
        except ValueError:
            is_loopback = False
        if not is_loopback:
            raise ValueError("the API listens on loopback only: there are no API keys yet to protect more")
        return value
