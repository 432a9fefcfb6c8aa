"""Simulates the catalogue over HTTP: the article routes of the WiseFood data API, with faults on demand.

Run with `python -m simulators.catalog --port 8200`; callers reach it by DATA_API_URL, with any credentials but the
secret `refused`.
"""

import argparse
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated, Any, get_args
from uuid import uuid4

from fastapi import Body, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse

from simulators.catalog.faults import CatalogCalls, CatalogFault, CatalogFaults, Kind, Route
from simulators.catalog.search import search
from simulators.catalog.shapes import (
    CatalogProblem,
    Credentials,
    Enhancement,
    PageRequest,
    Patch,
    Search,
    answer,
    checked,
    read,
    refusal,
)
from simulators.catalog.store import ArticleStore, merged
from simulators.faults import LATE
from simulators.server import DISCONNECTED, ConnectionReset, add_address, invalid_request, live, serve, wait

CONTROL = f"""control routes, in JSON:
  POST   /simulator/faults           adds one fault; GET lists them, DELETE clears them
  PUT    /simulator/tokens          {{"seconds": 5}}: lifetime of new tokens; DELETE revokes all tokens
  GET    /simulator/calls           the requests it received; DELETE resets the counters
  GET    /simulator/articles        what was written, by URN; DELETE reverts it
  PUT    /simulator/articles        {{"made": 100000}}: reverts it, with N generated articles after the fixed ones
  PUT    /simulator/articles/URN    sets fields of the article; GET shows it, DELETE removes it

a fault: {{"fault": "503", "route": "patch", "urn_contains": "oat", "for_seconds": 30}}
  kinds: {", ".join(get_args(Kind))}
  routes: {", ".join(get_args(Route))}
  scope, and fields of some kinds: {", ".join(name for name in CatalogFault.model_fields if name != "fault")}"""
REFUSED_SECRET = "refused"  # noqa: S105 -- it opens nothing
Handler = Callable[[Request], Awaitable[Any]]
Fields = Annotated[dict[str, Any], Body()]


class Lifetime(BaseModel):
    model_config = ConfigDict(extra="forbid")
    seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class Size(BaseModel):
    model_config = ConfigDict(extra="forbid")
    made: Annotated[int, Field(ge=0, le=1_000_000)]


