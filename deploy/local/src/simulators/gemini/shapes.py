"""Parses requests and builds responses and errors in the shape of Gemini's REST API. Used by `app.py`."""

import json
import math
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from simulators.gemini.answers import AnswerPlan, UnusableSchema, plan
from simulators.gemini.faults import GeminiFault
from simulators.gemini.models import AnswerLimits
from simulators.server import ConnectionReset

REFUSED_KEY = "refused"
GOOGLE = "type.googleapis.com/google.rpc"
STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
REFUSALS = {
    "400": "Request contains an invalid argument.",
    "401": "Request had invalid authentication credentials.",
    "403": "The caller does not have permission",
    "404": "The model is not found for this API version, or is not supported for generateContent.",
    "500": "An internal error has occurred.",
    "503": "The model is overloaded. Please try again later.",
    "504": "Deadline expired before operation could complete.",
}
WRAPPERS = {
    "fence": "```json\n{}\n```",
    "chat": "Here are the cards:\n\n{}\n\nShall I write more of them?",
    "object": '{{"topics": {}}}',
}


class BadRequest(ValueError):
    """A request Gemini would refuse, or one the simulator cannot answer."""


@dataclass(frozen=True, slots=True)
class ParsedCall:
    """One call: data items, the plan for answering them, the length of its texts in characters, and its
    generationConfig without the schema."""

    items: list[dict[str, Any]]
    plan: AnswerPlan
    characters: int
    config: dict[str, Any]

    @property
    def names(self) -> list[str]:
        """The URN or title of each item, by which calls are counted."""
        return [str(item.get("urn") or item.get("title") or "") for item in self.items]

    @property
    def titles(self) -> list[str]:
        """Texts in which faults search their `title_contains`: an article's title and URN."""
        return [" ".join(str(item[key]) for key in ("title", "urn") if item.get(key)) for item in self.items]


def read(body: bytes) -> ParsedCall:
    """Reads the JSON body of generateContent. Raises BadRequest."""
    try:
        request = json.loads(body)
        config = request.get("generationConfig") or {}
        system = (request.get("systemInstruction") or {}).get("parts") or []
        texts = [part["text"] for content in request["contents"] for part in content["parts"] if "text" in part]
        data = json.loads(texts[-1])
        json.dumps(data, ensure_ascii=False).encode()  # raises on unpaired surrogates, which could not be sent back
        characters = sum(map(len, texts)) + sum(len(part.get("text", "")) for part in system)
        answer_plan = plan(config.get("responseJsonSchema") or config.get("responseSchema") or {})
    except UnusableSchema as error:
        raise BadRequest(f"The response schema cannot be answered: {error}") from error
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise BadRequest(f"The last text part of contents must be JSON data: {error!r}") from error
    items = data if isinstance(data, list) else [data]
    if not all(isinstance(item, dict) for item in items):
        raise BadRequest("The data must be one object or an array of objects")
    if answer_plan.many != isinstance(data, list):
        raise BadRequest("An array of data needs an array schema, one object an object schema")
    settings = {key: value for key, value in config.items() if key not in {"responseJsonSchema", "responseSchema"}}
    return ParsedCall(items, answer_plan, characters, settings)


def problem(code: int, message: str, *details: dict[str, Any]) -> Response:
    """An error in the shape of Google's APIs."""
    body = {"code": code, "message": message, "status": STATUS[code]} | ({"details": details} if details else {})
    return JSONResponse({"error": body}, code)


def refused(fault: GeminiFault | None) -> Response | None:
    """The response to a fault that prevents the call from reaching the model; otherwise None."""
    if fault is None:
        return None
    match fault.fault:
        case "reset":
            return ConnectionReset()
        case "page":
            return HTMLResponse("<!doctype html><title>Please log in</title>", fault.status)
        case "bad_key":
            return _bad_key()
        case "429":
            return _over_quota(fault)
    return problem(int(fault.fault), REFUSALS[fault.fault]) if fault.fault in REFUSALS else None


def _bad_key() -> Response:
    info = {"@type": f"{GOOGLE}.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
    return problem(400, "API key not valid. Please pass a valid API key.", info)


def _over_quota(fault: GeminiFault) -> Response:
    """Like Gemini, asks to retry in some seconds even if the daily quota is used up."""
    per = "Day" if fault.of_the_day else "Minute"
    violation = {"quotaId": f"GenerateRequestsPer{per}PerProjectPerModel-FreeTier", "quotaValue": "250"}
    details: list[dict[str, Any]] = [{"@type": f"{GOOGLE}.QuotaFailure", "violations": [violation]}]
    seconds = f"{fault.retry_after_seconds:g}"
    if not fault.in_header:
        details.append({"@type": f"{GOOGLE}.RetryInfo", "retryDelay": f"{seconds}s"})
    refusal = problem(429, "You exceeded your current quota, please check your plan and billing details.", *details)
    if fault.in_header:
        refusal.headers["retry-after"] = seconds
    return refusal


def key_refusal(request: Request) -> Response | None:
    """The refusal of a call without a valid API key; otherwise None."""
    key = request.headers.get("x-goog-api-key")
    if not key:
        return problem(403, "Method doesn't allow unregistered callers. Please use API Key to call this API.")
    return _bad_key() if key == REFUSED_KEY else None


def without_text(fault: GeminiFault | None) -> dict[str, Any] | None:
    """The content of an answer without text; None if the answer has a text."""
    if fault is None:
        return None
    match fault.fault:
        case "block":
            return {"promptFeedback": {"blockReason": fault.reason}}
        case "finish":
            return {"candidates": [{"content": {"role": "model"}, "finishReason": fault.reason, "index": 0}]}
        case "empty":
            return {}
    return None


def answered(
    model: str, call: ParsedCall, text: str, limits: AnswerLimits, instead: dict[str, Any] | None = None
) -> Response:
    """A 200 with its usage at four characters per token, cut off at the requested length."""
    tokens_in, tokens_out = math.ceil(call.characters / 4), math.ceil(len(text) / 4)
    finish = "STOP"
    if limits.thoughts + tokens_out > limits.most:
        finish, tokens_out = "MAX_TOKENS", max(0, int(limits.most) - limits.thoughts)
        text = text[: tokens_out * 4]
    usage = {"promptTokenCount": tokens_in, "candidatesTokenCount": tokens_out, "thoughtsTokenCount": limits.thoughts}
    content = {"parts": [{"text": text}], "role": "model"}
    outcome = {"candidates": [{"content": content, "finishReason": finish, "index": 0}]}
    return JSONResponse(
        (outcome if instead is None else instead)
        | {"usageMetadata": usage | {"totalTokenCount": sum(usage.values())}}
        | {"modelVersion": model, "responseId": uuid4().hex}
    )
