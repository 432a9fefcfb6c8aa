"""Gemini's requests read and its answers and errors shaped, as its REST API has them. Used by `gemini.py`."""

import json
import math
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from stand_ins.answers import Plan, UnusableSchema, plan
from stand_ins.moods import Mood
from stand_ins.server import Dropped

REFUSED_KEY = "refused"
GOOGLE = "type.googleapis.com/google.rpc"
STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
REFUSALS = {
    "401": "Request had invalid authentication credentials.",
    "429": "You exceeded your current quota, please check your plan and billing details.",
    "500": "An internal error has occurred.",
    "503": "The model is overloaded. Please try again later.",
}
WITHOUT_TEXT: dict[str, dict[str, Any]] = {
    "block": {"promptFeedback": {"blockReason": "SAFETY"}},
    "empty": {},
    "max_tokens": {"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}]},
}


class BadRequest(ValueError):
    """A request Gemini would refuse, or one the stand-in cannot answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one call asks: data items, the plan to answer them by, the length of its texts in characters."""

    items: list[dict[str, Any]]
    plan: Plan
    characters: int

    @property
    def titles(self) -> list[str]:
        return [str(item.get("title") or item.get("urn") or "") for item in self.items]


def read(body: bytes) -> Asked:
    """Reads the JSON body of generateContent. Raises BadRequest."""
    try:
        request = json.loads(body)
        config = request.get("generationConfig") or {}
        system = (request.get("systemInstruction") or {}).get("parts") or []
        texts = [part["text"] for said in request["contents"] for part in said["parts"] if "text" in part]
        data = json.loads(texts[-1])
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair could not be sent back
        characters = sum(map(len, texts)) + sum(len(part.get("text", "")) for part in system)
        answer_by = plan(config.get("responseJsonSchema") or config.get("responseSchema") or {})
    except UnusableSchema as unusable:
        raise BadRequest(f"The response schema cannot be answered: {unusable}") from unusable
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as broken:
        raise BadRequest(f"The last text part of contents must be JSON data: {broken!r}") from broken
    items = data if isinstance(data, list) else [data]
    if not all(isinstance(item, dict) for item in items):
        raise BadRequest("The data must be one object or an array of objects")
    if answer_by.many != isinstance(data, list):
        raise BadRequest("An array of data needs an array schema, one object an object schema")
    return Asked(items, answer_by, characters)


def problem(code: int, message: str, *details: dict[str, Any]) -> Response:
    """An error in the shape of Google's APIs."""
    body = {"code": code, "message": message, "status": STATUS[code]} | ({"details": details} if details else {})
    return JSONResponse({"error": body}, code)


def refused(mood: Mood | None) -> Response | None:
    """The answer of a mood in which the model is never reached; None where it is."""
    if mood is None or mood.mood not in REFUSALS:
        return Dropped() if mood and mood.mood == "reset" else None
    return problem(int(mood.mood), REFUSALS[mood.mood], *(_quota(mood) if mood.mood == "429" else []))


def _quota(mood: Mood) -> list[dict[str, Any]]:
    """What Gemini says of it: also of a day's quota it says to try again in some seconds."""
    per = "Day" if mood.of_the_day else "Minute"
    violation = {"quotaId": f"GenerateRequestsPer{per}PerProjectPerModel-FreeTier", "quotaValue": "250"}
    return [
        {"@type": f"{GOOGLE}.QuotaFailure", "violations": [violation]},
        {"@type": f"{GOOGLE}.RetryInfo", "retryDelay": f"{mood.retry_after_seconds:g}s"},
    ]


def unkeyed(request: Request) -> Response | None:
    """The refusal of a call without a good API key; None where the key is good."""
    key = request.headers.get("x-goog-api-key")
    if not key:
        return problem(403, "Method doesn't allow unregistered callers. Please use API Key to call this API.")
    if key == REFUSED_KEY:
        info = {"@type": f"{GOOGLE}.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
        return problem(400, "API key not valid. Please pass a valid API key.", info)
    return None


def answered(model: str, asked: Asked, text: str, without_text: dict[str, Any] | None = None) -> Response:
    """A 200 with its usage, four characters a token."""
    spent_in, spent_out = math.ceil(asked.characters / 4), math.ceil(len(text) / 4)
    usage = {"promptTokenCount": spent_in, "candidatesTokenCount": spent_out}
    content = {"parts": [{"text": text}], "role": "model"}
    outcome = {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}]}
    return JSONResponse(
        (outcome if without_text is None else without_text)
        | {"usageMetadata": usage | {"totalTokenCount": spent_in + spent_out}}
        | {"modelVersion": model, "responseId": uuid4().hex}
    )
