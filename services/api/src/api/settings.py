"""Settings of the API."""

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, field_validator
from pydantic_settings import NoDecode

from shared.messaging.settings import BrokerSettings
from shared.settings import DatabaseSettings, OwnPort, env

DEFAULT_PORTS = {"http": 80, "https": 443}


def origins_of(text: str) -> frozenset[str]:
    """A list separated by commas, each as browsers send it: `https://app.example:8443`. Raises ValueError."""
    return frozenset(_origin_of(entry) for entry in map(str.strip, text.split(",")) if entry)


def _origin_of(entry: str) -> str:
    """Raises ValueError."""
    try:
        parts = urlsplit(entry)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    has_more = parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or has_more or "*" in entry:
        raise ValueError("expected origins such as https://app.example:8443, separated by commas; * is not allowed")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in {None, DEFAULT_PORTS[parts.scheme]} else f":{port}")


Origins = Annotated[frozenset[str], NoDecode, BeforeValidator(origins_of)]


class ApiSettings(BrokerSettings, DatabaseSettings):
    host: str = env("TOPICFLOW_HOST", default="127.0.0.1")
    port: OwnPort = env("TOPICFLOW_PORT", default=8000)
    allowed_origins: Origins = env("TOPICFLOW_ALLOWED_ORIGINS", default="", validate_default=True)
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
