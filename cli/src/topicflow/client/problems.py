"""problem+json answers (RFC 9457) into the command's errors: one clear line each. Used by `client/api.py`."""

import contextlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from local_processes.plain_text import one_line
from topicflow.errors import CommandError, Failed, NotAllowed, NotFound, ServiceUnavailable, WrongUse

_SHOWN_ERRORS = 3
_BY_STATUS: dict[int, type[CommandError]] = {
    400: WrongUse,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    410: NotFound,
    413: WrongUse,
    422: WrongUse,
}
_COME_AGAIN = frozenset({429, 502, 503, 504})


def problem_of(response: httpx.Response) -> CommandError:
    """The error that this status asks for, with everything that the answer says in one line."""
    problem = _problem(response)
    message = one_line(
        problem.get("detail") or problem.get("title") or f"{response.request.url} answered {response.status_code}"
    )
    if errors := _field_errors(problem, message):
        message = f"{message}: {errors}"
    if response.status_code in _COME_AGAIN or (response.status_code == 409 and "Retry-After" in response.headers):
        return ServiceUnavailable(message, retry_after_seconds(response.headers.get("Retry-After")))
    return _BY_STATUS.get(response.status_code, Failed)(message)


def retry_after_seconds(value: str | None) -> float | None:
    """Seconds or an HTTP date (RFC 9110 §10.2.3); None where neither."""
    with contextlib.suppress(TypeError, ValueError):
        if value and value.strip().isdecimal():
            return float(value)
        if value:
            return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return None


def _problem(response: httpx.Response) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        if isinstance(problem := response.json(), dict):
            return problem
    return {}


def _field_errors(problem: dict[str, Any], said: str) -> str:
    """Those that are not said already."""
    errors = problem.get("errors")
    if not isinstance(errors, list):
        return ""
    lines = [
        f"{one_line(error.get('field', ''))} {message}"
        for error in errors
        if isinstance(error, dict) and (message := one_line(error.get("message", ""))) not in said
    ]
    more = len(lines) - _SHOWN_ERRORS
    return "; ".join(lines[:_SHOWN_ERRORS]) + (f" and {more} more" if more > 0 else "")
