"""An enricher's settings."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr, model_validator

from shared.llm.models import MOST_OUTPUT_TOKENS, Thinking
from shared.llm.settings import GeminiSettings
from shared.settings import OpsSettings, Settings, env
from shared.worker.runtime import WorkSettings


def _base_url(value: str) -> str:
    """Strips the route prefix, if given. Raises ValueError without showing the value."""
    if not value:
        return value
    try:
        parts = urlsplit(value)
        is_usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or "@" in value or "?" in value or "#" in value:
        raise ValueError("expected http://host:port or https://host/path, without user, password or parameters")
    return value.rstrip("/").removesuffix("/api/v1")


class CatalogSettings(Settings):
    """URL and credentials of the catalogue."""

    catalog_url: Annotated[str, AfterValidator(_base_url)] = env("DATA_API_URL", default="")
    client_id: str = env("KEYCLOAK_CLIENT_ID", default="")
    client_secret: SecretStr = env("KEYCLOAK_CLIENT_SECRET", default=SecretStr(""))
    catalog_timeout_seconds: float = env("CATALOG_TIMEOUT_SECONDS", default=30.0, gt=0, le=600)

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if not self.catalog_url:
            raise ValueError("DATA_API_URL: not set (`topicflow up` starts a simulator instead)")
        if not self.client_id:
            raise ValueError("KEYCLOAK_CLIENT_ID: not set")
        if not self.client_secret.get_secret_value():
            raise ValueError("KEYCLOAK_CLIENT_SECRET: not set")
        return self


class EnricherSettings(WorkSettings, GeminiSettings, CatalogSettings, OpsSettings):
    """`page`: articles per page of a scan, submitted to the API in one request."""

    thinking: Thinking = env("GEMINI_ARTICLE_THINKING", default="low")
    answer_tokens: int = env("GEMINI_ARTICLE_OUTPUT_TOKENS", default=8192, ge=256, le=MOST_OUTPUT_TOKENS)
    enriches: bool = env("ENABLE_BACKGROUND_WORKER", default=False)
    page: int = env("WORKER_BATCH_SIZE", default=50, ge=1, le=200)
    api_url: str = env("TOPICFLOW_URL", default="http://127.0.0.1:8000", pattern="^https?://")
    key_of_api: SecretStr | None = env("TOPICFLOW_API_KEY", default=None)

    @model_validator(mode="after")
    def _must_be_enabled(self) -> Self:
        if not self.enriches:
            raise ValueError("ENABLE_BACKGROUND_WORKER: must be true to run the enricher")
        return self
