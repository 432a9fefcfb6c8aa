"""A JSON schema as flat lines: each field with its type, each allowed value by itself. Names of schemas do not appear,
so renaming one changes nothing.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
BOUNDS = (
    "minimum",
    "exclusiveMinimum",
    "maximum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "pattern",
    "format",
)
PYDANTIC_BOUNDS = {"ge": "minimum", "le": "maximum"}  # where a validator runs before the type's own


def lines_of(schema: Schema, document: Schema, name: str, *, required: bool = True) -> dict[str, str]:
    """`name`: what the lines begin with, like `GET /api/v1/topics 200 topics[]`; `document`: what `$ref` refers to."""
    found: dict[str, set[str]] = {}
    for field, text in _fields(schema, document, name):
        found.setdefault(field, set()).add(text)
    lines = {field: " | ".join(sorted(texts)) for field, texts in found.items()}
    if not required:
        lines[name] += ", optional"
    if "default" in schema:
        lines[f"{name} default"] = plain(schema["default"])
    return lines


def plain(value: object) -> str:
    """600.0 is 600: whether code writes the one or the other changes nothing."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _fields(schema: Schema, document: Schema, name: str) -> Iterator[tuple[str, str]]:
    for variant in _variants(schema, document):
        yield name, _type(variant)
        values = [variant["const"]] if "const" in variant else variant.get("enum", ())
        yield from ((f"{name} = {plain(value)}", "a value") for value in values)
        yield from _properties(variant, document, name).items()
        if "items" in variant:
            yield from lines_of(variant["items"], document, f"{name}[]").items()
        if isinstance(others := variant.get("additionalProperties"), Mapping):
            yield from lines_of(others, document, f"{name}.*").items()


def _properties(schema: Schema, document: Schema, name: str) -> dict[str, str]:
    lines: dict[str, str] = {}
    for key, inner in schema.get("properties", {}).items():
        lines |= lines_of(inner, document, f"{name}.{key}", required=key in schema.get("required", ()))
    return lines


def _variants(schema: Schema, document: Schema) -> Iterator[Schema]:
    """The members of a union, or the schema itself. Does not support recursive schemas."""
    if "$ref" in schema:
        target: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        yield from _variants(target, document)
    elif inner := [each for word in ("anyOf", "oneOf", "allOf") for each in schema.get(word, ())]:
        for each in inner:
            yield from _variants(each, document)
    else:
        yield schema


def _type(schema: Schema) -> str:
    by_word = {PYDANTIC_BOUNDS.get(key, key): value for key, value in schema.items()}
    bounds = [f"{bound} {plain(by_word[bound])}" for bound in BOUNDS if bound in by_word]
    if schema.get("additionalProperties") is False:
        bounds.append("no other fields")
    kind = schema.get("type", "anything")
    return f"{kind} ({', '.join(bounds)})" if bounds else str(kind)
