"""Routes with their scopes, parameters, bodies and answers, from `docs/openapi.json`, which `make check` holds equal to
the app."""

from collections.abc import Iterator, Mapping
from typing import Any

from frozen.json_schema import lines_of

SIGNS = {"query": "?", "header": "header ", "path": "path "}


def routes(document: Mapping[str, Any]) -> dict[str, str]:
    lines: dict[str, str] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            lines |= _route(f"{method.upper()} {path}", operation, document)
    return lines


def _route(route: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, str]:
    scopes = sorted({scope for way in operation.get("security", ()) for held in way.values() for scope in held})
    lines = {route: "a route", f"{route} scopes": ", ".join(scopes) or "none"}
    for parameter in operation.get("parameters", ()):
        name = f"{route} {SIGNS[parameter['in']]}{parameter['name']}"
        lines |= lines_of(parameter["schema"], document, name, required=parameter.get("required", False))
    lines[f"{route} requires"] = ", ".join(sorted(_required(operation, document))) or "nothing"
    if body := operation.get("requestBody"):
        lines |= _contents(f"{route} body", body, document)
    for status, response in operation["responses"].items():
        answer = f"{route} {status}"
        fields = _contents(
            answer, response, document
        )  # the default of an answer field is not visible: the field is always there
        lines |= {name: text for name, text in fields.items() if name == answer or not name.endswith(" default")}
    return lines


def _required(operation: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """Required fields: one more would break callers, so all of them are one line."""
    yield from (each["name"] for each in operation.get("parameters", ()) if each.get("required"))
    if (body := operation.get("requestBody")) and body.get("required"):
        yield "body"
        for content in body["content"].values():
            fields = lines_of(content["schema"], document, "body")
            yield from (
                name
                for name, text in fields.items()
                if name.startswith("body.") and not {" ", "[", "*"} & set(name) and not text.endswith(", optional")
            )


def _contents(name: str, has: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, str]:
    """Fields follow a space: `GET /api/v1/topics 200 topics[].title`."""
    lines: dict[str, str] = {}
    for media_type, content in has["content"].items():
        lines[f"{name} {media_type}"] = "a media type"
        fields = lines_of(content.get("schema", {}), document, name)
        lines |= {field.replace(f"{name}.", f"{name} ", 1): text for field, text in fields.items()}
    return lines
