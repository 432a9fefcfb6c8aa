"""An API on loopback that a test scripts: its topics end when the test says so, and its event stream can be cut, held
back, or missing."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from servers.ports import LOOPBACK
from shared.ids import topic_id

Row = dict[str, Any]
Stream = Literal["events", "missing", "page", "held", "held_wholly", "held_after_snapshot", "ends_at_once", "full"]
_WHEN = "2026-03-01T10:00:00+00:00"
_LOOK_EVERY = 0.005  # seconds


@dataclass
class ScriptedApi:
    """`stream`: how /events answers; held: it begins, and nothing comes; held_wholly: it does not even begin.

    Requests are listed as they arrive.
    """

    topics: dict[str, Row] = field(default_factory=dict)
    stream: Literal[
        "events", "missing", "page", "held", "held_wholly", "held_after_snapshot", "ends_at_once", "full"
    ] = "events"
    names_attempts: bool = True  # in the answer to a submission
    lag: float | None = 0.0
    live_workers: int = 1
    waiting_for: Row | None = None
    refuses: dict[str, tuple[int, Mapping[str, str]]] = field(default_factory=dict)  # by path: status and headers
    interludes: list[Response] = field(default_factory=list)  # the answers to the next reads
    retry: int = 10  # milliseconds
    cursors: list[str | None] = field(default_factory=list)  # Last-Event-ID of each stream
    followed: list[list[str]] = field(default_factory=list)  # the ids of each stream
    open_streams: int = 0
    most_open_streams: int = 0
    reads: list[str] = field(default_factory=list)  # paths of all other requests
    bodies: list[Row] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)  # ids; a cursor is a position in it
    _generation: int = 0
    _resyncs: int = 0
    _is_clean: bool = True
    _stopped: bool = False

    # What a test does to it.

    def add(self, *titles: str, status: str = "pending", attempt: int = 1) -> list[str]:
        """Their ids."""
        for title in titles:
            row = {"title": title, "status": status, "attempt": attempt, "content": None}
            self.topics[topic_id(title)] = {"id": topic_id(title), **row, "error_message": None, "updated_at": _WHEN}
        return [topic_id(title) for title in titles]

    def end(self, *ids: str, status: str = "completed", attempt: int | None = None) -> None:
        for id_ in ids:
            error = "a bad title" if status == "failed" else None
            self.topics[id_] |= {"status": status, "error_message": error}
            self.topics[id_] |= {"attempt": attempt} if attempt else {}
            self.changed.append(id_)

    def remove(self, id_: str) -> None:
        self.topics[id_]["status"] = "removed"
        self.changed.append(id_)

    def forget_changes(self) -> None:
        """Streams are told to read again what they follow, without what changed."""
        self._resyncs += 1

    def cut(self, *, cleanly: bool = True) -> None:
        """Ends all open streams."""
        self._is_clean = cleanly
        self._generation += 1

    # What it answers.

    def counts(self) -> Row:
        statuses = [row["status"] for row in self.topics.values()]
        counts = {f"{s}_count": statuses.count(s) for s in ("pending", "processing", "completed", "failed")}
        return {**counts, "total_count": len(statuses), "waiting_for": self.waiting_for, "simulated": True}

    def processing_status(self) -> Row:
        counts = self.counts()
        is_processing = counts["pending_count"] + counts["processing_count"] > 0
        lag = {"projection_lag_seconds": self.lag, "as_of": _WHEN}
        return {**counts, **lag, "is_processing": is_processing, "show_status": True, "recent_failures": []}

    def _all_counts(self) -> Row:
        of_one_kind = {**self.counts(), "live_workers": self.live_workers}
        return {"topics": of_one_kind, "articles": of_one_kind}

    def _state(self, id_: str) -> Row:
        row = self.topics[id_]
        state = {name: row[name] for name in ("id", "status", "attempt", "error_message")}
        return {**state, "kind": "topic", "name": row["title"], "at": _WHEN, "waiting_for": None, "newer": 1}

    async def _events(self, request: Request) -> Response:
        ids, cursor = request.query_params.getlist("id"), request.headers.get("Last-Event-ID")
        self.cursors.append(cursor)
        self.followed.append(ids)
        match self.stream:
            case "missing":
                return JSONResponse({"detail": "Not Found"}, 404)
            case "full":
                return JSONResponse({"detail": "too many streams"}, 429)
            case "page":
                return HTMLResponse("<html>")
            case "held_wholly":
                while not (self._stopped or await request.is_disconnected()):  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_EVERY)
        return StreamingResponse(self._lines(request, ids, cursor), media_type="text/event-stream")

    async def _lines(self, request: Request, ids: list[str], cursor: str | None) -> AsyncIterator[bytes]:
        self.open_streams += 1
        self.most_open_streams = max(self.most_open_streams, self.open_streams)
        try:
            async for line in self._stream(ids, cursor):
                if line:
                    yield line
                elif await request.is_disconnected():
                    return
        finally:
            self.open_streams -= 1

    async def _stream(self, ids: list[str], cursor: str | None) -> AsyncIterator[bytes]:
        """With an empty one whenever there is nothing to send."""
        generation, resyncs = self._generation, self._resyncs
        seen = len(self.changed) if cursor is None else int(cursor)
        if cursor is None and self.stream in {"events", "held_after_snapshot"}:
            known = [self._state(id_) for id_ in ids if id_ in self.topics]
            snapshot = {"processing_status": self.processing_status(), "counts": self._all_counts()}
            yield f"retry: {self.retry}\n".encode() + _event("snapshot", {**snapshot, "submissions": known}, seen)
        while self.stream != "ends_at_once" and not self._stopped and generation == self._generation:
            if self.stream == "events" and resyncs < self._resyncs:
                resyncs, seen = self._resyncs, len(self.changed)
                yield _event("resync", {"counts": self._all_counts()}, seen)
            elif self.stream == "events" and seen < len(self.changed):
                changed, seen = self.changed[seen : seen + 200], min(len(self.changed), seen + 200)
                states = [self._state(id_) for id_ in dict.fromkeys(changed) if not ids or id_ in ids]
                if states:
                    yield b": ping\r\n\r\n" + _event(
                        "changes", {"submissions": states, "counts": self._all_counts()}, seen
                    )
            yield b""
            await asyncio.sleep(_LOOK_EVERY)
        if not self._is_clean:
            raise ConnectionError("cut")

    async def _answer(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/api/v1")
        self.reads.append(path)
        if path in self.refuses:
            status, headers = self.refuses[path]
            return JSONResponse({"detail": f"refused with {status}"}, status, headers)
        if self.interludes and request.method == "GET":
            return self.interludes.pop(0)
        if request.method == "POST":
            return self._post(path, await request.json())
        match path.split("/")[1:]:
            case ["health"]:
                return JSONResponse({})
            case ["events"]:
                return await self._events(request)
            case ["processing-status"]:
                return JSONResponse(self.processing_status())
            case ["worker-status"]:
                return JSONResponse({"worker_running": self.live_workers > 0, "workers": [{}] * self.live_workers})
            case ["topics"]:
                return self._list(request.query_params)
            case ["topics", id_] if id_ in self.topics and self.topics[id_]["status"] != "removed":
                return JSONResponse(self.topics[id_])
        return JSONResponse({"detail": "no such topic"}, 404)

    def _post(self, path: str, body: Row) -> Response:
        self.bodies.append(body)
        if path.endswith("/retry"):
            row = self.topics[path.split("/")[2]]
            row |= {"status": "pending", "attempt": row["attempt"] + 1}
            return JSONResponse({name: row[name] for name in ("id", "title", "status", "attempt")}, 202)
        new = [title for title in body["topics"] if topic_id(title) not in self.topics]
        self.add(*new)
        names = ("id", "title", "status", "attempt") if self.names_attempts else ("id", "title", "status")
        topics = [{name: self.topics[topic_id(title)][name] for name in names} for title in body["topics"]]
        skipped = [title for title in body["topics"] if title not in new]
        numbers = {"total_topics": len(topics), "saved_topics": len(new), "skipped_topics": len(skipped)}
        return JSONResponse({"message": "", **numbers, "skipped_titles": skipped[:5], "topics": topics}, 202)

    def _list(self, query: Mapping[str, str]) -> Response:
        rows = [row for row in self.topics.values() if query.get("status") in {None, row["status"]}]
        start, limit = int(query.get("cursor", 0)), int(query["limit"])
        following = start + limit if start + limit < len(rows) else None
        page = {"topics": rows[start : start + limit], "next_cursor": following and str(following), "limit": limit}
        return JSONResponse({**page, "total_count": len(rows), "total_count_capped": False})

    # How it runs.

    def __enter__(self) -> "ScriptedApi":
        self._socket = socket.create_server((LOOPBACK, 0))
        self.url = f"http://{LOOPBACK}:{self._socket.getsockname()[1]}"
        app = Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "DELETE"])])
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """All connections are refused from then on."""
        self._stopped = self._server.should_exit = True
        self._thread.join()
        self._socket.close()


def _event(name: str, data: Row, cursor: int) -> bytes:
    return f"id: {cursor}\nevent: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
