"""Simulates Gemini over HTTP: answers in the real API's shapes, with faults on demand.

Run with `python -m simulators.gemini --port 8100`; callers reach it by GOOGLE_GEMINI_BASE_URL.
"""

import argparse
import json
import os
import time
from typing import Annotated, Any, get_args

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse

from simulators.faults import LATE, Seconds
from simulators.gemini.calls import GeminiCalls, Limit, Window
from simulators.gemini.faults import GeminiFault, GeminiFaults, Kind
from simulators.gemini.models import BadConfig, NotServed, Version, limits, serving
from simulators.gemini.shapes import (
    WRAPPERS,
    BadRequest,
    ParsedCall,
    answered,
    key_refusal,
    problem,
    read,
    refused,
    without_text,
)
from simulators.server import DISCONNECTED, ConnectionReset, add_address, invalid_request, live, serve, wait

CONTROL = f"""control routes, in JSON:
  POST   /simulator/faults    adds one fault, or a list of them as a script over time
  GET    /simulator/faults    active and scheduled ones; DELETE clears them
  PUT    /simulator/seconds  {{"seconds": 1.5}}: how long a call takes
  PUT    /simulator/model-version  {{"model_version": "gemini-9"}}: model name in answers; null: the real one
  PUT    /simulator/limit    {{"requests": 60, "seconds": 10}}: more are answered with 429; DELETE lifts it
  GET    /simulator/calls    the calls it received; DELETE resets the counters

a fault: {{"fault": "503", "after_seconds": 20, "for_seconds": 30, "share": 0.05}}
  kinds: {", ".join(get_args(Kind))}
  scope, and fields of some kinds: {", ".join(name for name in GeminiFault.model_fields if name != "fault")}"""
Script = Annotated[list[GeminiFault], Field(min_length=1)]


class CallDuration(BaseModel):
    """The duration of a call."""

    model_config = ConfigDict(extra="forbid")
    seconds: Seconds


