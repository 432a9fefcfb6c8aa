"""Settings of the API."""

from ipaddress import ip_address

from pydantic import field_validator

from shared.messaging.settings import BrokerSettings
from shared.settings import DatabaseSettings, OwnPort, env


class ApiSettings(BrokerSettings, DatabaseSettings):
    host: str = env("TOPICFLOW_HOST", default="127.0.0.1")
    port: OwnPort = env("TOPICFLOW_PORT", default=8000)
    requests_per_second: int = env("TOPICFLOW_REQUESTS_PER_SECOND", default=100, ge=1, le=1_000_000)
    enriches: bool = env("ENABLE_BACKGROUND_WORKER", default=False)
    scan_interval: float = env("WORKER_POLL_INTERVAL", default=600.0, gt=0, allow_inf_nan=False)
    max_backlog: int = env("TOPICFLOW_MAX_BACKLOG", default=500_000, ge=1)

    @field_validator("host")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            _ = value == "localhost" or ip_address(value)
        except ValueError as error:
            raise ValueError("must be an IP address or localhost") from error
        return value

    @property
    def needs_key(self) -> bool:
        """An API key is required when the API listens beyond loopback."""
        return self.host != "localhost" and not ip_address(self.host).is_loopback
