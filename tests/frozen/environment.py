"""Every name that a service or the command reads from its environment, with its type, bounds and default."""

import re

from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from frozen import product
from frozen.json_schema import lines_of
from frozen.sources import Sources

SERVICES: dict[str, type[BaseSettings]] = {
    "api": product.ApiSettings,
    "enricher": product.EnricherSettings,
    "status-projector": product.ProjectorSettings,
    "topic-worker": product.WorkerSettings,
}
NAME = re.compile("(TOPICFLOW|REDIS|GEMINI|GOOGLE|KEYCLOAK|WORKER|CATALOG|DATA|ENABLE|OTEL)_[A-Z0-9_]+")


def settings() -> dict[str, str]:
    lines: dict[str, str] = {}
    for service, kind in SERVICES.items():
        lines |= _of_service(service, kind)
    return lines


def _of_service(service: str, kind: type[BaseSettings]) -> dict[str, str]:
    """No value in an environment means null. Of several names of a field, the first that is set counts."""
    schema, lines = kind.model_json_schema(), dict[str, str]()
    for name, field in schema["properties"].items():
        fields = lines_of(field, schema, f"{name} of {service}")
        lines |= {line: text.replace("null | ", "").replace(" | null", "") for line, text in fields.items()}
    for model_field in kind.model_fields.values():
        assert isinstance(model_field.validation_alias, AliasChoices)
        first, *others = map(str, model_field.validation_alias.choices)
        lines |= {f"{other} of {service}": f"where {first} is not set" for other in others}
    return lines


def of_command(sources: Sources) -> dict[str, str]:
    """Of the CLI, which has no settings class: the names in its sources."""
    names = {text for text in sources.texts("cli/") if NAME.fullmatch(text) and not text.endswith("_")}
    return {f"{name} of the command": "a name" for name in names}
