"""Events and dead letters as rows of `history`, `usage` and `dead_letters`. Pure; `statements.py` writes them."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid5

from shared.events import NAMESPACE, Outcome, SubmissionEvent, SubmissionFailed
from shared.transport.base import Delivery


def history_row(event: SubmissionEvent, event_id: str, time: datetime) -> dict[str, Any]:
    outcome = event if isinstance(event, Outcome) else None
    return {
        "event_id": event_id,
        "id": event.id,
        "event": type(event).__name__,
        "attempt": event.attempt,
        "time": time,
        "run": outcome.run if outcome else None,
        "worker": outcome.worker if outcome else None,
        "error": event.error.message if isinstance(event, SubmissionFailed) else None,
    }


def usage_rows(event: SubmissionEvent, time: datetime) -> list[dict[str, Any]]:
    if not isinstance(event, Outcome):
        return []
    about = {"id": event.id, "kind": event.kind, "attempt": event.attempt, "run": event.run, "time": time}
    return [{**used.model_dump(), **about} for used in event.usage]


def dead_letter_row(delivery: Delivery) -> dict[str, Any]:
    """Whatever is in the stream, by hand even. Ids are derived, so that what is buried twice is one row."""
    headers = delivery.record.headers
    here = f"{delivery.record.stream}|{delivery.partition}|{delivery.position}"
    return {
        "id": headers.get("dl_id") or str(uuid5(NAMESPACE, here)),
        "stream": headers.get("dl_stream", delivery.record.stream),
        "position": headers.get("dl_position", delivery.position),
        "submission": delivery.record.key,
        "error": headers.get("dl_error", ""),
        "message": headers.get("dl_message", ""),
        "tries": _number(headers.get("dl_tries", "")),
        "time": _time(headers.get("dl_time", "")),
        "headers": dict(headers),
        "data": delivery.record.data,
    }


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.now(UTC)
