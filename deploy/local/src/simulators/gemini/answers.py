"""Generates answers from a request's JSON schema and a data item. Pure."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any
from zlib import crc32

from simulators.gemini.sentences import ARTICLE_SENTENCES, POOLS, TOPIC_SENTENCES

Schema = Mapping[str, Any]
WORD = r"\w[\w\u0300-\u036f]*(?:-\w[\w\u0300-\u036f]*)*"  # including combining accents, which do not match \w
ECHOED = ("id", "urn", "title")
UNSUPPORTED = (
    "allOf",
    "contains",
    "minProperties",
    "multipleOf",
    "not",
    "patternProperties",
    "prefixItems",
    "uniqueItems",
)
CAMEL = {f"{edge}_{what}": f"{edge}{what.title()}" for edge in ("min", "max") for what in ("items", "length")}


class UnusableSchema(ValueError):
    """A schema that no finite value satisfies, or with an unsupported keyword."""


@dataclass(frozen=True)
class Subject:
    """One data item, and what is derived from it for sentences."""

    data: Mapping[str, Any]

    @cached_property
    def name(self) -> str:
        title = " ".join(str(self.data.get("title") or "").split())
        return title if len(title) <= 50 else title[:49].rsplit(" ", 1)[0] + "…"

    @cached_property
    def seed(self) -> int:
        return crc32(repr([self.data.get(key) for key in ECHOED]).encode())

    @cached_property
    def words(self) -> list[str]:
        """Distinct words of the item's texts, long ones if there are any; never empty."""
        texts = [text for key, text in self.data.items() if key not in ("id", "urn") and isinstance(text, str)]
        text = " ".join(texts)[:20_000]
        distinct: dict[str, str] = {}
        for word in re.findall(WORD, text):
            distinct.setdefault(word.casefold(), word)
        long = [word for word in distinct.values() if len(word) >= 5]
        return long or list(distinct.values()) or [next((one.strip()[:20] for one in texts if one.strip()), "topic")]


Make = Callable[[Subject, int], Any]  # the int is a seed: same item, same field, same answer


