"""A stand-in for Gemini over HTTP: simulated answers in the real one's shapes, and its moods on demand.

Run with `python -m stand_ins.gemini --port 8100`; callers reach it by GOOGLE_GEMINI_BASE_URL.
"""

import argparse
import asyncio
import json
import math
import os
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from stand_ins.answers import Plan, UnusableSchema, plan
from stand_ins.moods import Calls, Mood, Moods, Seconds

HOST = "127.0.0.1"
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
GONE = (ClientDisconnect, asyncio.CancelledError)  # the caller, or the server: only Server.shutdown cancels
WITHOUT_TEXT: dict[str, dict[str, Any]] = {
    "block": {"promptFeedback": {"blockReason": "SAFETY"}},
    "empty": {},
    "max_tokens": {"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}]},
}


class BadRequest(ValueError):
    """A request Gemini would refuse, or one the stand-in cannot answer."""


class Dropped(Response):
    """No answer at all: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["reset"]()
        while (await receive())["type"] != "http.disconnect":
            pass


class Pace(BaseModel):
    """How long the model takes for a call."""

    model_config = ConfigDict(extra="forbid")
    seconds: Seconds


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
    delay = {"@type": f"{GOOGLE}.RetryInfo", "retryDelay": f"{mood.retry_after_seconds:g}s"}
    return problem(int(mood.mood), REFUSALS[mood.mood], *([delay] if mood.mood == "429" else []))


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


async def wait(request: Request, seconds: float) -> None:
    """Lets the time of a call pass. Raises ClientDisconnect as soon as its caller goes."""
    if seconds:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await request.receive())["type"] != "http.disconnect":
                    pass
                raise ClientDisconnect


class Gemini:
    """The routes and what they share."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.moods = Moods()
        self.calls = Calls()

    async def generate(self, request: Request) -> Response:
        """One call. It ends when its caller goes, and is paid for only if its answer is a good one."""
        with self.calls.one_more():
            try:
                reply = unkeyed(request) or await self._reply(request)
                outcome = "reset" if isinstance(reply, Dropped) else str(reply.status_code)
            except GONE:
                reply, outcome = Dropped(), "gone"
        self.calls.by_status[outcome] += 1
        return reply

    async def _reply(self, request: Request) -> Response:
        try:
            asked = read(await request.body())
        except BadRequest as bad:
            return problem(400, str(bad))
        model = request.path_params["model"]
        mood = self.moods.of_call(asked.titles)
        if refusal := refused(mood):
            return refusal
        await wait(request, mood.seconds if mood and mood.mood == "hang" else self.seconds)
        if mood and mood.mood in WITHOUT_TEXT:
            return answered(model, asked, "", WITHOUT_TEXT[mood.mood])
        text, good = self._text(asked)
        if mood and mood.mood == "bad_json":
            return answered(model, asked, text[: len(text) // 2])
        self.calls.titles.update(good)
        return answered(model, asked, text)

    def _text(self, asked: Asked) -> tuple[str, list[str]]:
        """The answer's JSON text and the titles that are answered well in it."""
        answers: list[Any] = []
        good = []
        for item, title, spoil in zip(asked.items, asked.titles, self.moods.of_items(asked.titles), strict=True):
            if spoil is None:
                answers.append(asked.plan.answer(item))
                good.append(title)
            elif spoil == "bad_item":
                answers.append(asked.plan.spoiled(item))
        said: Any = answers if asked.plan.many else next(iter(answers), {})
        return json.dumps(said, ensure_ascii=False), good

    async def probe(self, request: Request) -> Response:
        """What a model is; costs nothing, so a worker asks it whether the service is back."""
        self.calls.probes += 1
        mood = self.moods.of_probe()
        if refusal := unkeyed(request) or refused(mood):
            return refusal
        try:
            await wait(request, mood.seconds if mood else 0)
        except GONE:
            return Dropped()
        name = request.path_params["model"]
        limits = {"inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536}
        methods = {"supportedGenerationMethods": ["generateContent"]}
        return JSONResponse({"name": f"models/{name}", "version": "simulated", "displayName": f"{name} (simulated)"} | limits | methods)

    async def show_moods(self) -> list[dict[str, Any]]:
        return self.moods.listed()

    async def tell_mood(self, mood: Mood) -> list[dict[str, Any]]:
        self.moods.tell(mood)
        return self.moods.listed()

    async def clear_moods(self) -> list[dict[str, Any]]:
        self.moods.clear()
        return self.moods.listed()

    async def set_seconds(self, pace: Pace) -> Pace:
        self.seconds = pace.seconds
        return pace

    async def show_calls(self) -> Calls:
        return self.calls

    async def reset_calls(self) -> Calls:
        self.calls.reset()
        return self.calls


async def live() -> dict[str, str]:
    return {"status": "live"}


async def nonsense(_: Request, invalid: Exception) -> Response:
    """A 422 without the input, which may hold what JSON has no word for (NaN)."""
    errors = invalid.errors() if isinstance(invalid, RequestValidationError) else []
    return JSONResponse({"detail": [{key: one[key] for key in ("loc", "msg", "type")} for one in errors]}, 422)


def build(seconds: float) -> FastAPI:
    """The app, taking `seconds` for a call until told otherwise."""
    gemini = Gemini(seconds)
    app = FastAPI(title="Stand-in for Gemini", openapi_url=None)
    app.add_exception_handler(RequestValidationError, nonsense)
    for version in ("v1", "v1beta"):  # google-genai 3 asks v1, older ones v1beta
        app.add_route(f"/{version}/models/{{model}}:generateContent", gemini.generate, methods=["POST"])
        app.add_route(f"/{version}/models/{{model}}", gemini.probe, methods=["GET"])
    app.get("/stand-in/moods")(gemini.show_moods)
    app.post("/stand-in/moods")(gemini.tell_mood)
    app.delete("/stand-in/moods")(gemini.clear_moods)
    app.put("/stand-in/seconds")(gemini.set_seconds)
    app.get("/stand-in/calls")(gemini.show_calls)
    app.delete("/stand-in/calls")(gemini.reset_calls)
    app.get("/live")(live)
    return app


class Connection(HttpToolsProtocol):
    """Tells each request how to reset its connection: ASGI has no word for it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["reset"] = self._reset

    def _reset(self) -> None:
        if self.transport.is_closing():
            return
        to_reset = struct.pack("ii", 1, 0)  # closing with SO_LINGER 0 sends RST where FIN would be
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, to_reset)
        self.transport.abort()


class Server(uvicorn.Server):
    """Says once when it is ready, and does not wait for sleeping calls when it is told to stop."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = sockets[0].getsockname()[1] if sockets else 0
        sys.stderr.write(f"stand-in for Gemini at http://{HOST}:{port} (simulated answers)\n")
        sys.stderr.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in list(self.server_state.tasks):
            task.cancel()
        await super().shutdown(sockets)


def seconds(text: str) -> float:
    """The type of --seconds; argparse tells of a ValueError by this name."""
    return Pace.model_validate({"seconds": text}).seconds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stand_ins.gemini", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--seconds", type=seconds, default=os.environ.get("STAND_IN_SECONDS") or "0")
    told = parser.parse_args()
    try:
        listener = socket.create_server((HOST, told.port), backlog=2048)
    except (OSError, OverflowError) as taken:
        raise SystemExit(f"stand-in for Gemini: {taken}") from taken
    config = uvicorn.Config(
        build(told.seconds),
        http=Connection,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        headers=[("x-topicflow-simulated", "true")],
        timeout_keep_alive=240,  # long, so that no reused connection closes just under a call
        timeout_graceful_shutdown=1,
    )
    with suppress(KeyboardInterrupt):
        Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
