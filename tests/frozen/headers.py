"""Headers of records, found by making one of each, and of HTTP, found as texts in the sources."""

import re
from datetime import UTC, datetime

from frozen import product
from frozen.sources import Sources

OF_THE_API = (
    "Authorization",
    "Idempotency-Key",
    "Idempotency-Replayed",
    "Retry-After",
    "WWW-Authenticate",
    "X-Request-Id",
    "traceparent",
)
FORMS = {
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)": "a time in UTC",
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "a UUID",
    r"\d+\.\d+\.\d+\S*": "a version",
    r"topicflow\.[A-Z][A-Za-z]+\.v\d+": "topicflow.<event>.v<version>",
}


def headers(sources: Sources) -> dict[str, str]:
    lines = {f"event {name}": _form(value) for name, value in _event().headers.items()}
    lines |= {f"dead letter {name}": _form(value) for name, value in _dead_letter().headers.items()}
    in_api = {text.lower() for text in sources.texts("services/api/")}
    lines |= {f"API {name}": "a header" for name in OF_THE_API if name.lower() in in_api}
    in_all = {text.lower() for text in sources.texts()}
    return lines | {f"answer {name}": "a header" for name in in_all if re.fullmatch("x-topicflow-[a-z-]+", name)}


def _event() -> product.Record:
    event = product.TopicSubmitted(
        id=product.topic_id("Café"), attempt=1, title="Café", submitted_at=datetime.now(UTC), submitted_by="somebody"
    )
    return product.encode(event, source="worker-1")


def _dead_letter() -> product.Record:
    """Of a record whose only header is `ce_id`; its message has a letter that is not ASCII."""
    record = product.Record("topic-submissions", "a-key", {"ce_id": "an-id"}, b"{}")
    delivery = product.Delivery(record, partition=3, position="17-0", starts=2)
    return product.dead_letter(delivery, code="bug", message="Café", tries=1, source="worker-1")


def _form(value: str) -> str:
    """What changes from one record to the next is shown by its form, all else as it is."""
    return next((form for pattern, form in FORMS.items() if re.fullmatch(pattern, value)), value)
