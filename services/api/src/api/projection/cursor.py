"""Pagination cursors: opaque text that clients send back, valid for the same filters and order only."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from sqlalchemy import Integer, RowMapping
from sqlalchemy.types import TypeEngine

from api.errors import InvalidValue
from api.projection.filters import SubmissionQuery
from api.projection.pages import ORDERS, Total
from shared.db.tables import UtcTime

LONGEST = 4_000  # characters; a title of 500 in UTF-8 and base64 is 2,700


class _Content(BaseModel):
    of: str
    after: list[str | int]
    number: int = Field(ge=0)
    is_capped: bool


def cursor_after(query: SubmissionQuery, row: RowMapping, total: Total) -> str:
    """The cursor after this row. `total` is included because it was counted for the first page."""
    place = [row[column.name] for column in ORDERS[query.sort_by]]
    after = [value.isoformat() if isinstance(value, datetime) else value for value in place]
    content = _Content(of=_list_of(query), after=after, number=total.number, is_capped=total.is_capped)
    return urlsafe_b64encode(content.model_dump_json().encode()).decode().rstrip("=")


def place_of(cursor: str, query: SubmissionQuery) -> tuple[tuple[Any, ...], Total]:
    """The sort key of the last row, and the total. Raises InvalidValue."""
    try:
        content = _Content.model_validate_json(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        columns = ORDERS[query.sort_by]
        if content.of != _list_of(query):
            raise _refused("belongs to another list: filters and order must stay the same")
        place = tuple(_value(value, column.type) for value, column in zip(content.after, columns, strict=True))
    except (ValidationError, binascii.Error, ValueError, OverflowError) as error:
        raise _refused("not a cursor of this API") from error
    return place, Total(content.number, content.is_capped)


def _value(value: str | int, type_: TypeEngine[Any]) -> Any:
    if isinstance(type_, UtcTime):
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    is_none = "\0" in value if isinstance(value, str) else abs(value) >= 2**31
    if isinstance(value, int) is not isinstance(type_, Integer) or is_none:
        raise ValueError(f"{value!r} is no {type_!r}")
    return value


def _list_of(query: SubmissionQuery) -> str:
    parts = replace(query, facets=dict(sorted(query.facets.items())), after=None)
    return sha256(repr(parts).encode()).hexdigest()[:12]


def _refused(reason: str) -> InvalidValue:
    return InvalidValue("cursor", reason)
