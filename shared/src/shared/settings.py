"""Settings from the environment: `<NAME>_FILE` too, an empty value means not set, errors are one line."""

import os
import re
from math import inf
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from shared.allowance import Used
from shared.errors import SettingInvalid
from shared.gemini_keys import Keys, split
from shared.pace import Quota
from shared.prices import GEMINI, Prices

POSTGRESQL_URL = "postgresql://user:password@host:port/database?sslmode=…"

# Every TOPICFLOW_ name that some part reads; another one is warned about at start.
KNOWN = {
    f"TOPICFLOW_{name}"
    for name in [
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
    """The environment with the files that `<NAME>_FILE` points at, where `<NAME>` itself is not set."""

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
        """Raises SettingInvalid with one line that names the setting and never shows its value."""
        try:
            return cls()
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            name = str(first["loc"][0]).upper() if first["loc"] else ""
            message = first["msg"].removeprefix("Value error, ")
            raise SettingInvalid(f"{name}: {message}" if name else message) from error


def named(*names: str, default: Any = ..., **limits: Any) -> Any:
    """A field read from the first of these names that is set."""
    return Field(default, validation_alias=AliasChoices(*names), **limits)


def _not_kubernetes(value: object) -> object:
    """Kubernetes injects NAME_PORT=tcp://10.0.0.1:8000 for a service called name."""
    return urlsplit(value).port if isinstance(value, str) and value.startswith("tcp://") else value


def _no_port(value: object) -> object:
    return None if isinstance(value, str) and value.startswith("tcp://") else value


def _own_port(value: object) -> object:
    return 8000 if isinstance(value, str) and value.startswith("tcp://") else value


Port = Annotated[int, BeforeValidator(_not_kubernetes), Field(ge=1, le=65535)]
OwnPort = Annotated[int, BeforeValidator(_own_port), Field(ge=1, le=65535)]
OpsPort = Annotated[Annotated[int, Field(ge=1, le=65535)] | None, BeforeValidator(_no_port)]


def _database_url(value: SecretStr) -> SecretStr:
    """SQLite's or PostgreSQL's; what is wrong with it is said without showing any of it."""
    url = value.get_secret_value()
    scheme = url.partition(":")[0]
    if scheme in {"postgresql", "postgres"}:
        _must_be_of_libpq(url)
    elif scheme != "sqlite":
        raise ValueError(f"unknown scheme, expected sqlite:///path or {POSTGRESQL_URL}")
    elif len(urlsplit(url).path) < 2:
        raise ValueError("no path, expected sqlite:///path: several processes share the file")
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
        raise ValueError(f"expected {POSTGRESQL_URL}: in the password write %2F for /, %40 for @ and so on")


def without_secrets(url: str) -> str:
    """As it may be shown to anybody: without user, password and parameters; of one that is not clear, the scheme."""
    parts = urlsplit(url)
    begin = f"{parts.scheme}://"
    if "@" in url.removeprefix(begin).removeprefix(parts.netloc):
        return f"{begin}…"  # in a password that was not escaped
    return begin + parts.netloc.rpartition("@")[2] + parts.path


class OpsSettings(Settings):
    """Where /live, /ready and /metrics are; nowhere without a port."""

    ops_host: str = named("TOPICFLOW_OPS_HOST", default="127.0.0.1")
    ops_port: OpsPort = named("TOPICFLOW_OPS_PORT", default=None)


class DatabaseSettings(Settings):
    data: Path = named("TOPICFLOW_DATA", default=Path(".topicflow"))
    database: Annotated[SecretStr | None, AfterValidator(lambda url: url and _database_url(url))] = named(
        "TOPICFLOW_DATABASE_URL", default=None
    )

    @property
    def database_url(self) -> str:
        return self.database.get_secret_value() if self.database else f"sqlite:///{self.data.absolute()}/topicflow.db"


def _price_list(value: str) -> str:
    Prices.of(value)
    return value


class GeminiSettings(Settings):
    api_key: SecretStr | None = named("GEMINI_API_KEY", "GOOGLE_AI_API_KEY", default=None)
    api_keys: SecretStr | None = named("GEMINI_API_KEYS", default=None)
    keys_file: Path | None = named("GEMINI_API_KEYS_FILE", default=None)
    own_projects: bool = named("GEMINI_KEYS_OF_OWN_PROJECTS", default=False)
    model: str = named("GEMINI_MODEL", default="gemini-2.5-flash", min_length=1)
    base_url: str | None = named("GOOGLE_GEMINI_BASE_URL", default=None, pattern="^https?://")
    call_timeout_seconds: float = named("GEMINI_TIMEOUT_SECONDS", default=120.0, gt=0, le=3600)
    requests_per_minute: float | None = named("GEMINI_REQUESTS_PER_MINUTE", default=None, gt=0)
    tokens_per_minute: float | None = named("GEMINI_TOKENS_PER_MINUTE", default=None, gt=0)
    requests_per_day: float | None = named("GEMINI_REQUESTS_PER_DAY", default=None, gt=0)
    tokens_per_day: float | None = named("GEMINI_TOKENS_PER_DAY", default=None, gt=0)
    quota_share: float = named("GEMINI_QUOTA_SHARE", default=1.0, gt=0, le=1)
    price_list: Annotated[str, AfterValidator(_price_list)] = named("TOPICFLOW_PRICES", default=GEMINI)
    daily_budget: float | None = named("TOPICFLOW_DAILY_BUDGET", default=None, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if not self._values:
            raise ValueError("GEMINI_API_KEY: not set; `topicflow up` runs with a stand-in when there is none")
        return self

    @model_validator(mode="after")
    def _knows_what_it_pays(self) -> Self:
        if self.daily_budget is not None and not self.prices.has(self.model):
            raise ValueError(f"TOPICFLOW_DAILY_BUDGET: TOPICFLOW_PRICES has no price for {self.model[:100]!r}")
        return self

    @property
    def quota(self) -> Quota:
        """Of all workers of this kind together."""
        return Quota(self._part_of(self.requests_per_minute), self._part_of(self.tokens_per_minute))

    @property
    def daily_limits(self) -> Used:
        budget = inf if self.daily_budget is None else self.daily_budget
        return Used(self._part_of(self.requests_per_day), self._part_of(self.tokens_per_day), budget)

    def _part_of(self, limit: float | None) -> float:
        """Of what one project may do, and of each key's where it has one of its own."""
        projects = len(self._values) if self.own_projects else 1
        return inf if limit is None else limit * self.quota_share * projects

    @property
    def prices(self) -> Prices:
        return Prices.of(self.price_list)

    @property
    def _values(self) -> list[str]:
        """GEMINI_API_KEYS, or the one key where there is no more."""
        keys = self.api_keys or self.api_key
        return split(keys.get_secret_value()) if keys else []

    @property
    def keys(self) -> Keys:
        return Keys(self._values, self.keys_file if self.api_keys else None)


def unknown_names() -> list[str]:
    """TOPICFLOW_ names in the environment that nothing reads; what Kubernetes injects for services is left out."""
    names = {name.removesuffix("_FILE") for name in os.environ if name.startswith("TOPICFLOW_")}
    injected = ("_SERVICE_HOST", "_TCP", "_TCP_PROTO", "_TCP_PORT", "_TCP_ADDR", "_UDP", "_UDP_PROTO", "_UDP_ADDR")
    return sorted(
        n for n in names - KNOWN if not n.endswith(injected) and "_SERVICE_PORT" not in n and "_PORT_" not in n
    )