class CatalogSimulator:
    """The routes and what they share."""

    def __init__(self, articles: ArticleStore) -> None:
        self.articles = articles
        self.faults = CatalogFaults()
        self.calls = CatalogCalls()
        self.token_seconds = 300.0
        self.tokens: dict[str, float] = {}  # expiry by token, monotonic

    def route(self, route: Route, handle: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Wraps a handler with faults, authentication, the response envelope and counts."""

        async def call(request: Request) -> Response:
            with self.calls.track_call(route):
                try:
                    reply = await self._reply(route, handle, request)
                    outcome = "reset" if isinstance(reply, ConnectionReset) else str(reply.status_code)
                except DISCONNECTED:
                    reply, outcome = ConnectionReset(), "gone"
            self.calls.by_status[outcome] += 1
            return reply

        return call

    async def _reply(self, route: Route, handle: Handler, request: Request) -> Response:
        fault = self.faults.of_call(route, request.path_params.get("urn", ""))
        if fault and (instead := _instead(request, fault)):
            return instead
        await request.body()  # before `wait`, which would consume it
        await wait(request, fault.seconds if fault and fault.fault in LATE else 0)
        try:
            if route != "login":
                self._require_token(request)
            reply = answer(request, await handle(request))
        except CatalogProblem as problem:
            reply = refusal(request, problem)
        return ConnectionReset() if fault and fault.fault == "lost" else reply

    def _require_token(self, request: Request) -> None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or self.tokens.get(token, 0.0) <= time.monotonic():
            raise CatalogProblem(401, "Token is invalid or expired")

    async def login(self, request: Request) -> dict[str, Any]:
        credentials = await read(request, Credentials)
        if credentials.client_secret == REFUSED_SECRET:
            raise CatalogProblem(401, "Invalid client or Invalid client credentials")
        now, token = time.monotonic(), token_urlsafe(32)
        self.tokens = {old: expiry for old, expiry in self.tokens.items() if expiry > now}
        self.tokens[token] = now + self.token_seconds
        return {"access_token": token, "expires_in": self.token_seconds, "token_type": "Bearer", "scope": "profile"}

    async def list_page(self, request: Request) -> list[str]:
        page = checked(PageRequest, request.query_params, "query")
        return self.articles.page(page.offset, page.limit)

    async def search_page(self, request: Request) -> dict[str, Any]:
        request_body = await read(request, Search)
        return search(request_body, self.articles.urns(), self.articles.read, self.articles.value)

    async def read_article(self, request: Request) -> dict[str, Any]:
        urn, article = self._article(request)
        self.calls.reads[urn] += 1
        return article

    async def patch(self, request: Request) -> dict[str, Any]:
        urn, article = self._article(request)
        fields = (await read(request, Patch)).model_dump(exclude_unset=True)
        if fields.get("extras") is not None:
            fields["extras"] = merged(article["extras"], fields["extras"])
        self.calls.patches[urn] += 1
        return self.articles.write(urn, fields)

    async def enhance(self, request: Request) -> dict[str, Any]:
        urn, _ = self._article(request)
        request_body = await read(request, Enhancement)
        fields = request_body.fields.model_dump(exclude_unset=True)
        self.articles.write(urn, fields)
        self.calls.enhances[urn] += 1
        return {"urn": urn, "run_id": str(uuid4()), "enhanced_fields": list(fields), "agent": request_body.agent}

    def _article(self, request: Request) -> tuple[str, dict[str, Any]]:
        urn = request.path_params["urn"]
        if urn not in self.articles:
            raise CatalogProblem(404, f"Article with URN {urn} not found.")
        return urn, self.articles.read(urn)


def _instead(request: Request, fault: CatalogFault) -> Response | None:
    """The response to a fault that prevents the request from being carried out; otherwise None."""
    match fault.fault:
        case "reset":
            return ConnectionReset()
        case "page":
            return HTMLResponse("<html><body>Welcome to the network</body></html>")
        case "slow" | "hang" | "lost":
            return None
    reply = refusal(request, CatalogProblem(int(fault.fault), f"The simulator is set to answer {fault.fault}"))
    if fault.retry_after_seconds is not None:
        reply.headers["retry-after"] = f"{fault.retry_after_seconds:g}"
    return reply


class Control:
    """The control routes."""

    def __init__(self, catalog: CatalogSimulator) -> None:
        self._catalog = catalog

    async def show_faults(self) -> list[dict[str, Any]]:
        return self._catalog.faults.as_dicts()

    async def inject_fault(self, fault: CatalogFault) -> list[dict[str, Any]]:
        self._catalog.faults.inject([fault])
        return self._catalog.faults.as_dicts()

    async def clear_faults(self) -> None:
        self._catalog.faults.clear()

    async def set_lifetime(self, lifetime: Lifetime) -> Lifetime:
        self._catalog.token_seconds = lifetime.seconds
        return lifetime

    async def end_tokens(self) -> None:
        self._catalog.tokens.clear()

    async def show_calls(self) -> CatalogCalls:
        return self._catalog.calls

    async def reset_calls(self) -> None:
        self._catalog.calls = CatalogCalls(in_flight=self._catalog.calls.in_flight)

    async def show_written(self) -> dict[str, Any]:
        return self._catalog.articles.written

    async def revert_written(self) -> None:
        self._catalog.articles.reset(self._catalog.articles.made)

    async def reset(self, size: Size) -> Size:
        self._catalog.articles.reset(size.made)
        return size

    async def show_article(self, urn: str) -> dict[str, Any]:
        if urn not in self._catalog.articles:
            raise HTTPException(404)
        return self._catalog.articles.read(urn)

    async def write_article(self, urn: str, fields: Fields) -> dict[str, Any]:
        return self._catalog.articles.write(urn, fields)

    async def remove_article(self, urn: str) -> None:
        self._catalog.articles.remove(urn)


def build(articles: ArticleStore) -> FastAPI:
    catalog = CatalogSimulator(articles)
    app = FastAPI(title="Simulator for the catalogue", openapi_url=None)
    app.add_exception_handler(RequestValidationError, invalid_request)
    handlers: dict[Route, tuple[str, str, Handler]] = {
        "login": ("POST", "/system/mtm", catalog.login),
        "list": ("GET", "/articles", catalog.list_page),
        "search": ("POST", "/articles/search", catalog.search_page),
        "read": ("GET", "/articles/{urn}", catalog.read_article),
        "patch": ("PATCH", "/articles/{urn}", catalog.patch),
        "enhance": ("PATCH", "/articles/{urn}/enhance", catalog.enhance),
    }
    for route, (method, path, handle) in handlers.items():
        app.add_route(f"/api/v1{path}", catalog.route(route, handle), methods=[method])
    add_control(app, Control(catalog))
    return app


def add_control(app: FastAPI, control: Control) -> None:
    app.get("/simulator/faults")(control.show_faults)
    app.post("/simulator/faults")(control.inject_fault)
    app.delete("/simulator/faults")(control.clear_faults)
    app.put("/simulator/tokens")(control.set_lifetime)
    app.delete("/simulator/tokens")(control.end_tokens)
    app.get("/simulator/calls")(control.show_calls)
    app.delete("/simulator/calls")(control.reset_calls)
    app.get("/simulator/articles")(control.show_written)
    app.put("/simulator/articles")(control.reset)
    app.delete("/simulator/articles")(control.revert_written)
    app.get("/simulator/articles/{urn:path}")(control.show_article)
    app.put("/simulator/articles/{urn:path}")(control.write_article)
    app.delete("/simulator/articles/{urn:path}")(control.remove_article)
    app.get("/live")(live)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m simulators.catalog",
        description=__doc__,
        epilog=CONTROL,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_address(parser)
    parser.add_argument("--made", type=int, default=0, help="number of generated articles after the fixed ones")
    parser.add_argument("--file", type=Path, help="SQLite file for what is written (default: in memory only)")
    options = parser.parse_args()
    try:
        articles = ArticleStore(options.made, options.file)
    except sqlite3.Error as error:
        raise SystemExit(f"simulator for the catalogue: {options.file}: {error}") from error
    serve(build(articles), "the catalogue", options)