class ModelVersion(BaseModel):
    """null: the model that serves the request."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())
    model_version: str | None = Field(min_length=1)


class GeminiSimulator:
    """The routes and what they share."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.faults = GeminiFaults()
        self.window: Window | None = None
        self.model_version: str | None = None  # the model that answers name, whichever was requested
        self.calls = GeminiCalls()

    async def generate(self, request: Request) -> Response:
        """One call of generateContent. Ends when the client disconnects."""
        with self.calls.track_call():
            try:
                reply = key_refusal(request) or await self._reply(request)
                outcome = "reset" if isinstance(reply, ConnectionReset) else str(reply.status_code)
            except DISCONNECTED:
                reply, outcome = ConnectionReset(), "gone"
        self.calls.by_status[outcome] += 1
        return reply

    async def _reply(self, request: Request) -> Response:
        arrived = time.monotonic()
        try:
            model = self.model_of(request)
            call = read(await request.body())
            limited = limits(model, call.config, len(call.items))
        except NotServed as error:
            return problem(404, str(error))
        except (BadRequest, BadConfig) as error:
            return problem(400, str(error))
        self.calls.latest.append(call.titles)
        self.calls.configs.append(call.config)
        key = request.headers.get("x-goog-api-key", "")
        fault = self.faults.of_call(call.titles, key)
        if refusal := refused(fault or (self.window.refusal() if self.window else None)):
            return refusal
        instead = without_text(fault)
        text, valid_titles = self._text(call, key) if instead is None else ("", [])
        seconds = fault.seconds if fault and fault.fault in LATE else self.seconds
        await wait(request, arrived + seconds - time.monotonic())
        if fault and fault.fault == "bad_json":
            return answered(self.model_version or model, call, text[: len(text) // 2], limited)
        self.calls.titles.update(valid_titles)
        if fault and fault.fault in WRAPPERS:
            text = WRAPPERS[fault.fault].format(text)
        return answered(self.model_version or model, call, text, limited, instead)

    def model_of(self, request: Request) -> str:
        """The model that serves a request. Raises NotServed."""
        version: Version = "v1beta" if request.url.path.startswith("/v1beta/") else "v1"
        return serving(request.path_params["model"], version)

    def _text(self, call: ParsedCall, key: str) -> tuple[str, list[str]]:
        """The answer's JSON text, and the titles or URNs with a valid answer in it."""
        answers: list[Any] = []
        valid = []
        for item, name, fault in zip(call.items, call.names, self.faults.of_items(call.titles, key), strict=True):
            if fault is None:
                answers.append(call.plan.answer(item))
                valid.append(name)
            elif fault == "bad_item":
                answers.append(call.plan.invalid_answer(item))
        answer: Any = answers if call.plan.many else next(iter(answers), {})
        return json.dumps(answer, ensure_ascii=False), valid

    async def probe(self, request: Request) -> Response:
        """Describes a model. Free, so workers use it to probe whether an outage is over."""
        self.calls.probes += 1
        fault = self.faults.of_probe()
        if refusal := key_refusal(request) or refused(fault):
            return refusal
        try:
            self.model_of(request)
        except NotServed as error:
            return problem(404, str(error))
        try:
            await wait(request, fault.seconds if fault else 0)
        except DISCONNECTED:
            return ConnectionReset()
        name = request.path_params["model"]
        limits = {"inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536}
        methods = {"supportedGenerationMethods": ["generateContent"]}
        description = {"name": f"models/{name}", "version": "simulated", "displayName": f"{name} (simulated)"}
        return JSONResponse(description | limits | methods)

    async def show_faults(self) -> list[dict[str, Any]]:
        return self.faults.as_dicts()

    async def inject_faults(self, body: GeminiFault | Script) -> list[dict[str, Any]]:
        self.faults.inject([body] if isinstance(body, GeminiFault) else body)
        return self.faults.as_dicts()

    async def clear_faults(self) -> list[dict[str, Any]]:
        self.faults.clear()
        return self.faults.as_dicts()

    async def set_seconds(self, duration: CallDuration) -> CallDuration:
        self.seconds = duration.seconds
        return duration

    async def set_model_version(self, body: ModelVersion) -> ModelVersion:
        self.model_version = body.model_version
        return body

    async def set_limit(self, limit: Limit) -> Limit:
        self.window = Window(limit)
        return limit

    async def clear_limit(self) -> None:
        self.window = None

    async def show_calls(self) -> GeminiCalls:
        return self.calls

    async def reset_calls(self) -> GeminiCalls:
        self.calls.reset()
        return self.calls


def build(seconds: float) -> FastAPI:
    """The app. `seconds`: initial duration of a call."""
    gemini = GeminiSimulator(seconds)
    app = FastAPI(title="Simulator for Gemini", openapi_url=None)
    app.add_exception_handler(RequestValidationError, invalid_request)
    for version in ("v1", "v1beta"):
        app.add_route(f"/{version}/models/{{model}}:generateContent", gemini.generate, methods=["POST"])
        app.add_route(f"/{version}/models/{{model}}", gemini.probe, methods=["GET"])
    app.get("/simulator/faults")(gemini.show_faults)
    app.post("/simulator/faults")(gemini.inject_faults)
    app.delete("/simulator/faults")(gemini.clear_faults)
    app.put("/simulator/seconds")(gemini.set_seconds)
    app.put("/simulator/model-version")(gemini.set_model_version)
    app.put("/simulator/limit")(gemini.set_limit)
    app.delete("/simulator/limit")(gemini.clear_limit)
    app.get("/simulator/calls")(gemini.show_calls)
    app.delete("/simulator/calls")(gemini.reset_calls)
    app.get("/live")(live)
    return app


def seconds(text: str) -> float:
    """The type of --seconds; argparse shows this name in errors."""
    return CallDuration.model_validate({"seconds": text}).seconds


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.gemini",
        description=__doc__,
        epilog=CONTROL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_address(parser)
    parser.add_argument(
        "--seconds",
        type=seconds,
        default=os.environ.get("SIMULATOR_SECONDS") or "0",
        help="how long a call takes (default: $SIMULATOR_SECONDS, or 0)",
    )
    options = parser.parse_args()
    serve(build(options.seconds), "Gemini", options)
