"""Settings from the environment, or from files named by `<NAME>_FILE`. An empty value means not set; errors are one
line."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared.errors import SettingInvalid

POSTGRESQL_URL = "postgresql://user:password@host:port/database?sslmode=…"

# Every TOPICFLOW_ variable that is read somewhere; any other causes a warning at start.
KNOWN = {
    f"TOPICFLOW_{name}"
    for name in [
        "ALLOWED_ORIGINS",
        "ALLOW_VOLATILE_BROKER",
        "API_KEY",
        "BROKER_URL",
        "DAILY_BUDGET",
        "DATA",
        "DATABASE_URL",
        "HELD_SECONDS",
        "HOST",
        "INSTANCE",
        "IN_FLIGHT",
        "KAFKA_CA",
        "KAFKA_PASSWORD",
        "KAFKA_SASL",
        "KAFKA_TLS",
        "KAFKA_USERNAME",
        "LOG_LEVEL",
        "LONGEST_PAUSE_SECONDS",
        "MAX_BACKLOG",
        "MIN_INSYNC",
        "OPS_HOST",
        "OPS_PORT",
        "PARTITIONS",
        "PORT",
        "PRICES",
        "REPLICATION",
        "REQUESTS_PER_SECOND",
        "RETAIN_BYTES",
        "RETAIN_DAYS",
        "SESSION_TIMEOUT_SECONDS",
        "STOP_SECONDS",
        "STREAM_PREFIX",
        "URL",
    ]
}


class _Environment(EnvSettingsSource):
    """The environment, completed with the content of files named by `<NAME>_FILE` if `<NAME>` is not set."""

    def _load_env_vars(self) -> dict[str, str | None]:
        values: dict[str, str | None] = {}
        for name, value in os.environ.items():
            of = name.removesuffix("_FILE")
            if not value or (of != name and os.environ.get(of)):
                continue
            if of != name:
                values[of.lower()] = _read(name, value)
            values[name.lower()] = value
        return values


def _read(name: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        if name.startswith(("TOPICFLOW_", "GEMINI_", "GOOGLE_AI_", "KEYCLOAK_")):
            raise SettingInvalid(f"{name}: cannot read {path}: {error}") from error
        return ""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, _Environment(settings_cls, env_ignore_empty=True))

    @classmethod
    def load(cls) -> Self:
        """Raises SettingInvalid: one line that names the setting and never contains its value."""
        try:
            return cls()
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            name = str(first["loc"][0]).upper() if first["loc"] else ""
            message = first["msg"].removeprefix("Value error, ")
            raise SettingInvalid(f"{name}: {message}" if name else message) from error


def env(*names: str, default: Any = ..., **limits: Any) -> Any:
    """A field that is read from the first of these variables that is set."""
    return Field(default, validation_alias=AliasChoices(*names), **limits)


def _not_kubernetes(value: object) -> object:
    """The port of `tcp://10.0.0.1:8000`, which Kubernetes injects as NAME_PORT for a service called name."""
    return urlsplit(value).port if isinstance(value, str) and value.startswith("tcp://") else value


def _no_port(value: object) -> object:
    return None if isinstance(value, str) and value.startswith("tcp://") else value


def _own_port(value: object) -> object:
    return 8000 if isinstance(value, str) and value.startswith("tcp://") else value


Port = Annotated[int, BeforeValidator(_not_kubernetes), Field(ge=1, le=65535)]
OwnPort = Annotated[int, BeforeValidator(_own_port), Field(ge=1, le=65535)]
OpsPort = Annotated[Annotated[int, Field(ge=1, le=65535)] | None, BeforeValidator(_no_port)]


def _database_url(value: SecretStr) -> SecretStr:
    """Validates a SQLite or PostgreSQL URL; errors do not contain any part of it."""
    url = value.get_secret_value()
    scheme = url.partition(":")[0]
    if scheme in {"postgresql", "postgres"}:
        _must_be_of_libpq(url)
    elif scheme != "sqlite":
        raise ValueError(f"unknown scheme, expected sqlite:///path or {POSTGRESQL_URL}")
    elif len(urlsplit(url).path) < 2:
        raise ValueError("missing path, expected sqlite:///path: several processes share the file")
    return value


def _must_be_of_libpq(url: str) -> None:
    import psycopg  # only where a database is, and only if it is PostgreSQL: 9 MB and 0.1 s

    try:
        parts = {name: str(value) for name, value in psycopg.conninfo.conninfo_to_dict(url).items()}
    except psycopg.Error:
        parts = {}
    if not parts.get("dbname"):
        raise ValueError(f"expected {POSTGRESQL_URL}, with parameters that libpq knows")
    if "@" in parts["dbname"] or not re.fullmatch("[0-9,]*", parts.get("port", "")):
        raise ValueError(f"expected {POSTGRESQL_URL}: percent-encode the password (%2F for /, %40 for @ and so on)")


def without_secrets(url: str) -> str:
    """The URL without user, password and parameters; only its scheme if it is ambiguous."""
    parts = urlsplit(url)
    begin = f"{parts.scheme}://"
    if "@" in url.removeprefix(begin).removeprefix(parts.netloc):
        return f"{begin}…"  # in a password that was not escaped
    return begin + parts.netloc.rpartition("@")[2] + parts.path


class OpsSettings(Settings):
    """Where /live, /ready and /metrics are served; nowhere unless a port is set."""

    ops_host: str = env("TOPICFLOW_OPS_HOST", default="127.0.0.1")
    ops_port: OpsPort = env("TOPICFLOW_OPS_PORT", default=None)


class DatabaseSettings(Settings):
    data: Path = env("TOPICFLOW_DATA", default=Path(".topicflow"))
    database: Annotated[SecretStr | None, AfterValidator(lambda url: url and _database_url(url))] = env(
        "TOPICFLOW_DATABASE_URL", default=None
    )

    @property
    def database_url(self) -> str:
        return self.database.get_secret_value() if self.database else f"sqlite:///{self.data.absolute()}/topicflow.db"


def unknown_names() -> list[str]:
    """TOPICFLOW_ variables that nothing reads, without those that Kubernetes injects for services."""
    names = {name.removesuffix("_FILE") for name in os.environ if name.startswith("TOPICFLOW_")}
    injected = ("_SERVICE_HOST", "_TCP", "_TCP_PROTO", "_TCP_PORT", "_TCP_ADDR", "_UDP", "_UDP_PROTO", "_UDP_ADDR")
    return sorted(
        n for n in names - KNOWN if not n.endswith(injected) and "_SERVICE_PORT" not in n and "_PORT_" not in n
    )
