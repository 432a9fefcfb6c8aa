"""What Gemini's error details mean, read by their types; anything else in their place is ignored."""

from typing import Any

import httpx2
import pytest
from google.genai import errors

from shared.errors import DailyQuota, KeyRefused, Outage, RateLimited, Refused
from shared.llm.gemini_errors import error_of
from shared.llm.gemini_keys import Key

RPC = "type.googleapis.com/google.rpc."


def mapped(code: int, details: object, message: str = "no") -> Exception:
    body = {"error": {"code": code, "message": message, "status": "FAILED", "details": details}}
    return error_of(errors.APIError(code, body), Key(1, "secret"), "http://gemini")


def of_quota(id_: object) -> dict[str, Any]:
    return {"@type": f"{RPC}QuotaFailure", "violations": [{"quotaId": id_}]}


def test_the_delay_is_read_from_retry_info() -> None:
    limited = mapped(429, [of_quota("PerMinute"), {"@type": f"{RPC}RetryInfo", "retryDelay": "7.5s"}])
    assert isinstance(limited, RateLimited)
    assert limited.retry_after == 7.5


def test_a_retry_info_without_a_delay_does_not_hide_the_header() -> None:
    body = {"error": {"code": 429, "details": [{"@type": f"{RPC}RetryInfo"}]}}
    response = httpx2.Response(429, headers={"retry-after": "9"})
    limited = error_of(errors.APIError(429, body, response), Key(1, "secret"), "http://gemini")
    assert isinstance(limited, RateLimited)
    assert limited.retry_after == 9


def test_a_daily_quota_is_one_whose_id_says_so_not_whose_text_does() -> None:
    assert isinstance(mapped(429, [of_quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier")]), DailyQuota)
    assert isinstance(mapped(429, [of_quota("GenerateRequestsPerMinute")], "see PerDay limits"), RateLimited)
    assert isinstance(mapped(429, [{"@type": f"{RPC}Help", "links": "limits PerDay"}]), RateLimited)


def test_a_refused_key_is_one_whose_reason_says_so() -> None:
    assert isinstance(mapped(400, [{"@type": f"{RPC}ErrorInfo", "reason": "API_KEY_INVALID"}]), KeyRefused)
    assert isinstance(mapped(400, [{"@type": f"{RPC}BadRequest", "text": "not API_KEY_INVALID"}]), Refused)


@pytest.mark.parametrize(
    "details",
    [
        None,
        "text",
        {"@type": f"{RPC}RetryInfo"},
        ["text", None, 7],
        [{"@type": 7, "retryDelay": "1s"}],
        [{"@type": f"{RPC}RetryInfo", "retryDelay": {"seconds": 1}}],
        [{"@type": f"{RPC}RetryInfo", "retryDelay": "soon"}],
        [{"@type": f"{RPC}QuotaFailure", "violations": "PerDay"}],
        [{"@type": f"{RPC}QuotaFailure", "violations": [None, "PerDay"]}],
        [of_quota(None)],
    ],
)
def test_details_of_any_shape_are_no_bug(details: object) -> None:
    limited = mapped(429, details)
    assert isinstance(limited, Outage)
    assert (type(limited), limited.retry_after) == (RateLimited, None)
    assert type(mapped(400, details)) is Refused


def test_a_body_that_is_a_list_is_read_like_its_first_object() -> None:
    body = [{"error": {"code": 429, "message": "no", "details": [of_quota("PerDay")]}}]
    assert isinstance(error_of(errors.APIError(429, body), Key(1, "secret"), "http://gemini"), DailyQuota)
