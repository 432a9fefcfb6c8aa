"""What the API is told."""

from ipaddress import ip_address

from pydantic import field_validator

from shared.broker_settings import BrokerSettings
from shared.settings import DatabaseSettings, OwnPort, named


class ApiSettings(BrokerSettings, DatabaseSettings):
    host: str = named("TOPICFLOW_HOST", default="127.0.0.1")
    port: OwnPort = named("TOPICFLOW_PORT", default=8000)
    requests_per_second: int = named("TOPICFLOW_REQUESTS_PER_SECOND", default=100, ge=1, le=1_000_000)
    enriches: bool = named("ENABLE_BACKGROUND_WORKER", default=False)
    scan_interval: float = named("WORKER_POLL_INTERVAL", default=600.0, gt=0, allow_inf_nan=False)
    max_backlog: int = named("TOPICFLOW_MAX_BACKLOG", default=500_000, ge=1)

    @field_validator("host")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            _ = value == "localhost" or ip_address(value)
        except ValueError as error:
            raise ValueError("not an IP address to listen on") from error
        return value

    @property
    def needs_key(self) -> bool:
        """Beyond loopback nobody calls without an API key."""
        return self.host != "localhost" and not ip_address(self.host).is_loopback
