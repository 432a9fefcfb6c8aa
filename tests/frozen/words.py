"""Words that programs compare with and no document lists, found in the sources wherever they stand."""

from http import HTTPStatus

from frozen.sources import Sources

# /health and /ready have no schema in the OpenAPI document.
HEALTH = (
    *("backlog", "broker", "database", "dead_letters", "detail", "lag", "limits", "memory_share", "no_room"),
    *("projectors", "simulated", "status", "topic_workers", "version", "waiting_for", "worker"),
    *("ok", "degraded", "unavailable"),
)
# Reasons of wasted usage: keys of `wasted` in GET /api/v1/usage. Some are returned, so no parameter has them.
WASTED = ("blocked", "cut_off", "invalid", "missing", "not_used", "repeated", "taken_back")


def error_codes(sources: Sources) -> dict[str, str]:
    """Codes of failed submissions and dead letters; `gemini_{}` ends with the status of the answer."""
    return dict.fromkeys(sources.words_given_as("code"), "a code")


def reasons(sources: Sources) -> dict[str, str]:
    """Reasons of refused requests (including the names of their statuses), of waiting work, and of wasted usage."""
    lines = {f"refused or waiting: {reason}": "a reason" for reason in sources.words_given_as("reason")}
    statuses = [HTTPStatus(status) for status in sources.numbers_given_as("status", "services/api/")]
    lines |= {f"refused: {status.name.lower()}": f"status {status.value}" for status in statuses}
    texts = sources.texts()
    return lines | {f"wasted: {word}": "a reason" for word in WASTED if word in texts}


def health_fields(sources: Sources) -> dict[str, str]:
    texts = sources.texts("services/api/")
    return {f"GET /health 200 {word}": "a word in the sources" for word in HEALTH if word in texts}