@dataclass(frozen=True)
class AnswerPlan:
    """A compiled schema. `many`: the data is a list, and each item gets an element."""

    many: bool
    make: Callable[[Subject, int], dict[str, Any]]
    required: tuple[str, ...]

    def answer(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """A value that validates against the (element) schema; the same for the same item."""
        subject = Subject(item)
        return self.make(subject, subject.seed)

    def invalid_answer(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """An answer with the right id, but with empty lists, numbers of 99 and a required field missing."""
        answer = self.answer(item)
        changed = [name for name, value in answer.items() if isinstance(value, list | int | float)]
        for name in set(changed).difference(ECHOED):
            answer[name] = [] if isinstance(answer[name], list) else 99
        required = [name for name in self.required if name not in ECHOED]
        for name in ([name for name in required if name not in changed] or required)[-1:]:
            del answer[name]
        return answer


def plan(schema: Schema) -> AnswerPlan:
    """Compiles a JSON schema, or Gemini's OpenAPI dialect, of an object or an array of objects.

    The bounds of the outer array are ignored: there is one element per item. Raises UnusableSchema.
    """
    try:
        return _plan(json.dumps(schema))
    except (AttributeError, TypeError, re.error) as error:
        raise UnusableSchema(f"not a JSON schema: {error}") from error


@lru_cache(maxsize=64)
def _plan(schema_json: str) -> AnswerPlan:
    root = json.loads(schema_json)
    schema, opened = _resolved(root, root, frozenset())
    many = _kind(schema) == "array"
    element = schema.get("items") or {} if many else schema
    body, _ = _resolved(element, root, opened)
    if _kind(body) != "object":
        raise UnusableSchema("the answer must be an object or an array of objects")
    return AnswerPlan(many, _make(element, "", root, opened), tuple(body.get("required") or ()))


def _resolved(schema: Schema, root: Schema, opened: frozenset[str]) -> tuple[Schema, frozenset[str]]:
    """The schema with references resolved, and all references followed so far."""
    while "$ref" in schema:
        ref = schema["$ref"]
        if ref in opened:
            raise UnusableSchema(f"{ref} contains itself without end")
        target: Any = root
        for step in ref.removeprefix("#").split("/")[1:]:
            target = target.get(step) if isinstance(target, dict) else None
        if not ref.startswith("#") or not isinstance(target, dict):
            raise UnusableSchema(f"{ref} is not defined in the schema")
        schema = target | {key: value for key, value in schema.items() if key != "$ref"}
        opened |= {ref}
    return schema, opened


def _kind(schema: Schema) -> str:
    kinds = schema.get("type") or ("object" if "properties" in schema else "array" if "items" in schema else "string")
    kind_names = kinds if isinstance(kinds, list) else [kinds]
    return str(next((kind for kind in kind_names if kind != "null"), "null")).lower()


def _make(schema: Schema, field: str, root: Schema, opened: frozenset[str]) -> Make:
    schema, opened = _resolved(schema, root, opened)
    schema = {CAMEL.get(key, key): value for key, value in schema.items()}
    if unsupported := [key for key in UNSUPPORTED if schema.get(key)]:
        raise UnusableSchema(f"the simulator does not support {unsupported[0]}")
    if options := schema.get("anyOf") or schema.get("any_of") or schema.get("oneOf"):
        shared = {key: value for key, value in schema.items() if key not in ("anyOf", "any_of", "oneOf")}
        return _one_of([shared | option for option in options], field, root, opened)
    if "const" in schema or schema.get("enum"):
        values = [schema["const"]] if "const" in schema else schema["enum"]
        return lambda _, seed: values[seed % len(values)]
    match _kind(schema):
        case "object":
            return _object(schema, root, opened)
        case "array":
            return _array(schema, field, root, opened)
        case "integer":
            return _own_id(_integer(schema)) if field == "id" else _integer(schema)
        case "number":
            return _number(schema)
        case "boolean":
            return lambda _, seed: bool(seed & 1)
        case "null":
            return lambda _, __: None
        case "string":
            return _string(schema, field)
        case other:
            raise UnusableSchema(f"the simulator does not support the type {other}")


def _one_of(options: list[Schema], field: str, root: Schema, opened: frozenset[str]) -> Make:
    reason = UnusableSchema("anyOf without an option")
    for option in sorted(options, key=lambda option: _kind(option) == "null"):
        try:
            return _make(option, field, root, opened)
        except UnusableSchema as error:
            reason = error
    raise reason


def _object(schema: Schema, root: Schema, opened: frozenset[str]) -> Make:
    required = schema.get("required") or []
    fields = []
    for name, value in ({name: {} for name in required} | (schema.get("properties") or {})).items():
        try:
            fields.append((name, crc32(name.encode()), _make(value, name, root, opened)))
        except UnusableSchema:
            if name in required:
                raise
    return lambda subject, seed: {name: make(subject, (seed * 31 + salt) & 0xFFFFFFFF) for name, salt, make in fields}


def _array(schema: Schema, field: str, root: Schema, opened: frozenset[str]) -> Make:
    low = int(schema.get("minItems") or 0)
    high = int(schema.get("maxItems", max(low, 5 if field != "keywords" else 10)))
    if low > high:
        raise UnusableSchema(f"{field}: minItems is above maxItems")
    try:
        make = _make(schema.get("items") or {}, field, root, opened)
    except UnusableSchema:
        if low:
            raise
        return lambda _, __: []
    if field == "keywords":
        return lambda subject, seed: [make(subject, seed + n) for n in range(max(low, min(high, len(subject.words))))]
    count = min(high, max(low, 3))
    return lambda subject, seed: [make(subject, seed + n) for n in range(count)]


def _bounds(schema: Schema) -> tuple[float, float]:
    lows = [float(schema[key]) for key in ("minimum", "exclusiveMinimum") if schema.get(key) is not None]
    highs = [float(schema[key]) for key in ("maximum", "exclusiveMaximum") if schema.get(key) is not None]
    low = max(lows) if lows else min([0.0, *(high - 10 for high in highs if high <= 0)])
    return low, min(highs) if highs else low + 10


def _integer(schema: Schema) -> Make:
    bounds = _bounds(schema)
    low, high = math.ceil(bounds[0]), math.floor(bounds[1])
    low += low == schema.get("exclusiveMinimum")
    high -= high == schema.get("exclusiveMaximum")
    if low > high:
        raise UnusableSchema("no integer lies between minimum and maximum")
    return lambda _, seed: low + seed % (high - low + 1)


def _own_id(make: Make) -> Make:
    return lambda subject, seed: own if isinstance(own := subject.data.get("id"), int) else make(subject, seed)


def _number(schema: Schema) -> Make:
    low, high = _bounds(schema)
    if low > high or (low == high and low in (schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum"))):
        raise UnusableSchema("no number lies between minimum and maximum")

    def make(_: Subject, seed: int) -> float:
        value = low + (high - low) * (1 + seed % 99) / 100
        short = round(value, 2)
        return short if low < short < high else value

    return make


def _string(schema: Schema, field: str) -> Make:
    low, high = int(schema.get("minLength") or 0), schema.get("maxLength")
    longest = None if high is None else int(high)
    if longest is not None and low > longest:
        raise UnusableSchema(f"{field}: minLength is above maxLength")
    text = _text(field)

    def make(subject: Subject, seed: int) -> str:
        sentence = text(subject, seed)
        if len(sentence) < low:
            sentence = f"{sentence or 'Topic'} " * (1 + low // max(1, len(sentence)))
        return sentence if longest is None else sentence[:longest]

    pattern = schema.get("pattern")
    return _matching(make, pattern, field) if pattern else make


def _matching(make: Make, pattern: str, field: str) -> Make:
    """The text if it matches the pattern, otherwise a word that does."""
    plain = next((word for word in ("Topic", "topic", "10 minutes", "10", "topic-1") if re.search(pattern, word)), None)
    if plain is None:
        raise UnusableSchema(f"{field}: the simulator has no text for the pattern {pattern}")
    return lambda subject, seed: text if re.search(pattern, text := make(subject, seed)) else plain


def _text(field: str) -> Callable[[Subject, int], str]:
    if field in ECHOED:
        return lambda subject, _: str(subject.data.get(field) or subject.name)
    if pool := POOLS.get(field):
        return lambda _, seed: pool[seed % len(pool)]
    if field in ("keywords", "term"):
        return lambda subject, seed: subject.words[seed % len(subject.words)]
    if field == "description":
        return lambda subject, seed: " ".join(_sentence(subject, seed + n) for n in range(3 + seed % 4))
    label = field.replace("_", " ")
    if field == "question":
        return lambda subject, seed: f"What should I know about {subject.words[seed % len(subject.words)]} here?"
    return lambda subject, seed: f"On {label}: {_sentence(subject, seed)}"


def _sentence(subject: Subject, seed: int) -> str:
    sentences = ARTICLE_SENTENCES if "urn" in subject.data else TOPIC_SENTENCES
    return (subject.name or "This").join(sentences[seed % len(sentences)])
