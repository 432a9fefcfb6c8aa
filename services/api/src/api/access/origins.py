"""Pages on other origins that may use the API (TOPICFLOW_ALLOWED_ORIGINS), and what their scripts may send and read."""

from collections.abc import Collection

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

METHODS = ("GET", "HEAD", "POST", "DELETE")
SENT = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID")
READ = (
    "ETag",
    "Idempotency-Replayed",
    "Retry-After",
    "WWW-Authenticate",
    "X-As-Of",
    "X-Projection-Lag-Seconds",
    "X-Request-ID",
)
PREFLIGHT_SECONDS = 600  # for which a browser remembers what it may send


def allowing(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """Answers preflight requests, which bring no key, and lets pages of these origins read every response. Cookies are
    never used."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=tuple(origins),
        allow_methods=METHODS,
        allow_headers=SENT,
        expose_headers=READ,
        max_age=PREFLIGHT_SECONDS,
    )
