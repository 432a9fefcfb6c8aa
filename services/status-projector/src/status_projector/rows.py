"""Events and dead letters as rows of `history` and `dead_letters`. Pure; `statements.py` writes them."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid5

from shared.events import (
    IMPORT,
    SCAN,
    ArticleAnnotated,
    Outcome,
    SubmissionCompleted,
    SubmissionEvent,
    SubmissionFailed,
)
from shared.ids import NAMESPACE
from shared.messaging.broker import Delivery


def history_row(event: SubmissionEvent, event_id: str, time: datetime) -> tuple[Any, ...]:
    name = type(event).__name__
    if not isinstance(event, Outcome | ArticleAnnotated):
        return (event.id, event_id, name, event.attempt, time, None, None, None)
    error = event.error.message if isinstance(event, SubmissionFailed) else None
    return (event.id, event_id, name, event.attempt, time, event.run, event.worker, error)


def ended_as(event: SubmissionEvent) -> str | None:
    """How a worker ended an article's attempt: processed, failed or skipped. None for every other event."""
    match event:
        case SubmissionCompleted(worker=worker) if worker in {IMPORT, SCAN}:
            return None
        case SubmissionFailed(kind="article"):
            return "failed"
        case SubmissionCompleted(kind="article"):
            return "skipped" if event.skipped else "processed"
    return None


def dead_letter_row(delivery: Delivery) -> dict[str, Any]:
    """Accepts any record, even one written by hand. Ids are derived, so a record dead-lettered twice is one row.

    U+0000 is replaced because PostgreSQL cannot store it in text.
    """
    headers = {name: value.replace("\0", "\ufffd") for name, value in delivery.record.headers.items()}
    origin = f"{delivery.record.stream}|{delivery.partition}|{delivery.position}"
    return {
        "id": headers.get("dl_id") or str(uuid5(NAMESPACE, origin)),
        "stream": headers.get("dl_stream", delivery.record.stream),
        "position": headers.get("dl_position", delivery.position),
        "submission": delivery.record.key.replace("\0", "\ufffd"),
        "error": headers.get("dl_error", ""),
        "message": headers.get("dl_message", ""),
        "tries": _parse_number(headers.get("dl_tries", "")),
        "time": _parse_time(headers.get("dl_time", "")),
        "headers": headers,
        "data": delivery.record.data,
    }


def _parse_number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _parse_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.now(UTC)
