"""Maps Gemini's error responses to topicflow errors: wait, retry or fail."""

from typing import Any

from google.genai import errors

from shared.errors import DailyQuota, Doubtful, KeyRefused, Outage, RateLimited, Refused, Unavailable
from shared.llm.gemini_keys import Key
from shared.llm.quota_day import end_of_day
from shared.resilience.retry_after import retry_after_seconds

_DOUBTFUL = {408, 499, 500, 504}  # may concern one request only
_PROXY_AUTHENTICATION = 407


def error_of(error: errors.APIError, key: Key, url: str) -> Outage | Doubtful | Refused:
    """`url`: the called URL, without secrets."""
    text = str(error.message or "").replace(key.value, "…")  # some error messages quote the key
    message = f"Gemini answered {error.code} {error.status or ''}: {text[:300]}".strip()
    reasons = {info.get("reason") for info in _details(error, "ErrorInfo")}
    is_key_invalid = error.code in {401, 403} or (error.code == 400 and "API_KEY_INVALID" in reasons)
    if error.code == 404:
        return Unavailable(not_found(error, url), _retry_after(error))
    if error.code == 429 and _is_daily(error):
        return DailyQuota(message, until=end_of_day())
    if error.code == 429:
        return RateLimited(message, _retry_after(error))
    if is_key_invalid:
        return KeyRefused(f"Gemini rejected the API key ({error.code} {error.status or ''})")
    if error.code in _DOUBTFUL:
        return Doubtful(f"gemini_{error.code}", message)
    if error.code == _PROXY_AUTHENTICATION or error.code < 400 or error.code >= 500:
        return Unavailable(message, _retry_after(error))
    return Refused(f"gemini_{error.code}", message)


def not_found(error: errors.APIError, url: str) -> str:
    """Message for a 404. Google names the missing model; any other server does not know the path."""
    if error.status == "NOT_FOUND" and "model" in str(error.message):
        return f"Gemini has no such model at {url} (404): check GEMINI_MODEL and GEMINI_API_VERSION"
    return f"nothing found at {url} (404): check GOOGLE_GEMINI_BASE_URL and GEMINI_API_VERSION"


def _retry_after(error: errors.APIError) -> float | None:
    """Seconds, from RetryInfo in the details or the header Retry-After."""
    delays = [str(info.get("retryDelay") or "").removesuffix("s") for info in _details(error, "RetryInfo")]
    header = getattr(error.response, "headers", {}).get("retry-after", "")
    return retry_after_seconds(next(filter(None, delays), header))


def _is_daily(error: errors.APIError) -> bool:
    """Whether an exceeded quota is one per day, according to its id."""
    failures = _details(error, "QuotaFailure")
    violations = [violation for failure in failures for violation in _dicts(failure.get("violations"))]
    return any("PerDay" in str(violation.get("quotaId")) for violation in violations)


def _details(error: errors.APIError, kind: str) -> list[dict[str, Any]]:
    """Details of one type of google.rpc (google/rpc/error_details.proto)."""
    body = error.details[0] if isinstance(error.details, list) and error.details else error.details
    outer = body if isinstance(body, dict) else {}
    inner = outer.get("error")
    details = _dicts((inner if isinstance(inner, dict) else outer).get("details"))
    return [detail for detail in details if str(detail.get("@type")).endswith(f"google.rpc.{kind}")]


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
